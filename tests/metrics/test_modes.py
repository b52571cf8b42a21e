import jax
import numpy as np
import pytest
import scipy.special

from jaxlayers.metrics import Features, captured_modes, stacked_features

PREDICTIONS = np.random.default_rng(0).integers(40, size=50)
FREQUENCIES = np.bincount(PREDICTIONS, minlength=40) / 50


def test_the_count_and_the_divergence_equal_the_formula_in_float64():
    count, divergence = captured_modes(PREDICTIONS, classes=40)
    assert count == len(set(PREDICTIONS.tolist())) < 40
    expected = scipy.special.rel_entr(FREQUENCIES, 1 / 40).sum()
    np.testing.assert_allclose(divergence, expected, rtol=1e-6)


def test_the_divergence_from_other_probabilities_equals_the_formula():
    weights = np.arange(1, 41)
    expected = scipy.special.rel_entr(FREQUENCIES, weights / weights.sum()).sum()
    _, divergence = captured_modes(PREDICTIONS, classes=40, probabilities=weights)
    np.testing.assert_allclose(divergence, expected, rtol=1e-6)


def test_equal_frequencies_of_all_modes_have_no_divergence():
    count, divergence = captured_modes(np.arange(18) % 9, classes=9)
    assert (int(count), float(divergence)) == (9, 0)


def test_a_single_mode_has_the_divergence_of_the_logarithm_of_all_modes():
    count, divergence = captured_modes(np.full(7, 999), classes=1000)
    assert count == 1
    np.testing.assert_allclose(divergence, np.log(1000), rtol=1e-6)


def test_a_captured_mode_of_probability_zero_has_infinite_divergence():
    assert captured_modes([0, 1], classes=2, probabilities=[0, 1])[1] == np.inf
    assert captured_modes([1, 1], classes=2, probabilities=[0, 1])[1] == 0


def test_values_out_of_range_give_nan_inside_jit():
    modes = jax.jit(lambda x, p: captured_modes(x, classes=2, probabilities=p))
    np.testing.assert_array_equal(modes(np.array([1, 1]), np.ones(2)), [1, np.log(2, dtype="f")])
    for predictions in ([0, 2], [0, -1]):
        assert np.isnan(modes(np.array(predictions), np.ones(2))).all()
    assert np.isnan(modes(np.array([0, 1]), np.array([-1.0, 2.0]))).all()


@pytest.mark.parametrize(
    ("predictions", "options", "message"),
    [
        ([0.0], {}, r"predictions must be integers of shape \[samples\], got float64"),
        ([[0, 1]], {}, r"predictions must .* got int64 of shape \(1, 2\)"),
        (np.zeros(0, int), {}, r"predictions must .* got int64 of shape \(0,\)"),
        ([0, 4], {}, "predictions must .* from 0 to 3, got 4"),
        ([-1, 4], {}, "predictions must .* from 0 to 3, got -1"),
        ([0], {"classes": 0}, "classes must be a positive integer, got 0"),
        ([0], {"probabilities": np.ones(3)}, r"probabilities must be .* \[4\].* shape \(3,\)"),
        ([0], {"probabilities": "abcd"}, r"probabilities must be real numbers of shape \[4\]"),
    ],
)
def test_wrong_arguments_are_refused(predictions, options, message):
    with pytest.raises(ValueError, match=f"captured_modes: .*{message}"):
        captured_modes(predictions, **({"classes": 4} | options))


def projection(weights, images):
    outputs = images.reshape(len(images), -1) @ weights
    return outputs[:, :5], outputs[:, 5:]


WEIGHTS = np.random.default_rng(1).normal(size=(16, 9)).astype(np.float32)
PROJECTION = Features(
    "random", projection, size=5, classes=4, weights=WEIGHTS, image_shape=(4, 4, 1), batch_size=6
)
IMAGES = np.random.default_rng(0).random((8, 4, 4, 3), np.float32)


def test_stacked_features_are_those_of_all_channels():
    features = stacked_features(PROJECTION)
    channels = [PROJECTION(IMAGES[..., [channel]]) for channel in range(3)]
    # Sums of 16 products in float32.
    np.testing.assert_allclose(features(IMAGES), np.concatenate(channels, 1), rtol=1e-5, atol=1e-5)
    assert (features.name, features.size, features.classes) == ("random", 15, 64)


def test_the_classes_of_stacked_features_are_combinations_as_in_stacked_data():
    logits = stacked_features(PROJECTION).logits(IMAGES)
    digits = [PROJECTION.logits(IMAGES[..., [channel]]) for channel in range(3)]
    first, second, third = (logits.argmax(1) for logits in digits)
    np.testing.assert_array_equal(logits.argmax(1), first * 16 + second * 4 + third)
    probabilities = [scipy.special.softmax(each, 1) for each in digits]
    expected = np.einsum("ni,nj,nk->nijk", *probabilities).reshape(8, 64)
    np.testing.assert_allclose(scipy.special.softmax(logits, 1), expected, rtol=1e-4)


def test_features_without_classes_can_be_stacked():
    mean = Features("mean", lambda _, images: (images.mean((1, 2)), None), size=1)
    features = stacked_features(mean, channels=2)
    assert features.classes is None
    np.testing.assert_allclose(features(IMAGES[..., :2]), IMAGES[..., :2].mean((1, 2)), rtol=1e-6)


def test_features_of_several_channels_cannot_be_stacked():
    color = Features("color", projection, size=5, image_shape=(4, 4, 3))
    with pytest.raises(ValueError, match=r"stacked_features: features .* one .* \(4, 4, 3\)"):
        stacked_features(color)
    with pytest.raises(ValueError, match="stacked_features: features must be a Features, got None"):
        stacked_features(None)
    with pytest.raises(ValueError, match="channels must be a positive integer, got 0"):
        stacked_features(PROJECTION, channels=0)
