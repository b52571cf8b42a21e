"""Embedding, PReLU and layers that return, move or randomly change their input, as in Keras."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from jaxlayers import layers
from tests.parity.oracle import both, compare


@pytest.mark.parametrize(
    "arguments",
    [{}, {"embeddings_regularizer": "l2", "embeddings_constraint": "unit_norm"}],
)
def test_embedding_of_floats_equals_keras(arguments) -> None:
    # Truncated to integers, some of them negative.
    compare(*both("Embedding", input_dim=8, output_dim=3, **arguments), (2, 4))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
def test_embedding_of_indices_out_of_range_equals_keras(dtype) -> None:
    layer, keras_layer = both("Embedding", input_dim=4, output_dim=2)
    x = np.array([[0, 3, 4, 200], [-1, -4, -5, 7]]).astype(dtype)
    expected = keras_layer(x)
    y, _ = layer.apply({"embeddings": keras_layer.embeddings.value}, {}, x)
    np.testing.assert_array_equal(y, expected)
    assert np.isnan(y[0, 2]).all()


def test_the_initial_embeddings_have_the_distribution_of_keras() -> None:
    params, _ = layers.Embedding(1000, 20).init(jax.random.key(0), (1,))
    embeddings = params["embeddings"]
    assert float(jnp.abs(embeddings).max()) <= 0.05
    # The standard deviation of a uniform distribution is its width divided by sqrt(12).
    np.testing.assert_allclose(embeddings.std(), 0.1 / 12**0.5, rtol=0.02)


@pytest.mark.parametrize("alpha", [1.0, 0, -0.5, 2.5])
def test_elu_equals_keras(alpha) -> None:
    compare(*both("ELU", alpha=alpha), (40,))


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({"alpha_regularizer": "l2", "alpha_constraint": "non_neg"}, (5,)),
        ({"shared_axes": [1, 2], "alpha_initializer": "ones"}, (2, 3, 4)),
        ({"shared_axes": 1}, (2, 3)),
    ],
)
def test_prelu_equals_keras(arguments, shape) -> None:
    compare(*both("PReLU", **arguments), shape)


def test_the_gradient_of_prelu_at_zero_equals_keras() -> None:
    layer, keras_layer = both("PReLU", alpha_initializer="ones")
    x = jnp.zeros((1, 3))
    params, _ = layer.init(jax.random.key(0), (3,))
    expected = jax.grad(lambda x: jnp.sum(keras_layer(x)))(x)
    gradient = jax.grad(lambda x: jnp.sum(layer.apply(params, {}, x)[0]))(x)
    np.testing.assert_array_equal(gradient, expected)


@pytest.mark.parametrize("arguments", [{}, {"l1": 0.1, "l2": 0.3}])
def test_activity_regularization_equals_keras(arguments) -> None:
    compare(*both("ActivityRegularization", **arguments), (2, 3), batch=4)


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("Identity", {}, (2, 3)),
        ("Permute", {"dims": (3, 1, 2)}, (2, 3, 4)),
        ("Permute", {"dims": ()}, ()),
        ("RepeatVector", {"n": 3}, (4,)),
    ],
)
def test_moved_values_equal_keras(name, arguments, shape) -> None:
    compare(*both(name, **arguments), shape)


RANDOM = [
    ("GaussianNoise", {"stddev": 0.3}, (5,)),
    ("GaussianDropout", {"rate": 0.3}, (5,)),
    ("AlphaDropout", {"rate": 0.3, "noise_shape": (None, 1, 4)}, (3, 4)),
    ("SpatialDropout1D", {"rate": 0.3}, (3, 2)),
    ("SpatialDropout2D", {"rate": 0.3, "data_format": "channels_first"}, (2, 3, 4)),
    ("SpatialDropout3D", {"rate": 0.3}, (2, 3, 4, 2)),
]


@pytest.mark.parametrize(("name", "arguments", "shape"), RANDOM)
def test_random_layers_are_the_identity_in_inference_and_at_rate_zero(
    name, arguments, shape
) -> None:
    x = jax.random.normal(jax.random.key(0), (2, *shape))
    layer, keras_layer = both(name, **arguments)
    np.testing.assert_array_equal(layer.apply({}, {}, x)[0], x)
    np.testing.assert_array_equal(keras_layer(x, training=False), x)
    none = {**arguments, next(iter(arguments)): 0}
    layer, keras_layer = both(name, **none)
    np.testing.assert_array_equal(layer.apply({}, {}, x, training=True)[0], x)
    np.testing.assert_array_equal(keras_layer(x, training=True), x)


@pytest.mark.parametrize(("name", "arguments", "shape"), RANDOM)
def test_random_layers_depend_only_on_the_key(name, arguments, shape) -> None:
    layer = getattr(layers, name)(**arguments)
    x = jnp.ones((8, *shape))

    def train(seed):
        return layer.apply({}, {}, x, training=True, key=jax.random.key(seed))[0]

    np.testing.assert_array_equal(train(0), train(0))
    assert not np.array_equal(train(0), train(1))


@pytest.mark.parametrize(("name", "arguments", "shape"), RANDOM)
def test_random_layers_have_the_distribution_of_keras(name, arguments, shape) -> None:
    batch = 1000
    x = jnp.full((batch, *shape), 2.0)
    keras_layer = getattr(keras.layers, name)(**arguments, seed=0)
    y, _ = getattr(layers, name)(**arguments).apply({}, {}, x, training=True, key=jax.random.key(0))
    expected = keras_layer(x, training=True)
    # The examples of a batch are independent: the error of a mean is stddev / sqrt(batch), and that
    # of a standard deviation at most twice that. The difference of two has at most 5 of each.
    error = 5 * 2 * 2**0.5 * float(jnp.std(expected)) / batch**0.5
    np.testing.assert_allclose(jnp.mean(y), jnp.mean(expected), atol=error + 1e-6)
    np.testing.assert_allclose(jnp.std(y), jnp.std(expected), atol=error + 1e-6)
    if name not in ("GaussianNoise", "GaussianDropout"):
        np.testing.assert_allclose(jnp.unique(y), jnp.unique(expected), rtol=1e-5)
    # The same noise along the same axes.
    constant = [axis for axis in range(1, y.ndim) if jnp.ptp(expected, axis).max() == 0]
    assert constant == [axis for axis in range(1, y.ndim) if jnp.ptp(y, axis).max() == 0]


def test_noise_has_the_documented_moments() -> None:
    x = jnp.full((300, 300), 2.0)
    key = jax.random.key(0)
    noisy, _ = layers.GaussianNoise(0.3).apply({}, {}, x, training=True, key=key)
    np.testing.assert_allclose([noisy.mean(), noisy.std()], [2, 0.3], rtol=0.02)
    scaled, _ = layers.GaussianDropout(0.3).apply({}, {}, x, training=True, key=key)
    np.testing.assert_allclose([scaled.mean(), scaled.std()], [2, 2 * (3 / 7) ** 0.5], rtol=0.02)
    # Alpha dropout preserves the moments of inputs with mean 0 and variance 1.
    normal = jax.random.normal(jax.random.key(1), (300, 300))
    y, _ = layers.AlphaDropout(0.3).apply({}, {}, normal, training=True, key=key)
    np.testing.assert_allclose([y.mean(), y.std()], [0, 1], atol=0.02)


@pytest.mark.parametrize("name", ["SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"])
def test_spatial_dropout_drops_whole_feature_maps(name) -> None:
    rank = int(name[-2])
    for data_format in ("channels_last", "channels_first") if rank > 1 else ("channels_last",):
        arguments = {} if rank == 1 else {"data_format": data_format}
        layer = getattr(layers, name)(0.25, **arguments)
        channels = -1 if data_format == "channels_last" else 1
        shape = [200, *[2] * rank]
        shape.insert(channels if channels == 1 else len(shape), 8)
        y, _ = layer.apply({}, {}, jnp.ones(shape), training=True, key=jax.random.key(0))
        maps = np.moveaxis(np.asarray(y), channels, 1).reshape(200, 8, -1)
        assert (maps == maps[..., :1]).all()
        kept = maps[..., 0] != 0
        np.testing.assert_allclose(maps[kept], 4 / 3, rtol=1e-6)
        np.testing.assert_allclose(kept.mean(), 0.75, atol=0.05)
        dropped, _ = type(layer)(1.0, **arguments).apply({}, {}, jnp.ones(shape), training=True)
        assert not dropped.any()
