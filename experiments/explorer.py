"""Images of a generator for the page of experiments.explore."""

import html
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from experiments.generators import Generator
from jaxlayers._fields import Integer, Number
from jaxlayers.runs import latents
from jaxlayers.runs.directions import principal_directions

SAMPLES = 12
"""Number of images of a request."""
# The number of latent vectors that the directions are computed for; see docs/design.md.
_VECTORS, _VECTORS_OF_LARGE_IMAGES = 16, 4
_LARGE = 2**12  # values per image
_RANGE = 3  # of a direction, in standard deviations
# The standard deviation of a value of a latent vector, uniform in [-1, 1].
_DEVIATION = 3**-0.5


class Explorer:
    """Generates images of latent vectors that are moved along the principal directions.

    Args:
        generator: The generator.
        directions: Number of directions, from 1 to `latent_size`.

    Raises:
        ValueError: If the images do not have 1 or 3 channels, or `directions` is out of range.
    """

    def __init__(self, generator: Generator, directions: int) -> None:
        if generator.image_shape[-1] not in (1, 3):
            raise ValueError(
                "generator: images must have 1 or 3 channels to be shown, "
                f"got images of shape {generator.image_shape}"
            )
        self.generator = generator
        allowed = Integer(at_least=1, at_most=generator.latent_size)
        self.count = allowed.check("explore", "directions", directions)
        found = _directions(generator)
        self.vectors = found.vectors[: self.count] * _DEVIATION
        self.changes = np.asarray(found.changes[: self.count]) * _DEVIATION
        self._render = jax.jit(self._images)

    def page(self, title: str) -> str:
        """Returns the page, HTML.

        Args:
            title: The heading, plain text.
        """
        data = {
            "shape": self.generator.image_shape,
            "samples": SAMPLES,
            "classes": self.generator.class_names,
            "changes": [float(f"{change:.3g}") for change in self.changes],
            "range": _RANGE,
        }
        text = json.dumps(data, allow_nan=False).replace("<", "\\u003c")
        parts = {"title": html.escape(title), "data": text}
        template = Path(__file__).with_name("explore_page.html").read_text("utf-8")
        # In one pass, so that a title that looks like a placeholder is not replaced.
        return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)

    def images(self, request: Any) -> bytes:
        """Returns images as bytes, [SAMPLES, height, width, channels], uint8.

        Args:
            request: A dictionary with `seed`, the seed of the latent vectors, `truncation`, the
                factor that they are scaled by, `shifts`, the movement along each direction in
                standard deviations, and `label`, if the generator is conditional.

        Raises:
            ValueError: If an entry is missing or out of range.
        """
        fields: Mapping[str, Any] = request if isinstance(request, dict) else {}
        seed = Integer(at_least=0, at_most=2**32 - 1).check("request", "seed", fields.get("seed"))
        fraction = Number(at_least=0, at_most=1)
        truncation = fraction.check("request", "truncation", fields.get("truncation"))
        shifts = fields.get("shifts")
        if not isinstance(shifts, list) or len(shifts) != self.count:
            raise ValueError(f"request: shifts must be a list of {self.count} numbers")
        allowed = Number(at_least=-_RANGE, at_most=_RANGE)
        shifts = [allowed.check("request", "shifts", shift) for shift in shifts]
        labels = None
        if names := self.generator.class_names:
            allowed_labels = Integer(at_least=0, at_most=len(names) - 1)
            label = allowed_labels.check("request", "label", fields.get("label"))
            labels = jnp.full(SAMPLES, label, jnp.int32)
        images = self._render(
            self.generator.params,
            self.generator.state,
            jax.random.key(seed),
            jnp.float32(truncation),
            jnp.asarray(shifts, jnp.float32),
            labels,
        )
        return np.asarray(images).tobytes()

    def _images(
        self,
        params: Any,
        state: Any,
        key: Array,
        truncation: Array,
        shifts: Array,
        labels: Array | None,
    ) -> Array:
        vectors = latents.uniform(key, SAMPLES, self.generator.latent_size)
        vectors = latents.truncate(vectors, truncation) + shifts @ self.vectors
        images = self.generator.apply(params, state, vectors, labels)
        return jnp.round(jnp.clip(images, 0, 1) * 255).astype(jnp.uint8)


def _directions(generator: Generator) -> Any:
    """Returns the principal directions of a generator, those of all classes together."""
    is_large = math.prod(generator.image_shape) > _LARGE
    count = _VECTORS_OF_LARGE_IMAGES if is_large else _VECTORS
    vectors = latents.uniform(jax.random.key(0), count, generator.latent_size)
    others: tuple[Array, ...] = ()
    if generator.class_names:
        others = (jnp.arange(count, dtype=jnp.int32) % len(generator.class_names),)

    def compute(params: Any, state: Any, *inputs: Array) -> Any:
        return principal_directions(lambda *z: generator.apply(params, state, *z), *inputs)

    return jax.jit(compute)(generator.params, generator.state, vectors, *others)
