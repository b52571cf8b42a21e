"""Normalization layers compared with Keras's."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from jaxlayers import config, layers
from tests.parity.oracle import both, compare

WEIGHTS = {
    "gamma_regularizer": "l2",
    "beta_regularizer": "l1",
    "gamma_constraint": "max_norm",
    "beta_constraint": "non_neg",
}


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({"epsilon": 0.1, **WEIGHTS}, (5,)),
        ({"axis": (3, 1), "scale": False}, (2, 3, 4)),
        ({"axis": [-2, -1], "center": False, "scale": False}, (2, 3, 4)),
        # Keras sorts the axes as they are given, so that this shape is (4, 2).
        ({"axis": (1, -1), "gamma_regularizer": "l1"}, (2, 3, 4)),
    ],
)
def test_layer_normalization_equals_keras(arguments, shape) -> None:
    compare(*both("LayerNormalization", **arguments), shape, batch=3, training=True)


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({"groups": 3, "epsilon": 0.1, **WEIGHTS}, (2, 3, 6)),
        ({"groups": -1, "axis": 1, "center": False}, (4, 2, 3)),
        ({"groups": 1, "axis": -2, "scale": False}, (2, 4, 3)),
    ],
)
def test_group_normalization_equals_keras(arguments, shape) -> None:
    compare(*both("GroupNormalization", **arguments), shape, batch=3)


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [({}, (5,)), ({"axis": (2, 3), "epsilon": 0.1}, (2, 3, 4))],
)
def test_rms_normalization_equals_keras(arguments, shape) -> None:
    compare(*both("RMSNormalization", **arguments), shape)


def test_the_scale_of_rms_normalization_has_the_axes_of_the_layer() -> None:
    # Keras refuses this input, because it multiplies by the scale along the last axis.
    layer = layers.RMSNormalization(axis=1)
    scale = np.array([1.0, 2.0, 3.0])
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    with pytest.raises(ValueError):
        keras.layers.RMSNormalization(axis=1)(x)
    expected = x / np.sqrt(np.mean(x**2, 1, keepdims=True) + 1e-6) * scale[:, None]
    y, _ = layer.apply({"scale": jnp.asarray(scale)}, {}, jnp.asarray(x))
    np.testing.assert_allclose(y, expected, rtol=1e-5)


@pytest.mark.parametrize("axis", [-1, (2, 1), 0])
def test_unit_normalization_equals_keras(axis) -> None:
    compare(*both("UnitNormalization", axis=axis), (3, 4))


def test_unit_normalization_has_a_finite_gradient_at_zero() -> None:
    # In Keras it is NaN.
    x = jnp.zeros((1, 3))
    gradient = jax.grad(lambda x: jnp.sum(layers.UnitNormalization().apply({}, {}, x)[0]))(x)
    np.testing.assert_allclose(gradient, np.full((1, 3), 1e12), rtol=1e-6)


IN_FLOAT32 = ("LayerNormalization", "GroupNormalization", "RMSNormalization")


def wrapped(name, *arguments, power_iterations=1, **options):
    return (
        module.SpectralNormalization(getattr(module, name)(*arguments, **options), power_iterations)
        for module in (layers, keras.layers)
    )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("name", "arguments", "power_iterations", "shape"),
    [
        ("Dense", {"units": 3, "activation": "tanh"}, 1, (4,)),
        ("Conv2D", {"filters": 3, "kernel_size": 2, "strides": 2}, 3, (4, 5, 2)),
        ("Conv2DTranspose", {"filters": 3, "kernel_size": 2}, 1, (2, 3, 2)),
        ("Embedding", {"input_dim": 8, "output_dim": 2}, 2, (5,)),
    ],
)
def test_spectral_normalization_equals_keras(
    name, arguments, power_iterations, shape, training
) -> None:
    compare(
        *wrapped(name, power_iterations=power_iterations, **arguments), shape, training=training
    )


def test_spectral_normalization_has_the_penalty_and_the_constraint_of_its_layer() -> None:
    arguments = {"activity_regularizer": "l2", "kernel_regularizer": "l1"}
    compare(*wrapped("Dense", 3, kernel_constraint="non_neg", **arguments), (4,))


def test_spectral_normalization_of_an_embedding_returns_floats_for_integers() -> None:
    # Keras casts the output to the dtype of the input.
    layer, keras_layer = wrapped("Embedding", 8, 2)
    x = jnp.array([[0, 3]])
    assert keras_layer(x).dtype == x.dtype
    params, state = layer.init(jax.random.key(0), (2,))
    y, _ = layer.apply(params, state, x)
    np.testing.assert_array_equal(y, params["embeddings"][x])


def test_a_kernel_of_zeros_is_not_normalized() -> None:
    layer, keras_layer = wrapped("Dense", 3, kernel_initializer="zeros")
    compare(layer, keras_layer, (4,))
    params, state = layer.init(jax.random.key(0), (4,))
    normalized, new_state = layer.normalized_weights(params, state)
    np.testing.assert_array_equal(normalized["kernel"], 0)
    np.testing.assert_array_equal(new_state["vector_u"], state["vector_u"])


def test_normalized_weights_are_those_that_keras_assigns_in_training() -> None:
    layer, keras_layer = wrapped("Dense", 3, power_iterations=2)
    x = jnp.ones((2, 4))
    keras_layer.build(x.shape)
    params = {"kernel": keras_layer.layer.kernel.value, "bias": keras_layer.layer.bias.value}
    state = {"vector_u": keras_layer.vector_u.value}
    keras_layer(x, training=True)
    params, state = layer.normalized_weights(params, state)
    np.testing.assert_allclose(params["kernel"], keras_layer.layer.kernel.value, rtol=1e-5)
    np.testing.assert_allclose(state["vector_u"], keras_layer.vector_u.value, rtol=1e-5)
    expected = keras_layer(x, training=False)
    np.testing.assert_allclose(layer.apply(params, state, x)[0], expected, rtol=1e-5)


def test_repeated_power_iterations_find_the_largest_singular_value() -> None:
    layer = layers.SpectralNormalization(layers.Conv2D(4, 3))
    params, state = layer.init(jax.random.key(0), (5, 5, 2))
    x = jnp.ones((1, 5, 5, 2))
    step = jax.jit(lambda state: layer.apply(params, state, x, training=True)[1])
    for _ in range(50):
        state = step(state)
    matrix = params["kernel"].reshape(-1, 4)
    kernel = layer.normalized_weights(params, state)[0]["kernel"]
    np.testing.assert_allclose(
        kernel, params["kernel"] / np.linalg.norm(matrix, 2), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({"axis": None, "mean": 0.5, "variance": 0.0}, (2, 3)),
        ({"mean": np.arange(3.0), "variance": np.arange(3.0) + 1, "invert": True}, (2, 3)),
        ({"axis": (1, 3), "mean": [[1.0] * 4], "variance": [[2.0] * 4]}, (2, 3, 4)),
        ({"axis": (3, 1), "mean": [1.0, 2, 3, 4], "variance": [1.0] * 4}, (2, 3, 4)),
    ],
)
def test_normalization_with_given_statistics_equals_keras(arguments, shape) -> None:
    compare(*both("Normalization", **arguments), shape)


@pytest.mark.parametrize(("axis", "invert"), [(-1, False), (None, True), ([3, 1], False)])
def test_normalization_after_adapt_equals_keras(axis, invert) -> None:
    data = np.random.default_rng(0).uniform(0, 9, (6, 2, 3, 4)).astype("float32")
    layer, keras_layer = both("Normalization", axis=axis, invert=invert)
    keras_layer.adapt(data)
    state = layer.adapt(data)
    mean, variance, _ = keras_layer.variables
    np.testing.assert_allclose(state["mean"], mean.value, rtol=1e-5)
    np.testing.assert_allclose(state["variance"], variance.value, rtol=1e-5)
    y, new_state = layer.apply({}, state, data)
    np.testing.assert_allclose(y, keras_layer(data), rtol=1e-4, atol=1e-4)
    assert new_state is state
    before = layer.apply(*layer.init(jax.random.key(0), data.shape[1:]), data)[0]
    np.testing.assert_array_equal(before, data)


@pytest.mark.parametrize(
    ("arguments", "data_format"),
    [
        ({"scale": 1 / 255}, "channels_last"),
        ({"scale": 2, "offset": -1}, "channels_first"),
        ({"scale": np.array([1.0, 2, 3]), "offset": (0.5, 1, -1)}, "channels_last"),
        ({"scale": [1.0, 2.0], "offset": 0.5}, "channels_first"),
        ({"scale": [[1.0, 2.0, 3.0]]}, "channels_last"),
    ],
)
def test_rescaling_equals_keras(arguments, data_format) -> None:
    before = config.image_data_format(), keras.config.image_data_format()
    config.set_image_data_format(data_format)
    keras.config.set_image_data_format(data_format)
    try:
        compare(*both("Rescaling", **arguments), (2, 4, 3))
    finally:
        config.set_image_data_format(before[0])
        keras.config.set_image_data_format(before[1])


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("LayerNormalization", {}, (4, 5)),
        ("GroupNormalization", {"groups": 2}, (3, 4)),
        ("RMSNormalization", {}, (4, 5)),
        ("UnitNormalization", {}, (4, 5)),
        ("Normalization", {"mean": 0.5, "variance": 2.0}, (4, 5)),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_float64_and_bfloat16_equal_keras(name, arguments, shape, dtype) -> None:
    with jax.enable_x64(dtype == "float64"):
        layer = getattr(layers, name)(**arguments)
        keras_layer = getattr(keras.layers, name)(**arguments, dtype=dtype)
        # Keras computes these in float32 even in a float64 model; this library uses float64.
        keras_in_float32 = dtype == "float64" and name in IN_FLOAT32
        precision = "float32" if keras_in_float32 else dtype
        compare(layer, keras_layer, shape, dtype=dtype, precision=precision)
