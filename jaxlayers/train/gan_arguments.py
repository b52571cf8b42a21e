"""Checks of the arguments of a GAN."""

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlayers._structure import are_several_shapes
from jaxlayers.data import Dataset
from jaxlayers.data.arrays import as_labels
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.train import _checks, gan_losses
from jaxlayers.train.gan_losses import AdversarialLoss
from jaxlayers.train.images import as_images, values_of
from jaxlayers.train.input_scale import check_input_scale


def check_models(generator: Layer, discriminator: Layer, classes: int | None) -> None:
    """Checks that the shapes of both models match.

    Args:
        generator: A layer from latent vectors to images, constructed with its input shape; if there
            are classes, from latent vectors and labels.
        discriminator: A layer from images to [batch, 1]; if there are classes, from images and
            labels.
        classes: The number of classes; `None` if the models have no labels.

    Raises:
        TypeError: If one of them is not a layer.
        ValueError: If the generator has no input shape or does not return images, the discriminator
            does not return one number for each of these images, or a model has an input for labels
            and there are no classes, or the reverse.
    """
    inputs = _input_shape_of_generator(generator, classes)
    images: Shape = tuple(generator.output_shape(inputs))
    if len(images) != 3:
        raise ValueError(
            "GAN: the generator must return images, of shape (height, width, channels); for "
            f"latent vectors of shape {inputs} it returns {images}"
        )
    _checks.layer("GAN", "discriminator", discriminator)
    check_input_scale("GAN", "discriminator", discriminator)
    if classes is None:
        _check_no_labels("discriminator", discriminator)
    elif (shapes := _checks.input_shapes(discriminator)) and not are_several_shapes(shapes):
        raise ValueError(
            f"GAN: with {classes} classes, the discriminator must have two inputs, images and "
            f"labels, of shapes ({images}, ()), got a model with the input_shape "
            f"{shapes}"
        )
    described = f"{images}" if classes is None else f"{images}, and labels of shape ()"
    discriminator_inputs: Any = images if classes is None else (images, ())
    try:
        output = tuple(discriminator.output_shape(discriminator_inputs))
    except (ValueError, TypeError) as error:
        raise ValueError(
            "GAN: the discriminator must accept the images of the generator, of shape "
            f"{described}, but raises: {error}"
        ) from error
    if output != (1,):
        raise ValueError(
            "GAN: the discriminator must return one number per image, shape (1,); for images "
            f"of shape {described} it returns {output}"
        )


def _input_shape_of_generator(generator: Layer, classes: int | None) -> Any:
    """Checks the inputs of the generator and returns their shapes."""
    example = "a latent vector, such as Sequential([...], input_shape=(100,))"
    _checks.layer("GAN", "generator", generator)
    if classes is None:
        _check_no_labels("generator", generator)
        return _checks.input_shape("GAN", "generator", generator, example)
    shapes = _checks.input_shapes(generator)
    if (
        not isinstance(shapes, tuple)
        or not are_several_shapes(shapes)
        or len(shapes) != 2
        or None in shapes[0]
        or shapes[1] != ()
    ):
        raise ValueError(
            f"GAN: with {classes} classes, the generator must have two inputs, a latent vector and "
            'a label of shape (), such as Functional((Input((100,)), Input((), dtype="int32")), '
            f"...), got a model with the input_shape {shapes}"
        )
    return shapes


def _check_no_labels(name: str, model: Layer) -> None:
    shapes = _checks.input_shapes(model)
    if are_several_shapes(shapes):
        raise ValueError(
            f"GAN: classes must be the number of classes, because the {name} has several inputs, "
            f"of shapes {shapes}, got None"
        )


def check_labels_of_model(
    name: str, model: Layer, params: Params, state: State, shape: Shape, classes: int
) -> None:
    """Checks that a model accepts the largest label, for which a small `Embedding` returns NaN.

    Args:
        name: Name of the model.
        model: A layer from arrays of the given shape and labels to arrays.
        params: Its params; inside `jit`, where their values are not known, nothing is checked.
        state: Its state.
        shape: Shape of one example of its first input.
        classes: The number of classes.

    Raises:
        ValueError: If the output is finite for the label 0 but not for the largest one.
    """
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((params, state))):
        return
    inputs: Any = jnp.zeros((2, *shape)), jnp.array([0, classes - 1])
    # Compiling the model takes half the time of compiling its operations one by one.
    outputs = jax.jit(lambda *arguments: model.apply(*arguments)[0])(params, state, inputs)
    values = values_of(outputs)
    if values is None:
        return
    first, last = (bool(np.isfinite(value).all()) for value in values.astype(np.float32))
    if first and not last:
        raise ValueError(
            f"GAN: the {name} must accept labels from 0 to {classes - 1}, but its output for the "
            f"label {classes - 1} is not finite; an Embedding of labels needs input_dim={classes}"
        )


def check_batch(data: Any, argument: str, image_shape: Shape, classes: int | None) -> Any:
    """Checks images, or images and labels, and returns them as arrays.

    Args:
        data: A `Dataset`; images; or, if there are classes, a tuple of images and labels.
        argument: Name of the argument, for the error message.
        image_shape: Shape of one image.
        classes: The number of classes; `None` for images without labels.

    Returns:
        The images, or a tuple of the images and the labels, int32 [batch].

    Raises:
        TypeError: If the data has any other type.
        ValueError: If there are no labels, or images or labels have another shape or range of
            values. Inside `jit`, values are not checked.
    """
    if isinstance(data, Dataset):
        if classes is not None and data.labels is None:
            raise ValueError(
                f"GAN: with {classes} classes, the data must have labels, but {data.name} has none"
            )
        data = data.images if classes is None else (data.images, data.labels)
    if classes is None:
        return as_images("GAN", data, image_shape)
    if not isinstance(data, tuple) or len(data) != 2:
        many = f" of {len(data)}" if isinstance(data, tuple) else ""
        raise TypeError(
            f"GAN: with {classes} classes, {argument} must be a Dataset with labels or a tuple "
            f"(images, labels), got {type(data).__name__}{many}"
        )
    images = as_images("GAN", data[0], image_shape)
    return images, check_labels("GAN", data[1], images.shape[0], classes)


def check_labels(owner: str, labels: Any, count: Any, classes: int) -> Any:
    """Checks labels and returns them as int32 [count].

    Args:
        owner: Name of the caller, for the error message.
        labels: Integers [count] or [count, 1].
        count: The number of labels that are required.
        classes: The number of classes.

    Raises:
        TypeError: If it is not an array.
        ValueError: If the shape or dtype is any other, or a label is not from 0 to `classes - 1`.
            Inside `jit`, values are not checked.
    """
    if not isinstance(labels, jax.Array) or values_of(labels) is not None:
        labels = as_labels(labels, owner, classes)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,) or not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(
            f"{owner}: labels of {count} images must be integers of shape ({count},), "
            f"got {labels.dtype} of shape {tuple(labels.shape)}"
        )
    return labels.astype(np.int32, copy=False)


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
