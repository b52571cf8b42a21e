import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers.metrics import Features
from tests.wrong_values import assert_informative_error

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), np.uint8)


def mean_and_extremes(weights, images):
    return images.mean((1, 2)) * weights, jnp.stack(
        [images.min((1, 2, 3)), images.max((1, 2, 3))], 1
    )


def features(**changes):
    arguments = {"size": 3, "classes": 2, "weights": 2.0, "batch_size": 2, **changes}
    return Features("mean", mean_and_extremes, **arguments)


def test_features_of_all_batches_are_those_of_the_function():
    found = features()(IMAGES)
    np.testing.assert_allclose(found, 2 * (IMAGES / 255).mean((1, 2)), rtol=1e-5)
    assert found.dtype == np.float32


def test_bytes_and_floating_point_images_are_equivalent():
    both = features().outputs(IMAGES)
    floats = features().outputs(jnp.asarray(IMAGES / 255, jnp.float32))
    np.testing.assert_allclose(both.features, floats.features, rtol=1e-6)
    np.testing.assert_allclose(both.logits, floats.logits, rtol=1e-6)


def test_the_function_is_compiled_once_for_any_number_of_images():
    calls = []

    def function(_, images):
        calls.append(images.shape)
        return images.mean((1, 2)), None

    mean = Features("mean", function, size=3, batch_size=2)
    assert [len(mean(IMAGES[:n])) for n in (1, 2, 3, 5)] == [1, 2, 3, 5]
    assert calls == [(2, 4, 6, 3)]


def test_logits_are_none_without_classes():
    assert Features("mean", lambda _, images: (images.mean((1, 2)), None), size=3).logits is None
    expected = IMAGES.reshape(5, -1).max(1) / 255
    np.testing.assert_allclose(features().logits(IMAGES)[:, 1], expected, rtol=1e-6)


def test_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"mean features: images must be \[N, 4, 4, 3\]") as raised:
        features(image_shape=(4, 4, 3))(IMAGES)
    assert "(5, 4, 6, 3)" in str(raised.value)
    with pytest.raises(ValueError, match="at least one image"):
        features()(IMAGES[:0])
    with pytest.raises(ValueError, match="height, width, channels"):
        features()(IMAGES[0])
    with pytest.raises(TypeError, match="uint8 or floating-point numbers, got int64"):
        features()(IMAGES.astype(int))


def test_a_function_that_returns_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"features of shape \(2, 4\), got shape \(2, 3\)"):
        features(size=4)(IMAGES)
    with pytest.raises(ValueError, match=r"must return logits of shape \(2, 2\), got None"):
        Features("x", lambda _, x: (x.mean((1, 2)), None), size=3, classes=2, batch_size=2)(IMAGES)


@pytest.mark.parametrize("name", ["size", "classes", "batch_size"])
def test_arguments_out_of_range_are_refused(name):
    assert_informative_error(lambda: features(**{name: 0}), "Features", name, "0")


def test_weights_are_on_the_device():
    assert isinstance(features(weights=np.ones(3)).weights, jax.Array)
