"""Training of a generative adversarial network."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from jaxlayers.layer import Layer
from jaxlayers.losses import binary_cross_entropy
from jaxlayers.train.images import as_float
from jaxlayers.train.optimizers import update
from jaxlayers.train.task import Metrics, TrainState


@dataclass(frozen=True)
class GAN:
    """A generator that learns to make images which a discriminator takes for real ones.

    One step updates the discriminator on real and generated images, then the generator against
    the updated discriminator, whose params do not move. One pass of the generator serves both.
    Both losses are the binary cross-entropy of logits; for the generator's the labels are turned
    around, so that it has a gradient where the discriminator is sure.

    Args:
        generator: a layer from latent vectors to images, constructed with its input shape.
        discriminator: a layer from images to [batch, 1]. If it ends in a sigmoid, training goes
            by the logits before that.
        generator_optimizer: any Optax optimizer.
        discriminator_optimizer: any Optax optimizer.
        ema: keeps an exponential moving average of the generator's params, with this decay a
            step, and samples with it; from 0 to below 1, such as 0.999. None where `None`. It
            lies in `opt_state["ema"]`.

    The penalties of the layers are part of the losses, and their constraints hold after every
    update.

    Raises:
        ValueError: models whose shapes do not fit each other, or an `ema` out of its range.

    Reference:
        Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661

    Example:
        >>> from jaxlayers.models import dcgan
        >>> gan = GAN(dcgan.generator(width=8), dcgan.discriminator(width=2),
        ...           optax.adam(2e-4, b1=0.5), optax.adam(2e-4, b1=0.5))
        >>> train_state = gan.init(jax.random.key(0))
        >>> train_state, metrics = jax.jit(gan.step)(train_state, jnp.zeros((4, 28, 28, 1)))
        >>> gan.sample(train_state, jax.random.key(1), 16).shape
        (16, 28, 28, 1)
    """

    generator: Layer
    discriminator: Layer
    generator_optimizer: optax.GradientTransformation
    discriminator_optimizer: optax.GradientTransformation
    ema: float | None = None

    def __post_init__(self) -> None:
        if self.ema is not None and not 0 <= self.ema < 1:
            raise ValueError(f"GAN: ema must be from 0 to below 1, or None, got {self.ema!r}")
        if getattr(self.generator, "input_shape", None) is None:
            raise ValueError(
                "GAN: the generator must be constructed with input_shape, the shape of a latent "
                "vector, such as Sequential([...], input_shape=(100,))"
            )
        output = tuple(self.discriminator.output_shape(self.image_shape))
        if output != (1,):
            raise ValueError(
                f"GAN: the discriminator must give one number an image, shape (1,); for images "
                f"of shape {self.image_shape} it gives {output}"
            )

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Shape of one latent vector."""
        return tuple(self.generator.input_shape)  # type: ignore[attr-defined]

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image, (height, width, channels)."""
        return tuple(self.generator.output_shape(self.latent_shape))

    def init(self, key: Array) -> TrainState:
        """Returns the state before the first step.

        Args:
            key: a JAX random key; it makes the params and is the key of the run.
        """
        generator_key, discriminator_key, run_key = jax.random.split(key, 3)
        generator = self.generator.init(generator_key, self.latent_shape)
        discriminator = self.discriminator.init(discriminator_key, self.image_shape)
        return TrainState(
            params={"generator": generator[0], "discriminator": discriminator[0]},
            state={"generator": generator[1], "discriminator": discriminator[1]},
            opt_state={
                "generator": self.generator_optimizer.init(generator[0]),
                "discriminator": self.discriminator_optimizer.init(discriminator[0]),
            }
            | ({} if self.ema is None else {"ema": generator[0]}),
            step=jnp.zeros((), jnp.int32),
            key=run_key,
        )

    def step(self, train_state: TrainState, images: Array) -> tuple[TrainState, Metrics]:
        """Takes one training step; pure, and best jitted with the state donated.

        Args:
            train_state: as `init` or the previous step returned it.
            images: [batch, height, width, channels], real images with values from 0 to 1, or
                uint8 from 0 to 255.

        Returns:
            The new state, and the metrics: scalars `discriminator_loss` and `generator_loss`
            (without penalties), and `real_accuracy` and `fake_accuracy`, the part of the real
            and of the generated images that the discriminator told rightly before its update.

        Raises:
            ValueError: images of another shape than the generator's.
        """
        images = as_float("GAN", images, self.image_shape)
        params, state = train_state.params, train_state.state
        keys = jax.random.split(jax.random.fold_in(train_state.key, train_state.step), 4)
        latent_key, generator_key, discriminator_key, adversarial_key = keys
        latents = self._latents(latent_key, len(images))

        def generate(generator_params: Any) -> Any:
            return self.generator.apply(
                generator_params, state["generator"], latents, training=True, key=generator_key
            )

        (fakes, generator_state), pull_back = jax.vjp(generate, params["generator"])

        discriminator_params, discriminator_state, opt_state, metrics = self._discriminate(
            train_state, jnp.concatenate([images, fakes]), discriminator_key
        )

        def generator_loss(generator_params: Any, fakes: Array, generator_state: Any) -> Any:
            logits, _ = self.discriminator.logits().apply(
                discriminator_params, discriminator_state, fakes, training=True, key=adversarial_key
            )
            loss = binary_cross_entropy(logits, 1.0)
            return loss + self.generator.penalty(generator_params, generator_state), loss

        # allow_int: a layer may count in its state, and what counts has no gradient.
        gradient = jax.grad(generator_loss, (0, 1, 2), has_aux=True, allow_int=True)
        (by_params, *by_outputs), loss = gradient(params["generator"], fakes, generator_state)
        (through_fakes,) = pull_back(tuple(by_outputs))
        generator_params, generator_opt_state = update(
            self.generator,
            self.generator_optimizer,
            params["generator"],
            train_state.opt_state["generator"],
            jax.tree.map(jnp.add, by_params, through_fakes),
        )
        opt_states = {"generator": generator_opt_state, "discriminator": opt_state}
        if self.ema is not None:
            average = train_state.opt_state["ema"]
            opt_states["ema"] = optax.incremental_update(generator_params, average, 1 - self.ema)
        new_state = TrainState(
            params={"generator": generator_params, "discriminator": discriminator_params},
            state={"generator": generator_state, "discriminator": discriminator_state},
            opt_state=opt_states,
            step=train_state.step + 1,
            key=train_state.key,
        )
        return new_state, metrics | {"generator_loss": loss}

    def sample(self, train_state: TrainState, key: Array, n: int) -> Array:
        """Returns `n` generated images, [n, height, width, channels], values from 0 to 1.

        They are those of the averaged params where there are such.
        """
        images, _ = self.generator.apply(
            self.to_keep(train_state)["generator"],
            train_state.state["generator"],
            self._latents(key, n),
        )
        return images

    def to_keep(self, train_state: TrainState) -> Any:
        """Returns the params that a trained model is kept with: averaged where there are such."""
        return train_state.params | {
            "generator": train_state.opt_state.get("ema", train_state.params["generator"])
        }

    def _discriminate(self, train_state: TrainState, images: Array, key: Array) -> Any:
        """Updates the discriminator on `images`, of which the first half is real."""
        half = len(images) // 2
        labels = jnp.concatenate([jnp.ones((half, 1)), jnp.zeros((half, 1))])

        def loss_of(params: Any) -> Any:
            logits, state = self.discriminator.logits().apply(
                params, train_state.state["discriminator"], images, training=True, key=key
            )
            loss = binary_cross_entropy(logits, labels)
            return loss + self.discriminator.penalty(params, state), (loss, logits, state)

        params = train_state.params["discriminator"]
        gradient, (loss, logits, state) = jax.grad(loss_of, has_aux=True)(params)
        params, opt_state = update(
            self.discriminator,
            self.discriminator_optimizer,
            params,
            train_state.opt_state["discriminator"],
            gradient,
        )
        metrics = {
            "discriminator_loss": loss,
            "real_accuracy": jnp.mean(logits[:half] > 0),
            "fake_accuracy": jnp.mean(logits[half:] <= 0),
        }
        return params, state, opt_state, metrics

    def _latents(self, key: Array, n: int) -> Array:
        return jax.random.uniform(key, (n, *self.latent_shape), minval=-1.0, maxval=1.0)
