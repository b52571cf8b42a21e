"""Augmentation of the images that the discriminator of a GAN receives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer
from jaxlayers.train.augmentation import Augmentation, augment
from jaxlayers.train.images import from_unit, to_unit
from jaxlayers.train.task import TrainState

_PROBABILITY = fields.Number(at_least=0, at_most=1)


@dataclass(frozen=True)
class AdaptiveProbability:
    """A probability of augmentations that follows the overfitting of the discriminator.

    A discriminator that overfits is confident about real images. The mean of
    `sign(logit - boundary)` over real images, which is 0 if it guesses and 1 if it recognizes all
    of them, is compared with `target`: the probability is increased if the mean is above the
    target, otherwise decreased, and remains from 0 to 1. It is 0 at first.

    The boundary is the `threshold` of the loss (`gan_losses.AdversarialLoss`), which is 0 in the
    paper. Only differences of logits have a meaning in the Wasserstein and relativistic losses;
    their boundary is the midpoint between the mean logits of real and of generated images, which
    does not change if a constant is added to all logits.

    Args:
        target: The target of the mean, from -1 to 1.
        interval: Number of updates of the discriminator between two changes of the probability; the
            mean is over these updates.
        images: Number of real images in which the probability can increase by 1. In each change it
            increases or decreases by `batch size * interval / images`.

    Raises:
        ValueError: If an argument is out of range.

    Reference:
        Karras et al., 2020, section 3, https://arxiv.org/abs/2006.06676

    Example:
        >>> adaptive = AdaptiveProbability(interval=1, images=1000)
        >>> real, fake = jnp.ones((100, 1)), -jnp.ones((100, 1))
        >>> state = adaptive.update(adaptive.init(), real, fake, threshold=0.0)
        >>> round(float(state["probability"]), 6)
        0.1
    """

    target: fields.Number = fields.Number(at_least=-1, at_most=1, default=0.6)
    interval: fields.PositiveInteger = fields.PositiveInteger(default=4)
    images: fields.PositiveInteger = fields.PositiveInteger(default=500_000)

    def init(self) -> dict[str, Array]:
        """Returns the state before the first update.

        Returns:
            `probability`; `signs`, the sum of the mean signs since its last change; and `updates`,
            their number; scalars.
        """
        return {
            "probability": jnp.zeros(()),
            "signs": jnp.zeros(()),
            "updates": jnp.zeros((), jnp.int32),
        }

    def update(
        self, state: dict[str, Array], real: Array, fake: Array, threshold: float | None
    ) -> dict[str, Array]:
        """Returns the state after an update of the discriminator.

        Args:
            state: The state before.
            real: Logits of real images, [batch, 1].
            fake: Logits of generated images, [batch, 1].
            threshold: The logit above which an image is classified as real; `None` if only
                differences of logits have a meaning.
        """
        boundary = (jnp.mean(real) + jnp.mean(fake)) / 2 if threshold is None else threshold
        signs = state["signs"] + jnp.mean(jnp.sign(real - boundary)).astype(state["signs"].dtype)
        updates = state["updates"] + 1
        is_due = updates == self.interval
        increase = jnp.sign(signs - self.target * self.interval)
        change = increase * (real.shape[0] * self.interval / self.images)
        changed = jnp.clip(state["probability"] + change, 0, 1)
        return {
            "probability": jnp.where(is_due, changed, state["probability"]),
            "signs": jnp.where(is_due, jnp.zeros_like(signs), signs),
            "updates": jnp.where(is_due, 0, updates),
        }


Probability = float | Callable[[Array], Array | float] | AdaptiveProbability
"""A constant, a function of the number of previous steps, or an adaptive probability."""


def check_probability(owner: str, value: Any, augmentations: Sequence[Augmentation]) -> Probability:
    """Checks the argument `augmentation_probability` and returns it.

    Args:
        owner: Name of the caller, for the error message.
        value: The argument.
        augmentations: The augmentations that are applied with this probability.

    Raises:
        ValueError: If it is out of range, a function of other arguments, or not 1 without
            augmentations.
        TypeError: If it has any other type.
    """
    name = "augmentation_probability"
    if isinstance(value, AdaptiveProbability):
        probability: Probability = value
    elif callable(value) and not isinstance(value, type):
        probability = fields.Function("step").check(owner, name, value)
    elif isinstance(value, str | type) or value is None:
        raise TypeError(
            f"{owner}: {name} must be a number from 0 to 1, a function of the step, or an "
            f"AdaptiveProbability, got {value!r}"
        )
    else:
        probability = _PROBABILITY.check(owner, name, value)
    if not augmentations and probability != 1:
        raise ValueError(f"{owner}: {name} must be 1 without augmentations, got {value!r}")
    return probability


@dataclass(frozen=True)
class ImageAugmentation:
    """Augments the images of the discriminator, in the range of values of a generator.

    Args:
        generator: The generator; if its images are from -1 to 1, they are scaled to 0 to 1 for the
            augmentations and back.
        augmentations: The augmentations.
        probability: The probability of each augmentation for each image.
    """

    generator: Layer
    augmentations: tuple[Augmentation, ...]
    probability: Probability

    def init(self) -> dict[str, dict[str, Array]]:
        """Returns the part of the optimizer state that the probability needs, by name."""
        if not isinstance(self.probability, AdaptiveProbability):
            return {}
        return {"augmentation": self.probability.init()}

    def __call__(self, train_state: TrainState, key: Array, images: Array) -> Array:
        """Returns augmented images.

        Args:
            train_state: The state of the GAN, which has the step and an adaptive probability.
            key: A JAX random key.
            images: [batch, height, width, channels].
        """
        if not self.augmentations or self.probability == 0:
            return images
        changes = [self._in_range(change) for change in self.augmentations]
        return augment(changes, key, images, self._probability(train_state))

    def update(
        self, train_state: TrainState, real: Array, fake: Array, threshold: float | None
    ) -> dict[str, dict[str, Array]]:
        """Returns the part of the optimizer state by name, after an update of the discriminator.

        Args:
            train_state: The state before the update.
            real: Logits of real images, [batch, 1].
            fake: Logits of generated images, [batch, 1].
            threshold: As in `AdaptiveProbability.update`.
        """
        if not isinstance(self.probability, AdaptiveProbability):
            return {}
        state = train_state.opt_state["augmentation"]
        return {"augmentation": self.probability.update(state, real, fake, threshold)}

    def metrics(self, train_state: TrainState) -> dict[str, Array]:
        """Returns the current probability by name; nothing if there are no augmentations."""
        if not self.augmentations:
            return {}
        return {"augmentation_probability": jnp.asarray(self._probability(train_state), float)}

    def _probability(self, train_state: TrainState) -> Array | float:
        if isinstance(self.probability, AdaptiveProbability):
            adaptive: Array = train_state.opt_state["augmentation"]["probability"]
            return adaptive
        return (
            self.probability(train_state.step) if callable(self.probability) else self.probability
        )

    def _in_range(self, change: Augmentation) -> Augmentation:
        """Returns an augmentation of images in the range of the generator."""

        def augmentation(key: Array, image: Array) -> Array:
            return from_unit(self.generator, change(key, to_unit(self.generator, image)))

        return augmentation
