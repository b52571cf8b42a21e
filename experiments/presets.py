"""The presets of `experiments.dcgan`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import optax

from jaxlayers import Layer, train
from jaxlayers.models import dcgan, dcgan64, residual_gan, small_dcgan
from jaxlayers.train import augmentation, gan_regularizers

Loss = Literal[
    "non_saturating",
    "least_squares",
    "hinge",
    "wasserstein",
    "relativistic_average",
    "relativistic_pairing",
]
"""Names of the losses, as `train.GAN` has them."""


@dataclass(frozen=True)
class Preset:
    """The models, the options of `train.GAN` and the numbers of a run.

    Args:
        models: A function of the shape of an image, the number of classes (`None` if the models are
            not conditional) and the two widths that returns the generator and the discriminator.
        generator_width: Width of the generator.
        discriminator_width: Width of the discriminator.
        generator_optimizer: A function of the learning rate, or of its schedule, that returns the
            optimizer.
        discriminator_optimizer: Likewise for the discriminator.
        generator_learning_rate: Learning rate of the generator.
        discriminator_learning_rate: Learning rate of the discriminator.
        steps: Number of training steps.
        batch_size: Number of images per step.
        learning_rate_decay: Fraction of the steps in which the learning rates decrease linearly to
            0, at the end of the run; 0 for constant learning rates.
        conditional: Whether the models have labels.
        size: Height and width to resize images to; `None` to keep their size.
        loss: As in `train.GAN`.
        regularizers: Names of gradient penalties.
        regularizer_weight: Weight of each penalty.
        regularizer_every: Number of steps from one computation of a penalty to the next.
        augmentations: Names in `AUGMENTATIONS`.
        augmentation_probability: Probability of each augmentation, or `"adaptive"` for a
            probability that can increase to 1 in 100,000 images.
        discriminator_steps: Number of updates of the discriminator per step.
        ema: Decay of the moving average of the generator's params; 0 for no average.
        ema_warmup: As in `train.GAN`.
    """

    models: Callable[[Sequence[int], int | None, int, int], tuple[Layer, Layer]]
    generator_width: int
    discriminator_width: int
    generator_optimizer: Callable[[optax.ScalarOrSchedule], optax.GradientTransformation]
    discriminator_optimizer: Callable[[optax.ScalarOrSchedule], optax.GradientTransformation]
    generator_learning_rate: float
    discriminator_learning_rate: float
    steps: int
    batch_size: int
    learning_rate_decay: float = 0.0
    conditional: bool = False
    size: tuple[int, int] | None = None
    loss: str = "non_saturating"
    regularizers: tuple[str, ...] = ()
    regularizer_weight: float = 10.0
    regularizer_every: int = 1
    augmentations: tuple[str, ...] = ()
    augmentation_probability: float | str = 1.0
    discriminator_steps: int = 1
    ema: float = 0.0
    ema_warmup: float | None = None

    def task(
        self,
        image_shape: Sequence[int],
        classes: int | None = None,
        *,
        precision: str = "float32",
        accumulate: int = 1,
    ) -> train.GAN:
        """Returns the task.

        Args:
            image_shape: (height, width, channels) of the images.
            classes: Number of classes of a conditional preset.
            precision: `"float32"` or `"bfloat16"`, the dtype of computations.
            accumulate: Number of steps whose gradients are accumulated for one update.
        """
        generator, discriminator = self.models(
            image_shape, classes, self.generator_width, self.discriminator_width
        )
        if precision == "bfloat16":
            generator, discriminator = map(train.InBfloat16, (generator, discriminator))
        return train.GAN(
            generator,
            discriminator,
            self._optimizer(self.generator_optimizer, self.generator_learning_rate, accumulate),
            self._optimizer(
                self.discriminator_optimizer, self.discriminator_learning_rate, accumulate
            ),
            self.ema or None,
            self.loss,
            [
                gan_regularizers.BY_NAME[name](self.regularizer_weight, self.regularizer_every)
                for name in self.regularizers
            ],
            discriminator_steps=self.discriminator_steps,
            classes=classes,
            ema_warmup=self.ema_warmup if self.ema else None,
            augmentations=[AUGMENTATIONS[name](image_shape[0]) for name in self.augmentations],
            **self._probability(),
        )

    def _optimizer(
        self,
        optimizer: Callable[[optax.ScalarOrSchedule], optax.GradientTransformation],
        learning_rate: float,
        accumulate: int,
    ) -> optax.GradientTransformation:
        """Returns an optimizer that accumulates gradients over several steps."""
        schedule: optax.ScalarOrSchedule = learning_rate
        if self.learning_rate_decay:
            updates = self.steps // accumulate
            decreasing = max(1, round(self.learning_rate_decay * updates))
            schedule = optax.linear_schedule(learning_rate, 0.0, decreasing, updates - decreasing)
        if accumulate == 1:
            return optimizer(schedule)
        return optax.MultiSteps(optimizer(schedule), accumulate).gradient_transformation()

    def _probability(self) -> dict[str, Any]:
        """Returns the argument of `train.GAN` for the probability of augmentations, if any."""
        if not self.augmentations:
            return {}
        probability: Any = self.augmentation_probability
        if probability == "adaptive":
            probability = train.AdaptiveProbability(images=100_000)
        return {"augmentation_probability": probability}


AUGMENTATIONS: dict[str, Callable[[int], augmentation.Augmentation]] = {
    "translation": lambda _: augmentation.Translation(),
    "color": lambda _: augmentation.Color(clip=False),
    "cutout": lambda height: augmentation.Cutout(max(1, height // 2)),
    "flip": lambda _: augmentation.Flip(),
}
"""Functions of the height of images that return an augmentation, by name.

Colors and the size of the cutout are those of Zhao et al., 2020, https://arxiv.org/abs/2006.10738.
"""


def _small_dcgan(
    image_shape: Sequence[int],
    classes: int | None,
    generator_width: int,
    discriminator_width: int,
) -> tuple[Layer, Layer]:
    # A label leaves less to do for the mapping network; docs/design.md has the scores of both.
    mapping_layers = 6 if classes is None else 4
    return (
        small_dcgan.generator(
            image_shape, classes, width=generator_width, mapping_layers=mapping_layers
        ),
        small_dcgan.discriminator(image_shape, classes, discriminator_width),
    )


def _dcgan(
    image_shape: Sequence[int], _: int | None, generator_width: int, discriminator_width: int
) -> tuple[Layer, Layer]:
    return (
        dcgan.generator(image_shape, width=generator_width),
        dcgan.discriminator(image_shape, discriminator_width, logits=True),
    )


def _dcgan64(
    image_shape: Sequence[int], _: int | None, generator_width: int, discriminator_width: int
) -> tuple[Layer, Layer]:
    return (
        dcgan64.generator(image_shape, width=generator_width),
        dcgan64.discriminator(image_shape, discriminator_width),
    )


def _residual(
    image_shape: Sequence[int], _: int | None, generator_width: int, discriminator_width: int
) -> tuple[Layer, Layer]:
    return (
        residual_gan.generator(image_shape, width=generator_width),
        residual_gan.discriminator(image_shape, discriminator_width),
    )


def _adam(
    b1: float, b2: float = 0.999
) -> Callable[[optax.ScalarOrSchedule], optax.GradientTransformation]:
    return partial(optax.adam, b1=b1, b2=b2)


# The optimizer, the loss and the average of Huang et al., 2024, https://arxiv.org/abs/2501.05441,
# with penalties that are not computed in every step.
_small = Preset(
    models=_small_dcgan,
    generator_width=64,
    discriminator_width=16,
    generator_optimizer=_adam(b1=0.0, b2=0.99),
    discriminator_optimizer=_adam(b1=0.0, b2=0.99),
    generator_learning_rate=2e-3,
    discriminator_learning_rate=2e-3,
    learning_rate_decay=0.5,
    steps=10000,
    batch_size=32,
    loss="relativistic_pairing",
    regularizers=("r1", "r2"),
    regularizer_weight=0.02,
    regularizer_every=8,
    ema=0.999,
    ema_warmup=0.05,
)
_modern64 = replace(
    _small,
    models=_residual,
    size=(64, 64),
    generator_width=16,
    discriminator_width=16,
    generator_learning_rate=2e-4,
    discriminator_learning_rate=2e-4,
    learning_rate_decay=0.0,
    regularizer_weight=1.0,
    steps=20000,
    batch_size=32,
    augmentations=("translation", "color", "cutout"),
    augmentation_probability="adaptive",
)

PRESETS = {
    "small": _small,
    "conditional": replace(_small, conditional=True, steps=13000),
    # As published for Keras.
    "seed": Preset(
        models=_dcgan,
        generator_width=256,
        discriminator_width=64,
        generator_optimizer=partial(train.rmsprop, decay=3e-8),
        discriminator_optimizer=partial(train.rmsprop, decay=6e-8),
        generator_learning_rate=1e-4,
        discriminator_learning_rate=2e-4,
        steps=10000,
        batch_size=256,
    ),
    # Radford et al., 2016, section 4, https://arxiv.org/abs/1511.06434
    "dcgan64": Preset(
        models=_dcgan64,
        size=(64, 64),
        generator_width=1024,
        discriminator_width=128,
        generator_optimizer=_adam(b1=0.5),
        discriminator_optimizer=_adam(b1=0.5),
        generator_learning_rate=2e-4,
        discriminator_learning_rate=2e-4,
        steps=20000,
        batch_size=128,
    ),
    "modern64": _modern64,
    # A quarter of the pixels, so that twice the width takes the same time.
    "cifar32": replace(
        _modern64,
        size=(32, 32),
        generator_width=32,
        discriminator_width=32,
        regularizer_weight=0.1,
        steps=40000,
        batch_size=64,
    ),
}
"""The presets by name."""
