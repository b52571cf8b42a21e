"""Trained generators of images, conditional or not, read from the folders of runs."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers import Layer, runs
from jaxlayers.layer import Params, State
from jaxlayers.runs.class_names import class_names
from jaxlayers.train.images import to_unit

_BATCH_SIZE = 256


@dataclass(frozen=True, eq=False)
class Generator:
    """A trained generator of images.

    Args:
        model: From latent vectors to images; a conditional one has two inputs, of shape
            ((latent_size,), ()), the second of which is the label.
        params: Params of the model.
        state: State of the model.
        latent_size: Length of a latent vector.
        image_shape: (height, width, channels).
        class_names: Names of the classes of a conditional generator; empty for any other.
    """

    model: Layer
    params: Params
    state: State
    latent_size: int
    image_shape: tuple[int, ...]
    class_names: tuple[str, ...] = ()

    def apply(
        self, params: Params, state: State, latents: Array, labels: Array | None = None
    ) -> Array:
        """Returns images with values from 0 to 1; a pure function.

        Args:
            params: As in the constructor.
            state: As in the constructor.
            latents: [batch, latent_size].
            labels: [batch]; `None` if the generator is not conditional.
        """
        inputs: Any = (latents, labels) if self.class_names else latents
        images, _ = self.model.apply(params, state, inputs)
        return to_unit(self.model, images.astype(jnp.float32))

    def images(self, latents: Array, labels: Array | None = None) -> np.ndarray:
        """Returns images as `apply` does, computed in batches to limit memory use.

        Returns:
            [batch, height, width, channels], float32.
        """
        size = min(len(latents), _BATCH_SIZE)
        batches = [
            self._compiled(
                self.params,
                self.state,
                latents[start : start + size],
                None if labels is None else labels[start : start + size],
            )
            for start in range(0, len(latents), size)
        ]
        return np.concatenate(batches)

    def labels(self, n: int) -> Array | None:
        """Returns labels for `n` images, each class about equally often, in increasing order.

        They are `None` if the generator is not conditional.
        """
        classes = len(self.class_names)
        return jnp.arange(n, dtype=jnp.int32) * classes // n if classes else None

    def label(self, name: str | None) -> int | None:
        """Returns the number of a class that is given by its name or its number, as text.

        It is `None` if the name is `None`.

        Raises:
            ValueError: If there is no such class, or the generator is not conditional.
        """
        names = self.class_names
        if name is None:
            return None
        if not names:
            raise ValueError(
                f"label must be omitted, because the generator is not conditional, got {name}"
            )
        if name in names:
            return names.index(name)
        if name.isdecimal() and int(name) < len(names):
            return int(name)
        raise ValueError(
            f"label must be the name of a class, {', '.join(names)}, or its number from 0 to "
            f"{len(names) - 1}, got {name}"
        )

    @cached_property
    def _compiled(self) -> Any:
        return jax.jit(self.apply)


def load_generator(folder: Path) -> Generator:
    """Reads the generator from the folder of a run.

    Raises:
        FileNotFoundError: If it is not the folder of a finished run.
        ValueError: If its main model is not a generator, or a file is damaged.
    """
    model, params, state = runs.load(folder)
    inputs: Any = model.input_shape
    is_conditional = _are_latent_and_label(inputs)
    latent = inputs[0] if is_conditional else inputs
    image = None if inputs is None else model.output_shape(inputs)
    if not (_is_shape(latent, 1) and _is_shape(image, 3)):
        raise ValueError(
            f"{folder}: must contain a generator, which maps (latent_size,), or ((latent_size,), "
            "()) if it is conditional, to (height, width, channels), got a model that maps "
            f"{inputs} to {image}"
        )
    assert image is not None
    names = class_names(runs.RunFolder(folder), model) if is_conditional else ()
    return Generator(model, params, state, int(latent[0]), tuple(image), names)


def _are_latent_and_label(shape: Any) -> bool:
    """Returns whether the input shape of a model is that of a conditional generator."""
    return isinstance(shape, tuple) and len(shape) == 2 and tuple(shape[1:]) == ((),)


def _is_shape(shape: Any, rank: int) -> bool:
    """Returns whether a shape is that of one array of known size."""
    return (
        isinstance(shape, tuple)
        and len(shape) == rank
        and all(isinstance(extent, int) for extent in shape)
    )
