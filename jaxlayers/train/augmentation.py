"""Random augmentations of training images.

Each is a pure function of a key and one image. `augment` applies them to a batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxlayers import _fields as fields

Augmentation = Callable[[Array, Array], Array]
"""(key, image [height, width, channels]) -> image of the same shape and dtype."""


def augmentations_field() -> fields.Tuple:
    """Returns the field of a tuple of augmentations, empty by default."""
    return fields.Tuple(
        fields.Function("key", "image"),
        "a tuple of augmentations, such as (Flip(), Shift(2)), functions of (key, image)",
        default=(),
    )


def augment(augmentations: Sequence[Augmentation], key: Array, images: Array) -> Array:
    """Applies augmentations to a batch, with different random numbers for each image.

    Args:
        augmentations: The augmentations, which are applied in order.
        key: A JAX random key.
        images: [batch, height, width, channels].

    Returns:
        Images of the same shape.

    Raises:
        ValueError: If an augmentation changes the shape of an image.

    Example:
        >>> images = jnp.ones((2, 28, 28, 1))
        >>> augment([Shift(2), Cutout(8)], jax.random.key(0), images).shape
        (2, 28, 28, 1)
    """
    augmentations = augmentations_field().check("augment", "augmentations", augmentations)
    for number, change in enumerate(augmentations):
        keys = jax.random.split(jax.random.fold_in(key, number), images.shape[0])
        changed = jax.vmap(change)(keys, images)
        if jnp.shape(changed) != images.shape:
            raise ValueError(
                f"augment: {change!r} must return an image of the same shape, "
                f"{images.shape[1:]}, got {jnp.shape(changed)[1:]}"
            )
        images = changed
    return images


def check_augmentations(owner: str, value: Any) -> tuple[Augmentation, ...]:
    """Checks augmentations and returns them as a tuple.

    Args:
        owner: Name of the caller, for the error message.
        value: A list or tuple of functions of a key and an image.

    Raises:
        TypeError: If it is anything else, such as a name, or the class `Flip`.
    """
    allowed = (
        f"{owner}: augmentations must be a list of functions (key, image) -> image, such as "
        "[augmentation.Flip()]"
    )
    if not isinstance(value, list | tuple):
        raise TypeError(f"{allowed}, got {value!r} ({type(value).__name__})")
    for change in value:
        if isinstance(change, type):
            raise TypeError(f"{allowed}, got the class {change.__name__}; pass an instance")
        if not callable(change):
            raise TypeError(f"{allowed}, got the element {change!r} ({type(change).__name__})")
    return tuple(value)


@dataclass(frozen=True)
class Shift:
    """Shifts an image by up to `pixels` vertically and horizontally, filling with 0.

    Args:
        pixels: Largest shift, a positive integer.

    Raises:
        ValueError: If `pixels` is not a positive integer.

    Example:
        >>> Shift(2)(jax.random.key(0), jnp.ones((4, 4, 1))).shape
        (4, 4, 1)
    """

    pixels: fields.PositiveInteger = fields.PositiveInteger()

    def __call__(self, key: Array, image: Array) -> Array:
        border = (self.pixels, self.pixels)
        padded = jnp.pad(image, (border, border, (0, 0)))
        top, left = jax.random.randint(key, (2,), 0, 2 * self.pixels + 1)
        return lax.dynamic_slice(padded, (top, left, 0), image.shape)


@dataclass(frozen=True)
class Flip:
    """Flips an image horizontally with probability 1/2.

    Example:
        >>> Flip()(jax.random.key(0), jnp.ones((4, 4, 1))).shape
        (4, 4, 1)
    """

    def __call__(self, key: Array, image: Array) -> Array:
        return jnp.where(jax.random.bernoulli(key), image[:, ::-1], image)


@dataclass(frozen=True)
class Cutout:
    """Sets a square with a random center to 0.

    The square may extend beyond the border of the image.

    Args:
        size: Side length of the square in pixels, a positive integer.

    Raises:
        ValueError: If `size` is not a positive integer.

    Reference:
        DeVries and Taylor, 2017, https://arxiv.org/abs/1708.04552

    Example:
        >>> Cutout(2)(jax.random.key(0), jnp.ones((4, 4, 1))).shape
        (4, 4, 1)
    """

    size: fields.PositiveInteger = fields.PositiveInteger()

    def __call__(self, key: Array, image: Array) -> Array:
        inside = [
            self._covers(axis_key, extent)
            for axis_key, extent in zip(jax.random.split(key), image.shape[:2], strict=True)
        ]
        square = inside[0][:, None, None] & inside[1][None, :, None]
        return jnp.where(square, jnp.zeros_like(image), image)

    def _covers(self, key: Array, extent: int) -> Array:
        """Returns whether each position along an axis is inside the square, [extent]."""
        start = jax.random.randint(key, (), 0, extent) - self.size // 2
        positions = jnp.arange(extent)
        return (positions >= start) & (positions < start + self.size)
