"""Upsampling of images."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array


def repeat_pixels(x: Array, size: Sequence[int], axes: Sequence[int]) -> Array:
    """Upsamples an array by nearest neighbors.

    Args:
        x: An array of any shape.
        size: Number of times each position is repeated, one integer per entry of `axes`.
        axes: The axes to upsample.
    """
    for count, axis in zip(size, axes, strict=True):
        if count > 1:
            x = jnp.repeat(x, count, axis=axis)
    return x


def resize_images(x: Array, size: Sequence[int], axes: Sequence[int], method: str) -> Array:
    """Upsamples an array by interpolation.

    Args:
        x: An array of any shape.
        size: Upsampling factors, one integer per entry of `axes`.
        axes: The axes to upsample.
        method: A method of `jax.image.resize`, such as `"bilinear"`.
    """
    shape = list(x.shape)
    for factor, axis in zip(size, axes, strict=True):
        shape[axis] *= factor
    resized: Array = jax.image.resize(x, shape, method, antialias=False)
    return resized
