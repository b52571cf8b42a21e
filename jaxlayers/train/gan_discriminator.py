"""The discriminator of a GAN in training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from jaxlayers.layer import Layer, Params, State
from jaxlayers.ops.random import draw
from jaxlayers.train import _checks, gan_regularizers
from jaxlayers.train.gan_augmentation import ImageAugmentation
from jaxlayers.train.gan_losses import AdversarialLoss
from jaxlayers.train.gan_regularizers import Regularizer
from jaxlayers.train.optimizers import learning_rates, update
from jaxlayers.train.task import Metrics, TrainState

# Folded into keys from which other keys or numbers are derived with small numbers.
_AUGMENTATION = 2**32 - 1


@dataclass(frozen=True)
class DiscriminatorTraining:
    """The update of the discriminator, and the loss of the generator that depends on it.

    Args:
        model: The discriminator.
        logits: The discriminator without a sigmoid that the loss includes.
        optimizer: Its optimizer.
        loss: The loss.
        regularizers: The gradient penalties by name.
        noise: The standard deviation of the instance noise, or a function from the step to it.
        augmentation: The augmentation of all images.
    """

    model: Layer
    logits: Layer
    optimizer: optax.GradientTransformation
    loss: AdversarialLoss
    regularizers: Mapping[str, Regularizer]
    noise: float | Callable[[Array], Array | float]
    augmentation: ImageAugmentation

    def update(
        self,
        train_state: TrainState,
        real: Array,
        fake: Array,
        labels: Array | None,
        key: Array,
        random_key: Array,
    ) -> tuple[TrainState, Metrics]:
        """Updates the discriminator on real and generated images.

        Args:
            train_state: The state of the GAN before the update.
            real: Real images, [batch, height, width, channels].
            fake: Generated images of the same shape.
            labels: Labels of the real images and of the generated images, [batch]; `None` if there
                are no classes.
            key: Random key of the layers.
            random_key: Random key of the augmentations, of the noise and of the penalties.

        Returns:
            The state with the updated discriminator, at the same step, and metrics.
        """
        step, params = train_state.step, train_state.params["discriminator"]
        penalty_key, noise_key = jax.random.split(random_key)
        # fold_in with a number below 2 may return one of these keys.
        augmentation_key = jax.random.fold_in(random_key, 2)

        state_before = train_state.state["discriminator"]

        def loss_of(params: Any) -> Any:
            images = self.augmentation(train_state, augmentation_key, jnp.concatenate([real, fake]))
            inputs = self._with_noise(images, step, noise_key)
            of_real, of_fake, penalty, state = self._logits_of_both(
                params, state_before, inputs, labels, key
            )
            loss = self.loss.discriminator(of_real, of_fake)
            loss = _checks.scalar("GAN", "loss: the function of the discriminator", loss)
            return loss + penalty, (loss, of_real, of_fake, state)

        def augmented_logits(params: Any, images: Array, key: Array) -> Array:
            images = self.augmentation(train_state, jax.random.fold_in(key, _AUGMENTATION), images)
            return self._logits(params, state_before, images, labels, key)[0]

        value_and_gradient = jax.value_and_grad(loss_of, has_aux=True)
        (value, (loss, of_real, of_fake, state)), gradient = value_and_gradient(params)
        penalties = gan_regularizers.penalties(
            self.regularizers, augmented_logits, real, fake, penalty_key
        )
        latest = dict(train_state.opt_state.get("penalties", {}))
        for name, regularizer in self.regularizers.items():
            added, added_gradient, latest[name] = gan_regularizers.value_and_gradient(
                regularizer, penalties[name], params, step, latest[name]
            )
            value += added
            gradient = jax.tree.map(jnp.add, gradient, added_gradient)

        def objective(params: Any) -> Array:
            added = [
                gan_regularizers.scheduled(regularizer, penalties[name], step)(params)
                for name, regularizer in self.regularizers.items()
            ]
            return sum(added, start=loss_of(params)[0])

        params, opt_state = update(
            self.model,
            self.optimizer,
            params,
            train_state.opt_state["discriminator"],
            gradient,
            value,
            objective,
        )
        opt_states = {"discriminator": opt_state} | ({"penalties": latest} if latest else {})
        opt_states |= self.augmentation.update(train_state, of_real, of_fake, self.loss.threshold)
        updated = train_state._replace(
            params=train_state.params | {"discriminator": params},
            state=train_state.state | {"discriminator": state},
            opt_state=train_state.opt_state | opt_states,
        )
        metrics = {"discriminator_loss": loss} | self._accuracies(of_real, of_fake)
        return updated, metrics | latest | learning_rates(opt_state, "discriminator_")

    def generator_loss(
        self,
        train_state: TrainState,
        real: Array,
        fake: Array,
        labels: Array | None,
        key: Array,
        random_key: Array,
    ) -> Array:
        """Returns the loss of the generator, without penalties.

        Args:
            train_state: The state after the update of the discriminator.
            real: Real images, [batch, height, width, channels].
            fake: Generated images of the same shape.
            labels: Labels of the real images and of the generated images, [batch]; `None` if there
                are no classes.
            key: Random key of the layers.
            random_key: Random key of the augmentations and of the noise.
        """
        relativistic = self.loss.relativistic
        images = jnp.concatenate([real, fake]) if relativistic else fake
        images = self.augmentation(
            train_state, jax.random.fold_in(random_key, _AUGMENTATION), images
        )
        images = self._with_noise(images, train_state.step, random_key)
        params, state = (
            values["discriminator"] for values in (train_state.params, train_state.state)
        )
        if relativistic:
            of_real, of_fake, *_ = self._logits_of_both(params, state, images, labels, key)
            loss = self.loss.generator(of_real, of_fake)
        else:
            loss = self.loss.generator(self._logits(params, state, images, labels, key)[0])
        return _checks.scalar("GAN", "loss: the function of the generator", loss)

    def _logits_of_both(
        self, params: Params, state: State, images: Array, labels: Array | None, key: Array
    ) -> tuple[Array, Array, Array, State]:
        """Returns the logits of real images and of generated ones, the penalty, and the state.

        A model with state, such as moving statistics, is applied to two batches. If batch
        normalization had statistics of both kinds of images together, a batch would give away which
        are generated, and the loss of the generator, which depends on generated images only, would
        have other statistics.

        Args:
            params: The params.
            state: The state.
            images: Real images followed by equally many generated ones.
            labels: Labels of both, [batch]; `None` if there are no classes.
            key: Random key of the layers.
        """
        if not jax.tree.leaves(state):
            logits, state = self._logits(params, state, images, labels, key)
            of_real, of_fake = jnp.split(logits, 2)
            return of_real, of_fake, self.model.penalty(params, state), state
        real, fake = jnp.split(images, 2)
        real_key, fake_key = jax.random.split(key)
        of_real, real_state = self._logits(params, state, real, labels, real_key)
        of_fake, state = self._logits(params, real_state, fake, labels, fake_key)
        # Activity penalties, which are in the state, are means over a batch.
        penalty = (self.model.penalty(params, real_state) + self.model.penalty(params, state)) / 2
        return of_real, of_fake, penalty, state

    def _logits(
        self, params: Params, state: State, images: Array, labels: Array | None, key: Array
    ) -> tuple[Array, State]:
        """Returns the logits of images, and the state."""
        return self.logits.apply(
            params, state, _with_labels(images, labels), training=True, key=key
        )

    def _with_noise(self, images: Array, step: Array, key: Array) -> Array:
        """Returns images with instance noise, which is different for each image."""
        noise = self.noise
        if not callable(noise) and not noise:
            return images
        deviation = noise(step) if callable(noise) else noise
        normal = draw(lambda shape: jax.random.normal(key, shape), images.shape, key)
        return images + (deviation * normal).astype(images.dtype)

    def _accuracies(self, real: Array, fake: Array) -> Metrics:
        """Returns the fractions of logits of real and of generated images classified correctly."""
        threshold = self.loss.threshold
        return {
            "real_accuracy": jnp.mean(real > (jnp.mean(fake) if threshold is None else threshold)),
            "fake_accuracy": jnp.mean(fake <= (jnp.mean(real) if threshold is None else threshold)),
        }


def _with_labels(images: Array, labels: Array | None) -> Any:
    """Returns the input of the discriminator.

    The labels are repeated if the images are those of several batches, such as real images followed
    by generated images.
    """
    if labels is None:
        return images
    return images, jnp.tile(labels, images.shape[0] // labels.shape[0])
