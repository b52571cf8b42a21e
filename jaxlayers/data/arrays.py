"""Checks and conversions of arrays of images and labels."""

from typing import Any

import numpy as np

# Interpolation exceeds the range of 0 to 1 slightly; anything further has another scale.
_LITTLE = 0.05


def as_images(images: Any, where: str) -> np.ndarray:
    """Returns images as uint8 or float32, `[N, height, width, channels]`.

    Args:
        images: `[N, height, width]` or `[N, height, width, channels]`: a NumPy or JAX array, or
            nested lists. Integers must be 0 to 255, floating-point values 0 to 1.
        where: Name of the argument or the file, for the error message: `"GAN: images"`.

    Returns:
        Integers as uint8, floating-point values as float32. Arrays of these dtypes are not copied.

    Raises:
        TypeError: If it is not an array.
        ValueError: If the shape, dtype or range of values is any other, or a value is NaN.

    Example:
        >>> as_images(np.full((2, 28, 28), 255), "images").dtype
        dtype('uint8')
    """
    array = _as_array(images, where, "images")
    if array.ndim not in (3, 4) or 0 in array.shape:
        raise ValueError(
            f"{where}: images must be [N, height, width] or [N, height, width, channels], "
            f"none of them zero, got shape {array.shape}"
        )
    if array.ndim == 3:
        array = array[..., np.newaxis]
    elif array.shape[1] in (1, 3, 4) and min(array.shape[2:]) > 4:
        raise ValueError(
            f"{where}: shape {array.shape} has its channels first; move them to the end: "
            "array.transpose(0, 2, 3, 1)"
        )
    if array.dtype == np.uint8:
        return array
    floating = _is_floating(array.dtype)
    if not floating and array.dtype.kind not in "iu":
        raise ValueError(f"{where}: images must be integers or floating point, got {array.dtype}")
    _check_range(array, where, largest=1 if floating else 255)
    return array.astype(np.float32 if floating else np.uint8, copy=False)


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Converts images that `as_images` returned to uint8, rounded to multiples of 1/255."""
    if images.dtype == np.uint8:
        return images
    rounded: np.ndarray = np.rint(images * 255)
    return rounded.astype(np.uint8)


def as_labels(labels: Any, where: str, classes: int | None = None) -> np.ndarray:
    """Returns integer labels as int32, `[N]`.

    Args:
        labels: `[N]` or `[N, 1]`, integers from 0: a NumPy or JAX array, or a list.
        where: Name of the argument or the file, for the error message.
        classes: Number of classes, if known.

    Raises:
        TypeError: If it is not an array.
        ValueError: If the shape or dtype is any other, or a label is negative, not below `classes`
            or too large for int32.

    Example:
        >>> as_labels([[3], [1]], "labels").tolist()
        [3, 1]
    """
    array = _as_array(labels, where, "labels")
    if array.dtype.kind in "OUS" and array.size and isinstance(array.flat[0], str | bytes):
        some = ", ".join(repr(str(name)) for name in list(dict.fromkeys(array.flat))[:3])
        raise ValueError(
            f"{where}: labels must be integers from 0, got strings such as {some}; number them: "
            "class_names, labels = np.unique(labels, return_inverse=True). Images in one "
            "sub-folder per class are numbered when they are loaded"
        )
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{where}: labels must be integers of shape [N] or [N, 1], "
            f"got {array.dtype} of shape {array.shape}"
        )
    if not array.size:
        return array.astype(np.int32)
    if array.max() > np.iinfo(np.int32).max:
        raise ValueError(f"{where}: labels must fit into int32, got up to {array.max()}")
    allowed = "at least 0" if classes is None else f"from 0 to {classes - 1}"
    wrong = array.min() if array.min() < 0 else array.max()
    if wrong < 0 or (classes is not None and wrong >= classes):
        raise ValueError(f"{where}: labels must be {allowed}, got {wrong}")
    return array.astype(np.int32, copy=False)


def _as_array(value: Any, where: str, what: str) -> np.ndarray:
    if not isinstance(value, list | tuple) and not hasattr(value, "__array__"):
        raise TypeError(
            f"{where}: {what} must be an array or a list, got {type(value).__name__} {value!r:.100}"
        )
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{where}: {what} must be an array or a nested list of equal lengths, got another list "
            f"({error})"
        ) from error


def _is_floating(dtype: np.dtype[Any]) -> bool:
    # NumPy does not have bfloat16; JAX provides it.
    return dtype.kind == "f" or dtype.name == "bfloat16"


def _check_range(array: np.ndarray, where: str, largest: int) -> None:
    low, high = float(array.min()), float(array.max())
    # The condition also rejects NaN.
    if low >= 0 and high <= largest:
        return
    if np.isnan(low) or np.isnan(high):
        raise ValueError(f"{where}: {array.dtype} images must be from 0 to {largest}, got NaN")
    if largest == 255:
        advice = "scale them, or store uint8"
    elif low >= -_LITTLE and high <= 1 + _LITTLE:
        advice = "clip them: np.clip(images, 0, 1)"
    elif low < 0:
        advice = "images of -1 to 1, as tanh gives, are scaled by (images + 1) / 2"
    else:
        advice = "divide them by 255, or store uint8"
    raise ValueError(
        f"{where}: {array.dtype} images must be from 0 to {largest}, "
        f"got {array.min()} to {array.max()}; {advice}"
    )
