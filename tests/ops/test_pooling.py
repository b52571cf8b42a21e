"""Pooling in one to three dimensions, also to a fixed size, compared with loops."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers import ops
from tests.ops import reference

# Extent, window, strides.
GEOMETRIES = [
    ((7,), (3,), (2,)),
    ((4, 5), (2, 2), (2, 2)),
    ((5, 4), (3, 2), (1, 3)),
    ((3, 3), (3, 3), (4, 1)),
    ((3, 4, 5), (2, 3, 2), (2, 1, 2)),
    # Larger than the windows that are reduced position by position.
    ((13, 12), (9, 10), (2, 3)),
]
POOLINGS = [(ops.max_pool, np.max), (ops.sum_pool, np.sum), (ops.average_pool, np.mean)]


@pytest.mark.parametrize(("pool", "reduce"), POOLINGS, ids=["max", "sum", "average"])
@pytest.mark.parametrize(("spatial", "pool_size", "strides"), GEOMETRIES)
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_pooling_reduces_the_positions_of_a_window_inside_the_image(
    pool, reduce, spatial, pool_size, strides, padding, data_format
) -> None:
    # All values are negative, so that padding with zeros would change the maximum.
    x = -1 - np.random.default_rng(0).random((2, *spatial, 3))
    first = data_format == "channels_first"
    with jax.enable_x64(True):
        images = jnp.asarray(np.moveaxis(x, -1, 1) if first else x)
        # Eagerly, each position of a window is a program of its own.
        compiled = jax.jit(lambda images: pool(images, pool_size, strides, padding, data_format))
        y = np.asarray(compiled(images))
    expected = reference.pool(reduce, x, pool_size, strides, padding)
    np.testing.assert_allclose(np.moveaxis(y, 1, -1) if first else y, expected, rtol=1e-12)


@pytest.mark.parametrize(("pool", "reduce"), POOLINGS, ids=["max", "sum", "average"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32"])
def test_integers_do_not_overflow(pool, reduce, dtype) -> None:
    x = np.random.default_rng(0).integers(100, 128, (2, 4, 4, 3)).astype(dtype)
    y = pool(x, (2, 2), (2, 2), "valid", "channels_last")
    np.testing.assert_allclose(y, reference.pool(reduce, x, (2, 2), (2, 2), "valid"), rtol=1e-6)


@pytest.mark.parametrize("pool_size", [(2, 2), (9, 10)])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_max_pooling_of_booleans_is_any(pool_size, padding) -> None:
    x = np.random.default_rng(0).random((2, 11, 10, 3)) > 0.9
    y = ops.max_pool(jnp.asarray(x), pool_size, (2, 2), padding, "channels_last")
    assert y.dtype == bool
    np.testing.assert_array_equal(y, reference.pool(np.any, x, pool_size, (2, 2), padding))


@pytest.mark.parametrize(("pool", "_"), POOLINGS, ids=["max", "sum", "average"])
def test_floating_point_dtypes_are_kept(pool, _) -> None:
    for dtype in (jnp.float32, jnp.bfloat16, jnp.float16):
        assert (
            pool(jnp.ones((1, 4, 4, 1), dtype), (2, 2), (2, 2), "same", "channels_last").dtype
            == dtype
        )


def test_the_gradient_of_max_pooling_is_nonzero_at_the_first_maximum_only() -> None:
    # Integers from 0 to 2, so that most windows have several maxima.
    x = np.random.default_rng(0).integers(3, size=(2, 7, 6, 3)).astype(np.float32)
    y, vjp = jax.vjp(
        lambda x: ops.max_pool(x, (3, 2), (2, 2), "same", "channels_last"), jnp.asarray(x)
    )
    (gradient,) = vjp(jnp.ones_like(y))
    expected = np.zeros_like(x)
    # Same padding adds one row at each end here.
    padded = np.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0)), constant_values=-np.inf)
    for image, row, column, channel in np.ndindex(*y.shape):
        window = padded[image, 2 * row : 2 * row + 3, 2 * column : 2 * column + 2, channel]
        i, j = np.unravel_index(window.argmax(), window.shape)
        expected[image, 2 * row + i - 1, 2 * column + j, channel] += 1
    np.testing.assert_array_equal(gradient, expected)


@pytest.mark.parametrize("position", range(4))
def test_max_pooling_propagates_nan(position) -> None:
    x = jnp.arange(4.0).at[position].set(jnp.nan).reshape(1, 2, 2, 1)
    assert jnp.isnan(ops.max_pool(x, (2, 2), (2, 2), "valid", "channels_last")).all()


@pytest.mark.parametrize(
    ("pool", "reduce"),
    [(ops.adaptive_max_pool, np.max), (ops.adaptive_average_pool, np.mean)],
    ids=["max", "average"],
)
@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 11])
def test_adaptive_pooling_reduces_the_positions_of_a_window(pool, reduce, count) -> None:
    extent = 7
    x = np.random.default_rng(0).standard_normal((2, 3, extent)).astype(np.float32)
    expected = [
        reduce(x[..., math.floor(i * extent / count) : math.ceil((i + 1) * extent / count)], -1)
        for i in range(count)
    ]
    np.testing.assert_allclose(pool(x, (count,), (2,)), np.stack(expected, -1), rtol=1e-5)


def test_the_gradient_of_adaptive_max_pooling_is_nonzero_at_the_first_maximum_only() -> None:
    # The windows are the positions 0 to 2, 2 to 4 and 4 to 6.
    x = jnp.asarray([[0.0, 2.0, 2.0, 1.0, 2.0, 2.0, 3.0]])
    gradient = jax.grad(lambda x: jnp.sum(ops.adaptive_max_pool(x, (3,), (1,))))(x)
    np.testing.assert_array_equal(gradient, [[0, 1, 1, 0, 0, 0, 1]])


def test_infinite_values_are_in_the_mean_of_their_windows_only() -> None:
    x = jnp.asarray([[1.0, 1.0, 1.0, 1.0, jnp.inf]])
    y = ops.adaptive_average_pool(x, (2,), (1,))
    np.testing.assert_array_equal(y, [[1, jnp.inf]])


@pytest.mark.parametrize("count", [2, 3])
def test_adaptive_pooling_of_integers(count) -> None:
    x = np.arange(120, 126, dtype=np.int8)[None]
    maximum = ops.adaptive_max_pool(jnp.asarray(x), (count,), (1,))
    mean = ops.adaptive_average_pool(jnp.asarray(x), (count,), (1,))
    assert maximum.dtype == jnp.int8
    np.testing.assert_array_equal(maximum, x.reshape(1, count, -1).max(-1))
    np.testing.assert_allclose(mean, x.reshape(1, count, -1).mean(-1))
