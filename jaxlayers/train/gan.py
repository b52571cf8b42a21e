"""The task of training a generative adversarial network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from jaxlayers import _fields as fields
from jaxlayers.data import Streamed
from jaxlayers.layer import Layer, Params, State
from jaxlayers.runs.latents import uniform
from jaxlayers.train import _checks, gan_losses, gan_regularizers
from jaxlayers.train.augmentation import Augmentation, check_augmentations
from jaxlayers.train.gan_arguments import (
    by_model,
    check_batch,
    check_labels,
    check_labels_of_model,
    check_loss,
    check_models,
    label_smoothing,
)
from jaxlayers.train.gan_augmentation import ImageAugmentation, Probability, check_probability
from jaxlayers.train.gan_average import averaged, check_average
from jaxlayers.train.gan_discriminator import DiscriminatorTraining
from jaxlayers.train.gan_losses import AdversarialLoss
from jaxlayers.train.gan_regularizers import Regularizer
from jaxlayers.train.images import as_float, from_unit, to_unit
from jaxlayers.train.inputs import Streams
from jaxlayers.train.optimizers import check_optimizer, learning_rates, update
from jaxlayers.train.task import Metrics, TrainState

_DEVIATION = fields.Number(at_least=0)


@dataclass(frozen=True)
class GAN:
    """Trains a generator and a discriminator against each other.

    One step updates the discriminator on real and generated images, and then the generator with the
    updated discriminator, whose params are fixed. Both use the same forward pass of the generator.
    By default, both losses are the binary cross-entropy of logits. The labels are flipped for the
    loss of the generator, so that its gradient does not vanish if the discriminator is confident.

    Real images, and the images that `sample` returns, have values from 0 to 1. If the generator
    ends in tanh, real images are scaled to [-1, 1] for the discriminator, and samples back to
    [0, 1]. Any other generator is assumed to return values from 0 to 1.

    Args:
        generator: A layer from latent vectors to images, constructed with its input shape.
        discriminator: A layer from images to [batch, 1]. If it ends in a sigmoid, which only the
            non-saturating loss includes, the losses are computed from its logits. A model that ends
            in no activation, or in an unknown layer or function, is assumed to return logits.
        generator_optimizer: Any Optax optimizer, including those that require more than the
            gradient, such as `optax.contrib.reduce_on_plateau` and `optax.lbfgs`.
        discriminator_optimizer: Likewise for the discriminator.
        ema: Decay per step of an exponential moving average of the generator's params, in [0, 1),
            such as 0.999; `None` for no average. The average is used for sampling and is stored in
            `opt_state["ema"]`.
        loss: `"non_saturating"`, `"least_squares"`, `"hinge"`, `"wasserstein"`,
            `"relativistic_average"` or `"relativistic_pairing"`, the functions in
            `train.gan_losses`; or a `gan_losses.AdversarialLoss` of other functions.
        regularizers: Penalties that are added to the loss of the discriminator: `"r1"`, `"r2"`,
            `"gradient_penalty"`; `R1`, `R2` and `GradientPenalty` of `train.gan_regularizers` with
            a weight and an interval; or functions of the discriminator (a function from images to
            logits), real images, generated images and a key, which return a scalar.
        label_smoothing: One-sided label smoothing, in [0, 1): the target of real images in the loss
            of the discriminator is `1 - label_smoothing`. For the non-saturating and least squares
            losses, and others whose function has this argument.
        instance_noise: Standard deviation of Gaussian noise that is added to all images that the
            losses are computed for, not negative; or a function of the number of previous steps,
            such as `optax.linear_schedule(0.1, 0.0, 10000)`.
        discriminator_steps: Number of updates of the discriminator per step, all on the same real
            images and each on newly generated ones.
        classes: Number of classes of a conditional GAN; `None` for a GAN without labels. The
            generator then has two inputs, latent vectors and labels, and the discriminator images
            and labels, as a `Functional` has. A label is an integer from 0, of shape `()`.
        ema_warmup: Largest half-life of the moving average as a fraction of the steps so far, a
            positive number, such as 0.05; `None` for a constant decay. The decay in a step is the
            smaller of `ema` and `2**(-1 / (ema_warmup * step))`, where `step` is the number of
            previous steps. The average therefore forgets the initial params also in a short run.
        augmentations: Random augmentations of all images that the discriminator receives, real and
            generated, in its own update, in regularizers, and in the update of the generator: such
            as `Translation()`, `Color()`, `Cutout(8)` and `Flip()` of `train.augmentation`, which
            are differentiable.
        augmentation_probability: The probability with which each augmentation is applied to each
            image: a number from 0 to 1; a function of the number of previous steps; or
            `train.AdaptiveProbability()`, whose state is in `opt_state["augmentation"]`.

    In a conditional GAN, generated images have the labels of the real images of the batch. Both
    kinds of images therefore have the same distribution of labels, also in data sets whose classes
    differ in size, and the pairs of relativistic losses and of the gradient penalty have one label.

    A discriminator with state, such as the moving statistics of batch normalization, is applied to
    real and to generated images separately, others to both together.

    Regularizers call the discriminator in training mode, with the state before the update, on
    images without noise; changes of the state in these calls are discarded. The function that they
    call includes the augmentations, so that gradients are with respect to the images before them,
    as in StyleGAN2-ADA. The losses include the layers' penalties, and the layers' constraints are
    applied after every update.

    Raises:
        TypeError: If a model is not a layer, an optimizer is not an Optax optimizer, or another
            argument has the wrong type.
        ValueError: If the shapes of the models do not match, the discriminator ends in an
            activation that the loss does not include, a name is unknown, or an argument is out of
            range.

    Reference:
        Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661; label smoothing: Salimans et al.,
        2016, https://arxiv.org/abs/1606.03498; instance noise: Arjovsky and Bottou, 2017,
        https://arxiv.org/abs/1701.04862; averaged params: Yazici et al., 2018,
        https://arxiv.org/abs/1806.04498; their warm-up: Karras et al., 2020,
        https://arxiv.org/abs/2006.06676, `ema_rampup` in the code; augmentations: Zhao et al.,
        2020, https://arxiv.org/abs/2006.10738, and Karras et al., 2020

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
    loss: str | AdversarialLoss = "non_saturating"
    regularizers: Sequence[str | Regularizer] = ()
    label_smoothing: float = 0.0
    instance_noise: float | Callable[[Array], Array | float] = 0.0
    discriminator_steps: int = 1
    classes: int | None = None
    ema_warmup: float | None = None
    augmentations: Sequence[Augmentation] = ()
    augmentation_probability: Probability = 1.0

    def __post_init__(self) -> None:
        ema, ema_warmup = check_average(self.ema, self.ema_warmup)
        if self.classes is not None:
            object.__setattr__(self, "classes", _checks.count("GAN", "classes", self.classes))
        check_models(self.generator, self.discriminator, self.classes)
        check_loss(self.loss, self.discriminator)
        gan_regularizers.named("GAN", "regularizers", self.regularizers)
        noise = fields.Function("step") if callable(self.instance_noise) else _DEVIATION
        fields.set_fields(
            self,
            ema=ema,
            ema_warmup=ema_warmup,
            regularizers=tuple(self.regularizers),
            augmentations=check_augmentations("GAN", self.augmentations),
            augmentation_probability=check_probability(
                "GAN", self.augmentation_probability, self.augmentations
            ),
            label_smoothing=label_smoothing(self.label_smoothing, self.loss),
            instance_noise=noise.check("GAN", "instance_noise", self.instance_noise),
            discriminator_steps=_checks.count(
                "GAN", "discriminator_steps", self.discriminator_steps
            ),
        )
        check_optimizer("GAN", "generator_optimizer", self.generator_optimizer)
        check_optimizer("GAN", "discriminator_optimizer", self.discriminator_optimizer)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Shape of one latent vector."""
        shape: Any = self.generator.input_shape
        return tuple(shape if self.classes is None else shape[0])

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image, (height, width, channels)."""
        return tuple(self.generator.output_shape(self.generator.input_shape or ()))

    def init(
        self,
        key: Array,
        *,
        params: dict[str, Params] | None = None,
        state: dict[str, State] | None = None,
    ) -> TrainState:
        """Returns the state before the first step.

        Args:
            key: A JAX random key, used to initialize the params and as the key of the run.
            params: Params to start from, such as those returned by `keras.load`: a dictionary with
                one or both of the keys `"generator"` and `"discriminator"`. A missing model is
                initialized.
            state: State to start from, a dictionary with the same keys.

        Raises:
            TypeError: If `key` is not a random key, or `params` or `state` is not a dictionary.
            ValueError: If a key is not the name of a model, or the arrays are not those of the
                model.
        """
        _checks.key("GAN", key)
        generator_key, discriminator_key, run_key = jax.random.split(key, 3)
        given = by_model("params", params), by_model("state", state)
        models: tuple[tuple[str, Layer, Array, Any], ...] = (
            ("generator", self.generator, generator_key, self.latent_shape),
            ("discriminator", self.discriminator, discriminator_key, self.image_shape),
        )
        initialized = {
            name: _checks.optional_pair(
                "GAN",
                model,
                model_key,
                shape if self.classes is None else (shape, ()),
                given[0].get(name),
                given[1].get(name),
                names=(f"params[{name!r}]", f"state[{name!r}]"),
            )
            for name, model, model_key, shape in models
        }
        if self.classes is not None:
            for name, model, _, shape in models:
                check_labels_of_model(name, model, *initialized[name], shape, self.classes)
        generator, discriminator = initialized["generator"], initialized["discriminator"]
        return TrainState(
            params={"generator": generator[0], "discriminator": discriminator[0]},
            state={"generator": generator[1], "discriminator": discriminator[1]},
            opt_state={
                "generator": self.generator_optimizer.init(generator[0]),
                "discriminator": self.discriminator_optimizer.init(discriminator[0]),
            }
            | ({} if self.ema is None else {"ema": jax.tree.map(jnp.copy, generator[0])})
            | (
                {"penalties": {name: jnp.zeros(()) for name in self._regularizers}}
                if self.regularizers
                else {}
            )
            | self._augmentation.init(),
            step=jnp.zeros((), jnp.int32),
            key=run_key,
        )

    def step(self, train_state: TrainState, batch: Any) -> tuple[TrainState, Metrics]:
        """Takes one training step.

        This is a pure function, to be compiled by `jax.jit` with `train_state` donated.

        Args:
            train_state: The state returned by `init` or the previous step.
            batch: Real images, [batch, height, width, channels], with values from 0 to 1, or uint8
                from 0 to 255. If there are classes, a tuple of images and their labels, integers
                [batch] or [batch, 1].

        Returns:
            The new state, and the metrics, which are scalars. They are `discriminator_loss` and
            `generator_loss` (without penalties); `real_accuracy` and `fake_accuracy`, the fractions
            of real and of generated images that the discriminator classified correctly before its
            update (see `gan_losses.AdversarialLoss`); the penalty of each regularizer by name, such
            as `r1`, in this step or, if it was not computed, in the last step in which it was;
            `augmentation_probability` if there are augmentations; and `generator_learning_rate` and
            `discriminator_learning_rate` if the state of the optimizer has a learning rate
            (`optax.inject_hyperparams`).

        Raises:
            TypeError: If an argument is not a train state or not an array, or there are classes and
                no labels.
            ValueError: If there are no images, or images or labels have another shape or range of
                values. Inside `jit`, where values are not known, if images are integers other than
                uint8; an invalid label makes the losses NaN.
        """
        _checks.train_state("GAN", train_state)
        batch = check_batch(batch, "batch", self.image_shape, self.classes)
        images, labels = (batch, None) if self.classes is None else batch
        images = from_unit(self.generator, as_float(images))
        step_key = jax.random.fold_in(train_state.key, train_state.step)
        keys = jax.random.split(step_key, 4)
        latent_key, generator_key, discriminator_key, adversarial_key = keys
        # fold_in with a number below 4 may return one of these keys.
        random_key, adversarial_random_key, updates_key = (
            jax.random.fold_in(step_key, number) for number in (4, 5, 6)
        )
        discriminator = self._discriminator_training
        if self.discriminator_steps > 1:
            train_state = self._first_updates(train_state, images, labels, updates_key)
        params, state = train_state.params, train_state.state
        inputs = self._generator_inputs(latent_key, images.shape[0], labels)

        def generate(generator_params: Any) -> Any:
            return self.generator.apply(
                generator_params, state["generator"], inputs, training=True, key=generator_key
            )

        (fakes, generator_state), generator_vjp = jax.vjp(generate, params["generator"])

        updated, metrics = discriminator.update(
            train_state, images, fakes, labels, discriminator_key, random_key
        )

        def generator_loss(generator_params: Any, fakes: Array, generator_state: Any) -> Any:
            loss = discriminator.generator_loss(
                updated, images, fakes, labels, adversarial_key, adversarial_random_key
            )
            return loss + self.generator.penalty(generator_params, generator_state), loss

        # allow_int: the state of a layer may contain counters, which have no gradient.
        gradient = jax.value_and_grad(generator_loss, (0, 1, 2), has_aux=True, allow_int=True)
        (value, loss), (params_gradient, *output_gradients) = gradient(
            params["generator"], fakes, generator_state
        )
        (fakes_gradient,) = generator_vjp(tuple(output_gradients))
        generator_params, generator_opt_state = update(
            self.generator,
            self.generator_optimizer,
            params["generator"],
            train_state.opt_state["generator"],
            jax.tree.map(jnp.add, params_gradient, fakes_gradient),
            value,
            lambda params: generator_loss(params, *generate(params))[0],
        )
        opt_states = {"generator": generator_opt_state}
        if self.ema is not None:
            average = train_state.opt_state["ema"]
            opt_states["ema"] = averaged(
                average, generator_params, train_state.step, self.ema, self.ema_warmup
            )
        new_state = TrainState(
            params=updated.params | {"generator": generator_params},
            state=updated.state | {"generator": generator_state},
            opt_state=updated.opt_state | opt_states,
            step=train_state.step + 1,
            key=train_state.key,
        )
        rates = learning_rates(generator_opt_state, "generator_")
        metrics |= discriminator.augmentation.metrics(updated)
        return new_state, metrics | {"generator_loss": loss} | rates

    def sample(self, train_state: TrainState, key: Array, n: int, labels: Any = None) -> Array:
        """Returns generated images with values from 0 to 1.

        The averaged params are used if there are any.

        Args:
            train_state: The state returned by `init` or `step`.
            key: A JAX random key.
            n: Number of images, a positive integer.
            labels: Their classes, integers [n] or [n, 1]; `None` for equally many images of each
                class, in the order of the classes.

        Returns:
            [n, height, width, channels].

        Raises:
            TypeError: If an argument is not a train state, not a random key, or not an array.
            ValueError: If `n` is not positive, labels have another shape or range of values, or
                there are labels and no classes. Inside `jit`, images of an invalid label are NaN.
        """
        n = _checks.count("GAN.sample", "n", n)
        _checks.key("GAN.sample", key)
        if self.classes is None:
            if labels is not None:
                raise ValueError(
                    "GAN.sample: labels must be None for a GAN without classes, "
                    f"got {_checks.described(labels)}"
                )
        elif labels is None:
            labels = np.arange(n) * self.classes // n
        else:
            labels = check_labels("GAN.sample", labels, n, self.classes)
        generator, params, state = self.models(train_state)["generator"]
        images, _ = generator.apply(params, state, self._generator_inputs(key, n, labels))
        return to_unit(generator, images)

    def models(self, train_state: TrainState) -> dict[str, tuple[Layer, Params, State]]:
        """Returns the layer, params and state of each model by name.

        The averaged params of the generator are returned if there are any. Images of a generator
        that ends in tanh have values from -1 to 1, unlike those of `sample`.

        Args:
            train_state: The state returned by `init` or `step`.

        Returns:
            `{"generator": (layer, params, state), "discriminator": (layer, params, state)}`.
        """
        _checks.train_state("GAN", train_state)
        params = train_state.params | {
            "generator": train_state.opt_state.get("ema", train_state.params["generator"])
        }
        models = {"generator": self.generator, "discriminator": self.discriminator}
        return {
            name: (model, params[name], train_state.state[name]) for name, model in models.items()
        }

    def rows(self, data: Any) -> Any:
        """Checks the images and labels of a data set and returns them.

        Args:
            data: A `Dataset`, images as in `step`, or streamed data. If there are classes, a
                `Dataset` with labels, or a tuple of images and labels as in `step`.

        Returns:
            The images; if there are classes, a tuple of the images and the labels.

        Raises:
            TypeError: If the argument is not an array, or there are classes and no labels.
            ValueError: If images or labels have another shape or range of values.
        """
        if isinstance(data, Streams):
            if self.classes is not None and isinstance(data, Streamed):
                raise ValueError(
                    f"GAN: with {self.classes} classes, the data must have labels, which streamed "
                    "images do not have; use data.load"
                )
            # Streamed images are always uint8.
            return data
        return check_batch(data, "data", self.image_shape, self.classes)

    @property
    def _discriminator_training(self) -> DiscriminatorTraining:
        loss, logits = gan_losses.get(self.loss), self.discriminator
        if loss.includes_sigmoid:
            logits = _checks.logits("GAN", "discriminator", self.discriminator, "sigmoid", (1,))
        if self.label_smoothing:
            smoothed = partial(loss.discriminator, label_smoothing=self.label_smoothing)
            loss = replace(loss, discriminator=smoothed)
        return DiscriminatorTraining(
            self.discriminator,
            logits,
            self.discriminator_optimizer,
            loss,
            self._regularizers,
            self.instance_noise,
            self._augmentation,
        )

    @property
    def _augmentation(self) -> ImageAugmentation:
        return ImageAugmentation(
            self.generator, tuple(self.augmentations), self.augmentation_probability
        )

    @property
    def _regularizers(self) -> dict[str, Regularizer]:
        return gan_regularizers.named("GAN", "regularizers", self.regularizers)

    def _first_updates(
        self, train_state: TrainState, images: Array, labels: Array | None, key: Array
    ) -> TrainState:
        """Updates the discriminator `discriminator_steps - 1` times."""
        discriminator = self._discriminator_training

        def update_once(train_state: TrainState, number: Array) -> tuple[TrainState, None]:
            keys = jax.random.split(jax.random.fold_in(key, number), 4)
            latent_key, generator_key, discriminator_key, random_key = keys
            fakes, _ = self.generator.apply(
                train_state.params["generator"],
                train_state.state["generator"],
                self._generator_inputs(latent_key, images.shape[0], labels),
                training=True,
                key=generator_key,
            )
            updated, _ = discriminator.update(
                train_state, images, fakes, labels, discriminator_key, random_key
            )
            return updated, None

        return lax.scan(update_once, train_state, jnp.arange(self.discriminator_steps - 1))[0]

    def _generator_inputs(self, key: Array, n: int, labels: Any) -> Any:
        """Returns random latent vectors; if there are classes, a tuple of these and the labels."""
        latents = uniform(key, n, self.latent_shape)
        if self.classes is None:
            return latents
        labels = jnp.asarray(labels, jnp.int32)
        # An Embedding would accept negative labels, which count from the end.
        valid = (labels >= 0) & (labels < self.classes)
        valid = valid.reshape(n, *(1 for _ in self.latent_shape))
        return jnp.where(valid, latents, jnp.nan), labels
