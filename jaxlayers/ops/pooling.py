"""Maximum, sum and mean over windows of an image."""

import functools
from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxlayers.ops import windows


def max_pool(
    x: Array, pool_size: Sequence[int], strides: Sequence[int], padding: str, data_format: str
) -> Array:
    """Returns the maximum of each window; padding is never it.

    Args:
        x: [batch, *spatial, channels], or [batch, channels, *spatial] for channels_first.
        pool_size: positions of the window, one number for each spatial axis.
        strides: steps between windows, likewise.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        [batch, *windows, channels], or [batch, channels, *windows].
    """
    lowest = -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    return _reduce(
        lax.max, np.asarray(lowest, x.dtype), x, pool_size, strides, padding, data_format
    )


def sum_pool(
    x: Array, pool_size: Sequence[int], strides: Sequence[int], padding: str, data_format: str
) -> Array:
    """Returns the sum of each window; padding counts nothing. Arguments as in `max_pool`.

    Integers are summed as floating-point numbers: those of an image would overflow in eight bits.
    """
    x = x.astype(jnp.result_type(x, float))
    return _reduce(lax.add, np.asarray(0, x.dtype), x, pool_size, strides, padding, data_format)


def average_pool(
    x: Array, pool_size: Sequence[int], strides: Sequence[int], padding: str, data_format: str
) -> Array:
    """Returns the mean of each window, of the positions that are not padding.

    Arguments as in `max_pool`.
    """
    total = sum_pool(x, pool_size, strides, padding, data_format)
    spatial = x.shape[1:-1] if data_format == "channels_last" else x.shape[2:]
    per_axis = [
        _positions_in_image(*axis, padding)
        for axis in zip(spatial, pool_size, strides, strict=True)
    ]
    count = functools.reduce(np.multiply.outer, per_axis)
    count = count[..., None] if data_format == "channels_last" else count
    return total / jnp.asarray(count, total.dtype)


def _positions_in_image(extent: int, size: int, stride: int, padding: str) -> np.ndarray:
    front, _ = windows.padding(extent, size, stride, 1, padding)
    first = np.arange(windows.output_extent(extent, size, stride, 1, padding)) * stride - front
    return np.minimum(first + size, extent) - np.maximum(first, 0)


def _reduce(
    combine: Callable[[Array, Array], Array],
    identity: np.ndarray,
    x: Array,
    pool_size: Sequence[int],
    strides: Sequence[int],
    padding: str,
    data_format: str,
) -> Array:
    def on_axes(values: Sequence[int]) -> tuple[int, ...]:
        return (1, *values, 1) if data_format == "channels_last" else (1, 1, *values)

    return lax.reduce_window(
        x, identity, combine, on_axes(pool_size), on_axes(strides), padding.upper()
    )
