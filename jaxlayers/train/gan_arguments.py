"""Checks of the arguments of a GAN."""

import inspect
from typing import Any

from jaxlayers.layer import Layer, Shape
from jaxlayers.train import _checks, gan_losses
from jaxlayers.train.gan_losses import AdversarialLoss


def check_models(generator: Layer, discriminator: Layer) -> None:
    """Checks that the shapes of both models match.

    Args:
        generator: A layer from latent vectors to images, constructed with its input shape.
        discriminator: A layer from images to [batch, 1].

    Raises:
        TypeError: If one of them is not a layer.
        ValueError: If the generator has no input shape or does not return images, or the
            discriminator does not return one number for each of these images.
    """
    latent = _checks.input_shape(
        "GAN",
        "generator",
        generator,
        "a latent vector, such as Sequential([...], input_shape=(100,))",
    )
    images: Shape = tuple(generator.output_shape(latent))
    if len(images) != 3:
        raise ValueError(
            "GAN: the generator must return images, of shape (height, width, channels); for "
            f"latent vectors of shape {latent} it returns {images}"
        )
    _checks.layer("GAN", "discriminator", discriminator)
    try:
        output = tuple(discriminator.output_shape(images))
    except ValueError as error:
        raise ValueError(
            "GAN: the discriminator must accept the images of the generator, of shape "
            f"{images}, but raises: {error}"
        ) from error
    if output != (1,):
        raise ValueError(
            "GAN: the discriminator must return one number per image, shape (1,); for images "
            f"of shape {images} it returns {output}"
        )


def check_loss(loss: Any, discriminator: Layer) -> None:
    """Checks the loss, and that the discriminator ends in an activation that it includes.

    Raises:
        TypeError: If the loss is neither a name nor an `AdversarialLoss`.
        ValueError: If the name is unknown, or the discriminator ends in another activation.
    """
    try:
        includes_sigmoid = gan_losses.get(loss).includes_sigmoid
    except (TypeError, ValueError) as error:
        raise type(error)(f"GAN: {error}") from None
    if includes_sigmoid:
        _checks.logits("GAN", "discriminator", discriminator, "sigmoid", (1,))
        return
    found = _checks.final_activation(discriminator)
    if found is not None and found.name != "linear":
        raise ValueError(
            "GAN: discriminator must end in no activation, because the loss "
            f"{_checks.described(loss)} includes none; it ends in {found.name}"
        )


def label_smoothing(value: Any, loss: str | AdversarialLoss) -> float:
    """Checks the argument `label_smoothing` and returns it.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is out of range, or not 0 for a loss without this argument.
    """
    smoothing = _checks.fraction("GAN", "label_smoothing", value)
    if smoothing and not _has_label_smoothing(gan_losses.get(loss)):
        table = gan_losses.BY_NAME.items()
        accepted = [repr(name) for name, loss in table if _has_label_smoothing(loss)]
        raise ValueError(
            f"GAN: label_smoothing must be 0 for losses other than {' and '.join(accepted)}, "
            "unless the function of the discriminator has this argument; got "
            f"{smoothing} and the loss {_checks.described(loss)}"
        )
    return smoothing


def _has_label_smoothing(loss: AdversarialLoss) -> bool:
    return "label_smoothing" in inspect.signature(loss.discriminator).parameters


def by_model(argument: str, given: Any) -> dict[str, Any]:
    """Checks the argument `params` or `state` of `init` and returns it as a dictionary."""
    if given is None:
        return {}
    names = ("generator", "discriminator")
    allowed = f"GAN: {argument} must be a dictionary with the keys {' and '.join(map(repr, names))}"
    if not isinstance(given, dict):
        raise TypeError(f"{allowed}, got {_checks.described(given)}")
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ValueError(f"{allowed}, got the keys {', '.join(map(repr, given))}")
    return given
