"""Features of images, which scores of generated images compare."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers import _fields as fields


class Outputs(NamedTuple):
    """The outputs of a network for images."""

    features: np.ndarray  # float32 [N, features]
    logits: np.ndarray | None  # float32 [N, classes], None if the network has no classes


@dataclasses.dataclass(frozen=True, eq=False)
class Features:
    """A named function from images to features, such as those of a trained classifier.

    Images are computed in batches of one size, so that the function is compiled once.

    Args:
        name: What the features are, such as `"classifier"`. The names of scores start with it.
        function: A function of `weights` and images, float32 [batch, height, width, channels] with
            values from 0 to 1. It returns the features, [batch, size], and the logits,
            [batch, classes], or None. It is compiled by `jax.jit`.
        size: Number of features.
        classes: Number of classes; None if there are no logits.
        weights: The first argument of the function, a pytree of arrays.
        image_shape: (height, width, channels) of the images; None for all shapes that the function
            accepts.
        batch_size: Number of images per batch.

    Raises:
        ValueError: If an argument has the wrong type or is out of range.

    Example:
        >>> mean = Features("mean_color", lambda _, images: (images.mean((1, 2)), None), size=3)
        >>> mean(np.full((2, 8, 8, 3), 255, np.uint8)).tolist()
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """

    name: fields.Text = fields.Text()
    function: fields.Function = fields.Function("weights", "images")
    size: fields.PositiveInteger = fields.PositiveInteger()
    classes: fields.Optional[int, int] = fields.Optional(fields.PositiveInteger())
    weights: Any = dataclasses.field(default=None, repr=False)
    image_shape: fields.OptionalIntegers = fields.Optional(fields.IntegerTuple(3))
    batch_size: fields.PositiveInteger = fields.PositiveInteger(default=256)

    def __post_init__(self) -> None:
        fields.set_fields(
            self, weights=jax.device_put(self.weights), _compiled=jax.jit(self._of_batch)
        )

    def __call__(self, images: Any) -> np.ndarray:
        """Returns the features of images, float32 [N, size].

        Args:
            images: Any number of images, [N, height, width, channels], with values from 0 to 1, or
                uint8 from 0 to 255.

        Raises:
            TypeError: If the images are neither uint8 nor floating-point numbers.
            ValueError: If they have another shape, or there are none.
        """
        return self.outputs(images).features

    @property
    def logits(self) -> Callable[[Any], np.ndarray] | None:
        """The function from images to logits, float32 [N, classes]; None without classes."""
        return None if self.classes is None else self._logits

    def outputs(self, images: Any) -> Outputs:
        """Returns the features and the logits of images, computed together.

        Args:
            images: As in `__call__`.

        Raises:
            TypeError, ValueError: As in `__call__`.
        """
        images = self._checked(images)
        parts = [
            self._batch(images[start : start + self.batch_size])
            for start in range(0, len(images), self.batch_size)
        ]
        features = np.concatenate([part.features for part in parts])
        logits = [part.logits for part in parts if part.logits is not None]
        return Outputs(features, np.concatenate(logits) if logits else None)

    def _logits(self, images: Any) -> np.ndarray:
        logits = self.outputs(images).logits
        assert logits is not None  # because there are classes
        return logits

    def _batch(self, images: Any) -> Outputs:
        """Returns the outputs of at most `batch_size` images."""
        count = len(images)
        missing = self.batch_size - count
        if missing:
            images = np.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0)))
        compiled: Callable[..., Any] = self._compiled  # type: ignore[attr-defined]
        features, logits = jax.device_get(compiled(self.weights, images))
        return Outputs(features[:count], None if logits is None else logits[:count])

    def _of_batch(self, weights: Any, images: Array) -> tuple[Array, Array | None]:
        if images.dtype == jnp.uint8:
            images = images / jnp.float32(255)
        features, logits = self.function(weights, images.astype(jnp.float32))
        self._check_output("features", features, (self.batch_size, self.size))
        if self.classes is None:
            return features.astype(jnp.float32), None
        self._check_output("logits", logits, (self.batch_size, self.classes))
        return features.astype(jnp.float32), logits.astype(jnp.float32)

    def _check_output(self, name: str, output: Any, shape: tuple[int, ...]) -> None:
        got = None if output is None else jnp.shape(output)
        if got != shape:
            raise ValueError(
                f"Features: function must return {name} of shape {shape}, got "
                f"{'None' if got is None else f'shape {got}'}"
            )

    def _checked(self, images: Any) -> Any:
        images = images if isinstance(images, jax.Array) else np.asarray(images)
        if images.dtype != np.uint8 and not jnp.issubdtype(images.dtype, jnp.floating):
            raise TypeError(
                f"{self.name} features: images must be uint8 or floating-point numbers, got "
                f"{images.dtype}"
            )
        shape = self.image_shape
        matches = images.ndim == 4 and shape in (None, images.shape[1:])
        if not matches or not len(images):
            expected = "height, width, channels" if shape is None else ", ".join(map(str, shape))
            raise ValueError(
                f"{self.name} features: images must be [N, {expected}] with at least one image, "
                f"got an array of shape {images.shape}"
            )
        return images
