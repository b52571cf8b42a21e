"""Images and other arrays as tasks take them."""

from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers.layer import Layer
from jaxlayers.train._checks import final_activation

Images = TypeVar("Images", Array, np.ndarray)

# Generators that end in these make values from -1 to 1.
_SIGNED = ("tanh", "hard_tanh", "softsign")


def as_array(where: str, values: Any) -> Any:
    """Returns an array, made of a list where it is one.

    Args:
        where: who asks and what it is, for the error.
        values: an array of NumPy or JAX, what NumPy makes one of, or a list of either.

    Raises:
        TypeError: what makes no array of numbers.
    """
    if isinstance(values, jax.Array | np.ndarray):
        array = values
    else:
        traced = any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(values))
        try:
            array = jnp.asarray(values) if traced else np.asarray(values)
        except (TypeError, ValueError):
            array = None
    if array is None or not (
        jnp.issubdtype(array.dtype, jnp.number) or jnp.issubdtype(array.dtype, jnp.bool_)
    ):
        dtype = "" if array is None else f" of {array.dtype}"
        raise TypeError(
            f"{where} must be an array of numbers or a list of such, "
            f"got {type(values).__name__}{dtype}"
        )
    return array


def values_of(array: Any) -> np.ndarray | None:
    """Returns the values of an array for a check; `None` where there are none to see.

    Inside of `jit` arrays have only shapes, and no process sees all of what several share.
    """
    if isinstance(array, jax.core.Tracer):
        return None
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
        return None
    return np.asarray(array)


def as_images(task: str, images: Any, shape: Sequence[int]) -> Any:
    """Returns images as an array: uint8, or floating point with values from 0 to 1.

    Args:
        task: who asks, for the error.
        images: [batch, height, width, channels], values from 0 to 1, or uint8 from 0 to 255.
        shape: (height, width, channels) as the model has it.

    Raises:
        TypeError: no array.
        ValueError: images of another shape or none at all; values of another range, or, where
            there are no values to see, integers other than uint8.
    """
    images = as_array(f"{task}: images", images)
    if images.ndim == 0 or tuple(images.shape[1:]) != tuple(shape):
        hint = "; for one image pass image[None]" if tuple(images.shape) == tuple(shape) else ""
        raise ValueError(
            f"{task}: images must be [batch, {', '.join(map(str, shape))}], as the model has "
            f"them, got an array of shape {tuple(images.shape)}{hint}"
        )
    check_image_values(images, task)
    if images.dtype == jnp.uint8 or jnp.issubdtype(images.dtype, jnp.floating):
        return images
    return images.astype(jnp.float32)


def as_float(images: Array) -> Array:
    """Returns images with values from 0 to 1, made of bytes where they are that."""
    return images / jnp.float32(255) if images.dtype == jnp.uint8 else images


def check_image_values(images: Any, where: str) -> None:
    """Refuses images whose values are not what a task takes.

    Args:
        images: [N, height, width, channels].
        where: who asks, for the error.

    Raises:
        ValueError: no images; values below 0, above 1 or NaN that are not uint8. Inside of `jit`,
            where there are no values, integers that are not uint8. Complex numbers.
    """
    if images.shape[0] == 0:
        raise ValueError(
            f"{where}: images must be at least one, got an array of shape {tuple(images.shape)}"
        )
    if images.dtype in (jnp.uint8, jnp.bool_):
        return
    allowed = f"{where}: images must have values from 0 to 1, or be uint8 from 0 to 255"
    values = values_of(images)
    floating = jnp.issubdtype(images.dtype, jnp.floating)
    if jnp.issubdtype(images.dtype, jnp.complexfloating) or (values is None and not floating):
        raise ValueError(f"{allowed}; got {images.dtype}: use images.astype(np.uint8)")
    if values is None:
        return
    least, most = float(values.min()), float(values.max())
    # Written so that NaN fails as well.
    if not (least >= 0 and most <= 1):
        bytes_like = least >= 0 and 1 < most <= 255
        hint = ": use images.astype(np.uint8), or divide by 255" if bytes_like else ""
        raise ValueError(f"{allowed}; got {images.dtype} from {least:g} to {most:g}{hint}")


def check_probabilities(where: str, values: np.ndarray) -> None:
    """Refuses probabilities of classes, [..., classes], that are negative or do not sum to 1."""
    exact = values.astype(np.float64)
    # Written so that NaN fails as well. bfloat16 has three digits.
    right = (exact >= 0).all(-1) & (np.abs(exact.sum(-1) - 1) <= 0.01)
    if not right.all():
        row = tuple(np.argwhere(~right)[0].tolist())
        raise ValueError(
            f"{where} must not be negative and sum to 1, got {values[row].tolist()} in row {row[0]}"
        )


def to_unit(model: Layer, images: Images) -> Images:
    """Returns what a generator makes with values from 0 to 1.

    A generator that ends in tanh makes values from -1 to 1; any other is taken to make values
    from 0 to 1.
    """
    return (images + 1) / 2 if _is_signed(model) else images


def from_unit(model: Layer, images: Images) -> Images:
    """Returns images of 0 to 1 with the range of a generator's, as in `to_unit`."""
    return images * 2 - 1 if _is_signed(model) else images


def _is_signed(model: Layer) -> bool:
    final = final_activation(model)
    return final is not None and final.name in _SIGNED
