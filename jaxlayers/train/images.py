"""Checks and conversions of images and other arrays passed to tasks."""

from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers.layer import Layer
from jaxlayers.train._checks import final_activation

Images = TypeVar("Images", Array, np.ndarray)

# Final activations of generators that return values from -1 to 1.
_SIGNED = ("tanh", "hard_tanh", "softsign")


def as_array(where: str, values: Any) -> Any:
    """Converts lists to arrays and checks that arrays are numeric.

    Args:
        where: Name of the caller and of the argument, for the error message.
        values: A NumPy or JAX array, anything that NumPy converts to one, or a list of these.

    Raises:
        TypeError: If `values` cannot be converted to an array of numbers.
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
            f"{where} must be an array of numbers or a list of these, "
            f"got {type(values).__name__}{dtype}"
        )
    return array


def values_of(array: Any) -> np.ndarray | None:
    """Returns the values of an array; `None` if they are not available.

    They are not available inside `jit`, or if the array is distributed over processes.
    """
    if isinstance(array, jax.core.Tracer):
        return None
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
        return None
    return np.asarray(array)


def as_images(task: str, images: Any, shape: Sequence[int]) -> Any:
    """Returns images as an array, uint8 or floating point with values from 0 to 1.

    Args:
        task: Name of the task, for the error message.
        images: [batch, height, width, channels], values from 0 to 1, or uint8 from 0 to 255.
        shape: (height, width, channels) of the model's images.

    Raises:
        TypeError: If the argument is not an array.
        ValueError: If there are no images, or they have another shape or range of values. Inside
            `jit`, where values are not known, if they are integers other than uint8.
    """
    images = as_array(f"{task}: images", images)
    if images.ndim == 0 or tuple(images.shape[1:]) != tuple(shape):
        hint = "; for one image pass image[None]" if tuple(images.shape) == tuple(shape) else ""
        raise ValueError(
            f"{task}: images must be [batch, {', '.join(map(str, shape))}], as in the model, "
            f"got an array of shape {tuple(images.shape)}{hint}"
        )
    check_image_values(images, task)
    if images.dtype == jnp.uint8 or jnp.issubdtype(images.dtype, jnp.floating):
        return images
    return images.astype(jnp.float32)


def as_float(images: Array) -> Array:
    """Returns images with values from 0 to 1; uint8 images are divided by 255."""
    return images / jnp.float32(255) if images.dtype == jnp.uint8 else images


def check_image_values(images: Any, where: str) -> None:
    """Checks that images have the values that tasks accept.

    Args:
        images: [N, height, width, channels].
        where: Name of the caller, for the error message.

    Raises:
        ValueError: If there are no images, they are complex, or they are not uint8 and a value is
            below 0, above 1 or NaN. Inside `jit`, where values are not known, if they are integers
            other than uint8.
    """
    if images.shape[0] == 0:
        raise ValueError(
            f"{where}: images must have at least one image, "
            f"got an array of shape {tuple(images.shape)}"
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
    # The condition also rejects NaN.
    if not (least >= 0 and most <= 1):
        bytes_like = least >= 0 and 1 < most <= 255
        hint = ": use images.astype(np.uint8), or divide by 255" if bytes_like else ""
        raise ValueError(f"{allowed}; got {images.dtype} from {least:g} to {most:g}{hint}")


def check_probabilities(where: str, values: np.ndarray) -> None:
    """Checks that class probabilities, [..., classes], are not negative and sum to 1."""
    exact = values.astype(np.float64)
    # The condition also rejects NaN. The tolerance allows for bfloat16, which has three digits.
    is_valid = (exact >= 0).all(-1) & (np.abs(exact.sum(-1) - 1) <= 0.01)
    if not is_valid.all():
        row = tuple(np.argwhere(~is_valid)[0].tolist())
        raise ValueError(
            f"{where} must be non-negative and sum to 1, got {values[row].tolist()} in row {row[0]}"
        )


def to_unit(model: Layer, images: Images) -> Images:
    """Scales generated images to values from 0 to 1.

    A generator that ends in tanh returns values from -1 to 1; any other generator is assumed to
    return values from 0 to 1.
    """
    return (images + 1) / 2 if _is_signed(model) else images


def from_unit(model: Layer, images: Images) -> Images:
    """Scales images with values from 0 to 1 to the range of a generator; see `to_unit`."""
    return images * 2 - 1 if _is_signed(model) else images


def _is_signed(model: Layer) -> bool:
    final = final_activation(model)
    return final is not None and final.name in _SIGNED
