import jax
import jax.numpy as jnp
import numpy as np

from jaxlayers import Sequential, layers
from jaxlayers.models import cnn
from jaxlayers.runs import features

MODEL = cnn.lenet((8, 8, 3), classes=4, width=2, hidden=5)
PARAMS, STATE = MODEL.init(jax.random.key(0))
IMAGE = jax.random.uniform(jax.random.key(1), (8, 8, 3))


def test_the_first_axis_of_first_kernels_is_the_filters():
    kernels = features.first_kernels(MODEL, PARAMS)
    assert kernels.shape == (2, 5, 5, 3)
    np.testing.assert_array_equal(kernels[1], PARAMS["conv2d"]["kernel"][..., 1])


def test_first_kernels_of_a_model_without_convolutions_is_none():
    dense = Sequential([layers.Dense(2)], input_shape=(3,))
    assert features.first_kernels(dense, {}) is None


def test_feature_maps_are_the_outputs_of_the_layers():
    maps = dict(features.feature_maps(MODEL, PARAMS, STATE, IMAGE))
    assert list(maps) == ["conv2d", "max_pooling2d", "conv2d_1", "max_pooling2d_1"]
    x = IMAGE[None]
    for name, layer in MODEL.items():
        x, _ = layer.apply(PARAMS.get(name, {}), {}, x)
        if name in maps:
            np.testing.assert_allclose(maps[name], x[0], rtol=1e-5, atol=1e-6)


def test_depthwise_separable_and_adaptive_layers_have_feature_maps():
    model = Sequential(
        [
            layers.DepthwiseConv2D(3),
            layers.SeparableConv2D(2, 3),
            layers.AdaptiveMaxPooling2D(2),
            layers.Reshape((4, 2)),
            layers.Conv1D(2, 3),
        ],
        input_shape=(8, 8, 3),
    )
    maps = dict(features.feature_maps(model, *model.init(jax.random.key(0)), IMAGE))
    assert {name: array.shape for name, array in maps.items()} == {
        "depthwise_conv2d": (6, 6, 3),
        "separable_conv2d": (4, 4, 2),
        "adaptive_max_pooling2d": (2, 2, 2),
    }


def test_saliency_is_the_maximum_absolute_gradient_over_channels():
    linear = Sequential(
        [layers.Flatten(), layers.Dense(2, activation="softmax")], input_shape=(2, 2, 3)
    )
    params, state = linear.init(jax.random.key(0))
    kernel = np.asarray(params["dense"]["kernel"]).reshape(2, 2, 3, 2)
    image = jnp.full((2, 2, 3), 0.5)
    for label in (0, 1):
        saliency = features.saliency(linear, params, state, image, label)
        np.testing.assert_allclose(saliency, np.abs(kernel[..., label]).max(-1), rtol=1e-6)
