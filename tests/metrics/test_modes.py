import jax
import numpy as np
import pytest
import scipy.special

from jaxlayers.metrics import captured_modes, channel_predictions

PREDICTIONS = np.random.default_rng(0).integers(4, size=(50, 3))


def frequencies(predictions, classes):
    """The fraction of samples of each mode, in float64."""
    counts = np.zeros((classes,) * predictions.shape[1])
    for row in predictions:
        counts[tuple(row)] += 1
    return counts.ravel() / len(predictions)


def test_the_count_and_the_divergence_equal_the_formula_in_float64():
    fake = frequencies(PREDICTIONS, 4)
    count, divergence = captured_modes(PREDICTIONS, classes=4)
    assert count == (fake > 0).sum() < 4**3
    np.testing.assert_allclose(divergence, scipy.special.rel_entr(fake, 1 / 4**3).sum(), rtol=1e-6)


def test_the_divergence_from_other_probabilities_equals_the_formula():
    weights = np.arange(1, 4**3 + 1)
    expected = scipy.special.rel_entr(frequencies(PREDICTIONS, 4), weights / weights.sum()).sum()
    _, divergence = captured_modes(PREDICTIONS, classes=4, probabilities=weights)
    np.testing.assert_allclose(divergence, expected, rtol=1e-6)


def test_equal_frequencies_of_all_modes_have_no_divergence():
    predictions = np.indices((3, 3)).reshape(2, -1).T
    count, divergence = captured_modes(np.repeat(predictions, 2, axis=0), classes=3)
    assert (int(count), float(divergence)) == (9, 0)


def test_a_single_mode_has_the_divergence_of_the_logarithm_of_all_modes():
    count, divergence = captured_modes(np.full((7, 3), 9), classes=10)
    assert count == 1
    np.testing.assert_allclose(divergence, np.log(1000), rtol=1e-6)


def test_a_captured_mode_of_probability_zero_has_infinite_divergence():
    assert captured_modes([0, 1], classes=2, probabilities=[0, 1])[1] == np.inf
    assert captured_modes([1, 1], classes=2, probabilities=[0, 1])[1] == 0


def test_predictions_and_probabilities_out_of_range_give_nan_inside_jit():
    modes = jax.jit(lambda x, p: captured_modes(x, classes=2, probabilities=p))
    np.testing.assert_array_equal(modes(np.array([1, 1]), np.ones(2)), [1, np.log(2, dtype="f")])
    for predictions in ([0, 2], [0, -1]):
        assert np.isnan(modes(np.array(predictions), np.ones(2))).all()
    assert np.isnan(modes(np.array([0, 1]), np.array([-1.0, 2.0]))).all()


def test_each_channel_is_classified_as_an_image_of_its_own():
    images = np.random.default_rng(0).random((6, 4, 4, 2))
    shapes = []

    def logits(images):
        shapes.append(images.shape)
        return images.reshape(6, 16)

    predictions = channel_predictions(logits, images)
    assert shapes == [(6, 4, 4, 1)] * 2
    expected = [[image[..., channel].argmax() for channel in (0, 1)] for image in images]
    np.testing.assert_array_equal(predictions, expected)
    assert predictions.dtype == np.int32


@pytest.mark.parametrize(
    ("predictions", "options", "message"),
    [
        ([[0.0]], {}, r"predictions must be integers of shape \[samples, channels\], got float64"),
        (np.zeros((0, 3), int), {}, r"predictions must .* got int64 of shape \(0, 3\)"),
        ([[0, 4]], {}, "predictions must .* from 0 to 3, got 4"),
        ([[-1, 4]], {}, "predictions must .* from 0 to 3, got -1"),
        ([0], {"classes": 0}, "classes must be a positive integer, got 0"),
        (np.zeros((1, 10), int), {"classes": 10}, r"below 2\*\*31, got 10 classes and 10 channels"),
        ([0], {"probabilities": np.ones(3)}, r"probabilities must be .* \[4\].* shape \(3,\)"),
        ([0], {"probabilities": "abcd"}, r"probabilities must be real numbers of shape \[4\]"),
    ],
)
def test_wrong_arguments_are_refused(predictions, options, message):
    with pytest.raises(ValueError, match=f"captured_modes: .*{message}"):
        captured_modes(predictions, **({"classes": 4} | options))


def test_images_and_outputs_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"images must be \[samples, .* shape \(2, 4, 4\)"):
        channel_predictions(lambda images: images, np.zeros((2, 4, 4)))
    with pytest.raises(ValueError, match=r"logits must return .* 2 images, .* shape \(2,\)"):
        channel_predictions(lambda images: images.sum((1, 2, 3)), np.zeros((2, 4, 4, 1)))
