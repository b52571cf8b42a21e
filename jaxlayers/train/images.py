"""Images as tasks take them."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array


def as_float(task: str, images: Array, shape: Sequence[int]) -> Array:
    """Returns images with values from 0 to 1, made of bytes where they are that.

    Args:
        task: who asks, for the error.
        images: [batch, height, width, channels], values from 0 to 1, or uint8 from 0 to 255.
        shape: (height, width, channels) as the model has it.

    Raises:
        ValueError: images of another shape.
    """
    if tuple(images.shape[1:]) != tuple(shape):
        raise ValueError(
            f"{task}: images must be [batch, {', '.join(map(str, shape))}], as the model has "
            f"them, got an array of shape {images.shape}"
        )
    return images / jnp.float32(255) if images.dtype == jnp.uint8 else images
