"""The axes over which layers normalize."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array


def as_tuple(axis: int | Sequence[int]) -> tuple[int, ...]:
    """Returns one axis or several as a tuple."""
    return (axis,) if isinstance(axis, int) else tuple(axis)


def positive_axes(
    layer: Any, input_shape: Sequence[int], *, with_batch: bool = False
) -> tuple[int, ...]:
    """Returns the `axis` of a layer as integers that are not negative, in the same order.

    Args:
        layer: The layer; its `axis` counts the batch.
        input_shape: Shape of one example.
        with_batch: Whether the batch axis is allowed.

    Raises:
        ValueError: If the input does not have an axis, it is the batch axis, or there are two of
            the same.
    """
    count = len(input_shape) + 1
    axes = tuple(axis + count if axis < 0 else axis for axis in as_tuple(layer.axis))
    first = 0 if with_batch else 1
    if not all(first <= axis < count for axis in axes) or len(set(axes)) != len(axes):
        batch = "" if with_batch else ", other than the batch axis 0"
        several = "" if isinstance(layer.axis, int) else ", each at most once"
        raise ValueError(
            f"{layer!r}: axis must be an axis of an input with {count} axes{batch}{several}; "
            f"examples have shape {tuple(input_shape)}"
        )
    return axes


def along(axes: Sequence[int], weight: Array, x: Array) -> Array:
    """Reshapes a weight with the given axes of `x` so that it broadcasts to `x`."""
    shape = [extent if axis in axes else 1 for axis, extent in enumerate(x.shape)]
    return jnp.reshape(weight, shape)
