"""What layers that are random in training mode have in common."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields


def required_key(layer: Any, key: Array | None) -> Array:
    """Checks the key that a layer needs in training mode and returns it.

    Raises:
        ValueError: If it is `None` or not a key.
    """
    if key is None:
        raise ValueError(
            f"{layer!r}: key must be a JAX random key in training, got None; "
            "pass key=jax.random.key(...)"
        )
    return fields.Key().check(layer, "key", key)


def noise_shape_field() -> fields.Optional[Sequence[int | None], tuple[int | None, ...]]:
    """Returns the field of the shape of a mask, `None` by default."""
    return fields.Optional(
        fields.Tuple(
            fields.Optional(fields.PositiveInteger()), "a tuple of positive integers or None"
        )
    )


def noise_shape_for(layer: Any, x: Array) -> tuple[int, ...]:
    """Returns the `noise_shape` of a layer with the sizes of `x` in place of `None`.

    Raises:
        ValueError: If it does not broadcast to the shape of `x`.
    """
    if layer.noise_shape is None:
        return x.shape
    shape = tuple(
        extent if noise is None else noise
        for noise, extent in zip(layer.noise_shape, x.shape, strict=False)
    )
    try:
        broadcast = jnp.broadcast_shapes(shape, x.shape)
    except ValueError:
        broadcast = None
    if broadcast != x.shape or len(shape) != len(layer.noise_shape):
        raise ValueError(
            f"{layer!r}: noise_shape must broadcast to the input, got {layer.noise_shape} for "
            f"an input of shape {x.shape}"
        )
    return shape
