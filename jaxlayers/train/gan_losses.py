"""Losses of a GAN: pure functions of the logits of real and of generated images.

The logits are the outputs of the discriminator, [batch, 1]; every loss is a scalar. `BY_NAME`
contains the pairs of functions, one for the discriminator and one for the generator, by name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.losses import binary_cross_entropy


@dataclass(frozen=True)
class AdversarialLoss:
    """The losses of the discriminator and of the generator.

    Args:
        discriminator: A function of the logits of real and of generated images, both [batch, 1],
            that returns a scalar. If it has an argument `label_smoothing`, `GAN` accepts one too.
        generator: A function of the logits of generated images, or, if `relativistic` is true, of
            the logits of real and of generated images, that returns a scalar.
        relativistic: Whether the loss of the generator depends on the logits of real images.
        includes_sigmoid: Whether the functions apply the sigmoid to the logits, so that the
            discriminator may end in a sigmoid, which is removed for the loss.
        threshold: The logit above which an image is classified as real, for the accuracies that
            `GAN.step` returns. `None` if only differences of logits have a meaning: a real image is
            then classified correctly if its logit is above the mean logit of generated images, and
            a generated image if its logit is not above the mean logit of real images.

    Raises:
        ValueError: If an argument has another type, or a function takes other arguments.

    Example:
        >>> AdversarialLoss(wasserstein_discriminator, wasserstein_generator) == wasserstein
        True
    """

    discriminator: Callable[..., Array]
    generator: Callable[..., Array]
    relativistic: fields.Boolean = fields.Boolean(default=False)
    includes_sigmoid: fields.Boolean = fields.Boolean(default=False)
    threshold: fields.Optional[float, float] = fields.Optional(fields.Number())

    def __post_init__(self) -> None:
        both = fields.Function("real", "fake")
        both.check("AdversarialLoss", "discriminator", self.discriminator)
        generator = both if self.relativistic else fields.Function("fake")
        generator.check("AdversarialLoss", "generator", self.generator)


def non_saturating_discriminator(
    real: Array, fake: Array, *, label_smoothing: float = 0.0
) -> Array:
    """Returns the cross-entropy `1/2 mean(-log(s(real))) + 1/2 mean(-log(1 - s(fake)))`.

    `s` is the sigmoid. With label smoothing, the target of real images is `1 - label_smoothing`
    instead of 1; the target of generated images remains 0.

    Args:
        real: Logits of real images, [batch, 1].
        fake: Logits of generated images, [batch, 1].
        label_smoothing: One-sided label smoothing, in [0, 1).

    Returns:
        A scalar.

    Reference:
        Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661; label smoothing: Salimans et al.,
        2016, https://arxiv.org/abs/1606.03498

    Example:
        >>> float(non_saturating_discriminator(jnp.zeros((4, 1)), jnp.zeros((4, 1))))
        0.6931471824645996
    """
    labels = jnp.concatenate([jnp.full(real.shape, 1 - label_smoothing), jnp.zeros(fake.shape)])
    return binary_cross_entropy(jnp.concatenate([real, fake]), labels)


def non_saturating_generator(fake: Array) -> Array:
    """Returns the cross-entropy `mean(-log(s(fake)))`, where `s` is the sigmoid.

    Its gradient does not vanish if the discriminator is confident, unlike that of
    `mean(log(1 - s(fake)))`.

    Args:
        fake: Logits of generated images, [batch, 1].

    Returns:
        A scalar.

    Reference:
        Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661
    """
    return binary_cross_entropy(fake, 1.0)


def least_squares_discriminator(real: Array, fake: Array, *, label_smoothing: float = 0.0) -> Array:
    """Returns `1/2 mean((real - 1)**2) + 1/2 mean(fake**2)`.

    With label smoothing, the target of real images is `1 - label_smoothing` instead of 1.

    Args:
        real: Outputs for real images, [batch, 1].
        fake: Outputs for generated images, [batch, 1].
        label_smoothing: One-sided label smoothing, in [0, 1).

    Returns:
        A scalar.

    Reference:
        Mao et al., 2017, equation 9, https://arxiv.org/abs/1611.04076

    Example:
        >>> float(least_squares_discriminator(jnp.ones((4, 1)), jnp.ones((4, 1))))
        0.5
    """
    target = 1 - label_smoothing
    return (jnp.mean(jnp.square(real - target)) + jnp.mean(jnp.square(fake))) / 2


def least_squares_generator(fake: Array) -> Array:
    """Returns `1/2 mean((fake - 1)**2)`.

    Args:
        fake: Outputs for generated images, [batch, 1].

    Returns:
        A scalar.

    Reference:
        Mao et al., 2017, equation 9, https://arxiv.org/abs/1611.04076
    """
    return jnp.mean(jnp.square(fake - 1)) / 2


def hinge_discriminator(real: Array, fake: Array) -> Array:
    """Returns `mean(max(1 - real, 0)) + mean(max(1 + fake, 0))`.

    The loss of the generator is that of the Wasserstein GAN.

    Args:
        real: Outputs for real images, [batch, 1].
        fake: Outputs for generated images, [batch, 1].

    Returns:
        A scalar.

    Reference:
        Lim and Ye, 2017, https://arxiv.org/abs/1705.02894; Miyato et al., 2018,
        https://arxiv.org/abs/1802.05957

    Example:
        >>> float(hinge_discriminator(jnp.full((4, 1), 0.5), jnp.full((4, 1), -3.0)))
        0.5
    """
    return jnp.mean(jax.nn.relu(1 - real)) + jnp.mean(jax.nn.relu(1 + fake))


def wasserstein_discriminator(real: Array, fake: Array) -> Array:
    """Returns `mean(fake) - mean(real)`.

    It approximates the Wasserstein distance only if the discriminator is Lipschitz continuous; use
    it with `gan_regularizers.GradientPenalty`, or with `layers.SpectralNormalization`.

    Args:
        real: Outputs for real images, [batch, 1].
        fake: Outputs for generated images, [batch, 1].

    Returns:
        A scalar.

    Reference:
        Arjovsky et al., 2017, https://arxiv.org/abs/1701.07875

    Example:
        >>> float(wasserstein_discriminator(jnp.full((4, 1), 3.0), jnp.ones((4, 1))))
        -2.0
    """
    return jnp.mean(fake) - jnp.mean(real)


def wasserstein_generator(fake: Array) -> Array:
    """Returns `-mean(fake)`.

    Args:
        fake: Outputs for generated images, [batch, 1].

    Returns:
        A scalar.

    Reference:
        Arjovsky et al., 2017, https://arxiv.org/abs/1701.07875
    """
    return -jnp.mean(fake)


def relativistic_average_discriminator(real: Array, fake: Array) -> Array:
    """Returns `mean(-log(s(real - mean(fake)))) + mean(-log(1 - s(fake - mean(real))))`.

    `s` is the sigmoid. The means inside are over the batch.

    Args:
        real: Outputs for real images, [batch, 1].
        fake: Outputs for generated images, [batch, 1].

    Returns:
        A scalar.

    Reference:
        Jolicoeur-Martineau, 2018, https://arxiv.org/abs/1807.00734

    Example:
        >>> float(relativistic_average_discriminator(jnp.zeros((4, 1)), jnp.zeros((4, 1))))
        1.3862943649291992
    """
    real_loss = binary_cross_entropy(real - jnp.mean(fake), 1.0)
    return real_loss + binary_cross_entropy(fake - jnp.mean(real), 0.0)


def relativistic_average_generator(real: Array, fake: Array) -> Array:
    """Returns the loss of the discriminator with real and generated images exchanged.

    Args:
        real: Outputs for real images, [batch, 1].
        fake: Outputs for generated images, [batch, 1].

    Returns:
        A scalar.

    Reference:
        Jolicoeur-Martineau, 2018, https://arxiv.org/abs/1807.00734
    """
    return relativistic_average_discriminator(fake, real)


def relativistic_pairing_discriminator(real: Array, fake: Array) -> Array:
    """Returns `mean(softplus(fake - real))`, over pairs of a real and a generated image.

    Training converges only with a gradient penalty; the paper uses `gan_regularizers.R1` and
    `gan_regularizers.R2` together.

    Args:
        real: Outputs for real images, [batch, 1].
        fake: Outputs for as many generated images, [batch, 1].

    Returns:
        A scalar.

    Raises:
        ValueError: If the numbers of images differ.

    Reference:
        Jolicoeur-Martineau, 2018, https://arxiv.org/abs/1807.00734; Huang et al., 2024,
        https://arxiv.org/abs/2501.05441

    Example:
        >>> float(relativistic_pairing_discriminator(jnp.zeros((4, 1)), jnp.zeros((4, 1))))
        0.6931471824645996
    """
    if jnp.shape(real) != jnp.shape(fake):
        raise ValueError(
            "relativistic_pairing: fake must have the shape of real, "
            f"{jnp.shape(real)}, got {jnp.shape(fake)}"
        )
    return jnp.mean(jax.nn.softplus(fake - real))


def relativistic_pairing_generator(real: Array, fake: Array) -> Array:
    """Returns `mean(softplus(real - fake))`, over pairs of a real and a generated image.

    Args:
        real: Outputs for real images, [batch, 1].
        fake: Outputs for as many generated images, [batch, 1].

    Returns:
        A scalar.

    Raises:
        ValueError: If the numbers of images differ.

    Reference:
        Jolicoeur-Martineau, 2018, https://arxiv.org/abs/1807.00734; Huang et al., 2024,
        https://arxiv.org/abs/2501.05441
    """
    return relativistic_pairing_discriminator(fake, real)


non_saturating = AdversarialLoss(
    non_saturating_discriminator, non_saturating_generator, includes_sigmoid=True, threshold=0.0
)
least_squares = AdversarialLoss(least_squares_discriminator, least_squares_generator, threshold=0.5)
hinge = AdversarialLoss(hinge_discriminator, wasserstein_generator, threshold=0.0)
wasserstein = AdversarialLoss(wasserstein_discriminator, wasserstein_generator)
relativistic_average = AdversarialLoss(
    relativistic_average_discriminator, relativistic_average_generator, relativistic=True
)
relativistic_pairing = AdversarialLoss(
    relativistic_pairing_discriminator, relativistic_pairing_generator, relativistic=True
)

BY_NAME: dict[str, AdversarialLoss] = {
    "hinge": hinge,
    "least_squares": least_squares,
    "non_saturating": non_saturating,
    "relativistic_average": relativistic_average,
    "relativistic_pairing": relativistic_pairing,
    "wasserstein": wasserstein,
}


def get(identifier: str | AdversarialLoss) -> AdversarialLoss:
    """Returns the loss with the given identifier.

    Args:
        identifier: One of the names in `BY_NAME`, or an `AdversarialLoss`.

    Raises:
        ValueError: If the name is unknown.
        TypeError: If it is neither a name nor an `AdversarialLoss`.

    Example:
        >>> float(get("wasserstein").generator(jnp.ones((4, 1))))
        -1.0
    """
    allowed = f"one of {', '.join(map(repr, BY_NAME))}, or an AdversarialLoss"
    if isinstance(identifier, AdversarialLoss):
        return identifier
    if isinstance(identifier, str) and identifier in BY_NAME:
        return BY_NAME[identifier]
    error: Any = ValueError if isinstance(identifier, str) else TypeError
    raise error(f"loss must be {allowed}, got {identifier!r} ({type(identifier).__name__})")
