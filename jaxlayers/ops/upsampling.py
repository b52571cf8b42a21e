"""Upsampling of images."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array


def repeat_pixels(x: Array, size: Sequence[int], axes: Sequence[int]) -> Array:
    """Repeats each position of `x` along `axes`, `size` times each: nearest upsampling."""
    for count, axis in zip(size, axes, strict=True):
        if count > 1:
            x = jnp.repeat(x, count, axis=axis)
    return x


def resize_images(x: Array, size: Sequence[int], axes: Sequence[int], method: str) -> Array:
    """Resizes `x` along `axes` to `size` times its extents, by a method of `jax.image.resize`."""
    shape = list(x.shape)
    for factor, axis in zip(size, axes, strict=True):
        shape[axis] *= factor
    resized: Array = jax.image.resize(x, shape, method, antialias=False)
    return resized
