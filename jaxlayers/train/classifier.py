"""The task of training an image classifier."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from jaxlayers import losses
from jaxlayers.data import Dataset
from jaxlayers.layer import Layer, Shape
from jaxlayers.train import _checks
from jaxlayers.train._one_model import OneModelTask
from jaxlayers.train.augmentation import Augmentation, augment, check_augmentations
from jaxlayers.train.images import (
    as_array,
    as_float,
    as_images,
    check_probabilities,
    values_of,
)
from jaxlayers.train.input_scale import check_input_scale
from jaxlayers.train.optimizers import check_optimizer
from jaxlayers.train.task import Metrics, TrainState

LOSSES: dict[str, Callable[[Array, Array], Array]] = {
    "cross_entropy": losses.cross_entropy,
    "squared_error": losses.squared_error,
}


@dataclass(frozen=True)
class Classifier(OneModelTask):
    """Trains an image classifier.

    If the model ends in a softmax, the loss is computed from its logits. A model that ends in no
    activation, or in an unknown layer or function, is assumed to return logits.

    Args:
        model: A layer from images to [batch, classes], constructed with its input shape.
        optimizer: Any Optax optimizer, including those that require more than the gradient, such as
            `optax.contrib.reduce_on_plateau` and `optax.lbfgs`.
        loss: `"cross_entropy"`, or `"squared_error"`: the sum of `1/2 (target - output)**2` over
            the softmax; or a function of logits and targets, both [batch, classes], that returns
            [batch].
        label_smoothing: Fraction of the target that is distributed over all classes, in [0, 1).
        class_weights: Weights of the loss of an example by its class: a number per class, or a
            dictionary from classes to numbers, in which missing classes have weight 1, as in Keras;
            `None` for weights of 1. The loss is the weighted sum over the batch, divided by the
            batch size, as in Keras.
        augmentations: Random augmentations of training images, such as
            `train.augmentation.Shift(2)`.

    The layers' penalties are added to the loss, and their constraints are applied after every
    update.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the model has no input shape, its output is not one number per class, it ends
            in an activation other than a softmax over the classes, or an argument is out of range.

    Example:
        >>> from jaxlayers.models import cnn
        >>> classifier = Classifier(cnn.lenet(width=2, hidden=8), optax.adam(1e-3))
        >>> train_state = classifier.init(jax.random.key(0))
        >>> batch = jnp.zeros((4, 28, 28, 1)), jnp.array([3, 1, 4, 1])
        >>> train_state, metrics = jax.jit(classifier.step)(train_state, batch)
        >>> sorted(metrics)
        ['accuracy', 'loss', 'top_5_accuracy']
        >>> classifier.predict(train_state, batch[0]).shape
        (4, 10)
    """

    model: Layer
    optimizer: optax.GradientTransformation
    loss: str | Callable[[Array, Array], Array] = "cross_entropy"
    label_smoothing: float = 0.0
    class_weights: Mapping[int, float] | Sequence[float] | None = None
    augmentations: Sequence[Augmentation] = ()

    def __post_init__(self) -> None:
        shape = _checks.input_shape(
            "Classifier",
            "model",
            self.model,
            "an image, such as Sequential([...], input_shape=(28, 28, 1))",
        )
        check_input_scale("Classifier", "model", self.model)
        output = _checks.one_output("Classifier", "model", self.model, shape)
        if len(output) != 1 or output[0] < 2:
            raise ValueError(
                "Classifier: the model must return one number per class for at least two classes, "
                f"shape (classes,); for images of shape {shape} it returns {output}"
            )
        _checks.logits("Classifier", "model", self.model, "softmax", output)
        check_optimizer("Classifier", "optimizer", self.optimizer)
        known = isinstance(self.loss, str) and self.loss in LOSSES
        if isinstance(self.loss, type) or not (known or callable(self.loss)):
            raise ValueError(
                f"Classifier: loss must be one of {', '.join(map(repr, LOSSES))} or a function, "
                f"got {_checks.described(self.loss)}"
            )
        smoothing = _checks.fraction("Classifier", "label_smoothing", self.label_smoothing)
        object.__setattr__(self, "label_smoothing", smoothing)
        object.__setattr__(self, "class_weights", _class_weights(self.class_weights, output[0]))
        augmentations = check_augmentations("Classifier", self.augmentations)
        object.__setattr__(self, "augmentations", augmentations)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image, (height, width, channels)."""
        return tuple(self.model.input_shape or ())

    @property
    def classes(self) -> int:
        """The number of classes."""
        return self.model.output_shape(self.image_shape)[0]

    def step(self, train_state: TrainState, batch: tuple[Any, Any]) -> tuple[TrainState, Metrics]:
        """Takes one training step.

        This is a pure function, to be compiled by `jax.jit` with `train_state` donated.

        Args:
            train_state: The state returned by `init` or the previous step.
            batch: Images, [batch, height, width, channels], with values from 0 to 1 or uint8 from
                0 to 255; and labels, integers [batch] or [batch, 1], or [batch, classes],
                one-hot.

        Returns:
            The new state, and the metrics, which are means over the batch. They are `loss` (without
            penalties), `accuracy`, `top_5_accuracy` if there are more than five classes, and
            `learning_rate` if the state of the optimizer has one (`optax.inject_hyperparams`).

        Raises:
            TypeError: If `batch` is not a pair of arrays.
            ValueError: If images or labels have another shape or range of values. Inside `jit`,
                where values are not known, an invalid label makes the loss NaN.
        """
        return super().step(train_state, batch)

    def predict(self, train_state: TrainState, images: Any, batch_size: int = 256) -> Array:
        """Returns the class probabilities of images, computed in batches.

        Args:
            train_state: The state with the params and moving statistics to use.
            images: Any number of images, as in `step`.
            batch_size: Number of images at a time, a positive integer.

        Returns:
            [N, classes].

        Raises:
            TypeError, ValueError: As in `step`.
        """
        return super().predict(train_state, images, batch_size)

    def rows(self, data: Any) -> tuple[Any, Any]:
        """Checks the images and labels of a data set and returns them.

        Args:
            data: A `Dataset` with labels, or a tuple of images and labels as in `step`.

        Raises:
            TypeError: If the data has any other type.
            ValueError: If there are no labels, some are not classes of the model, or the images
                have another shape or range of values.
        """
        return self._check_data(data, "data")

    @property
    def _input_shape(self) -> Shape:
        return self.image_shape

    @property
    def _training_model(self) -> Layer:
        return _checks.logits("Classifier", "model", self.model, "softmax", (self.classes,))

    def _check_data(self, data: Any, argument: str) -> tuple[Any, Any]:
        if isinstance(data, Dataset):
            if data.labels is None:
                raise ValueError(f"Classifier: {data.name} has no labels; {_LABELS}")
            data = data.images, data.labels
        if not isinstance(data, tuple) or len(data) != 2:
            many = f" of {len(data)}" if isinstance(data, tuple) else ""
            raise TypeError(
                f"Classifier: {argument} must be a Dataset or a tuple (images, labels), "
                f"got {type(data).__name__}{many}; {_LABELS}"
            )
        images = self._check_inputs(data[0])
        return images, _check_labels(data[1], images.shape[0], self.classes)

    def _check_inputs(self, inputs: Any) -> Any:
        return as_images("Classifier", inputs, self.image_shape)

    def _model_inputs(self, inputs: Array) -> Array:
        return as_float(inputs)

    def _loss_targets(self, targets: Array) -> Array:
        """Returns targets as probabilities, [batch, classes]."""
        if targets.ndim == 1:
            return losses.one_hot(targets, self.classes)
        # Not the dtype of the images, because bfloat16 or integers would round smoothed labels.
        return targets.astype(jnp.result_type(float))

    def _augment(self, key: Array, inputs: Array) -> Array:
        return augment(self.augmentations, key, inputs)

    def _loss(self, outputs: Array, targets: Array, training: bool) -> Array:
        loss = LOSSES[self.loss] if isinstance(self.loss, str) else self.loss
        values = loss(outputs, optax.smooth_labels(targets, self.label_smoothing))
        if jnp.shape(values) != outputs.shape[:1]:
            raise ValueError(
                "Classifier: loss must return one number per example, an array of shape "
                f"{outputs.shape[:1]}, got shape {jnp.shape(values)}"
            )
        if training and self.class_weights is not None:
            values = values * (targets @ jnp.array(self.class_weights))
        return values.mean()

    def _metrics(self, outputs: Array, targets: Array) -> Metrics:
        true_logits = jnp.take_along_axis(outputs, targets.argmax(-1)[:, None], axis=-1)
        larger = (outputs > true_logits).sum(-1)
        accuracies = {"accuracy": outputs.argmax(-1) == targets.argmax(-1)}
        if outputs.shape[-1] > 5:
            accuracies["top_5_accuracy"] = larger < 5
        return {name: correct.astype(jnp.float32).mean() for name, correct in accuracies.items()}

    def _predictions(self, outputs: Array) -> Array:
        return jax.nn.softmax(outputs)


_LABELS = "a folder with one sub-folder of images per class has labels"


def _check_labels(labels: Any, count: Any, classes: int) -> Any:
    """Checks labels and returns them as integers [count] or probabilities [count, classes]."""
    names = _strings(labels)
    if names:
        raise TypeError(
            f"Classifier: labels must be integers from 0 to {classes - 1}, or one-hot, got strings "
            f"such as {', '.join(map(repr, names[:5]))}; convert them with "
            "names, labels = np.unique(labels, return_inverse=True)"
        )
    array = as_array("Classifier: labels", labels)
    shape = tuple(array.shape)
    integers = jnp.issubdtype(array.dtype, jnp.integer)
    if integers and shape == (count, 1):
        array, shape = array[:, 0], (count,)
    if shape != (count, classes) and not (integers and shape == (count,)):
        raise ValueError(
            f"Classifier: labels of {count} images must be integers of shape "
            f"({count},), or one-hot, ({count}, {classes}); "
            f"got {array.dtype} of shape {shape}"
        )
    values = values_of(array)
    if values is None:
        return array
    if values.ndim == 1:
        invalid = values[(values < 0) | (values >= classes)]
        if len(invalid):
            raise ValueError(
                f"Classifier: labels must be from 0 to {classes - 1}, because the model has "
                f"{classes} classes, got {invalid[0]}"
            )
        return array
    check_probabilities("Classifier: one-hot labels", values)
    return array


def _strings(labels: Any) -> list[str | bytes]:
    """Returns the unique strings in labels, in order of appearance."""
    if isinstance(labels, jax.Array):
        return []
    if isinstance(labels, list | tuple):
        leaves = jax.tree.leaves(labels)
    else:
        array = np.asarray(labels)
        leaves = array.ravel().tolist() if array.dtype.kind in "USO" else []
    return list(dict.fromkeys(leaf for leaf in leaves if isinstance(leaf, str | bytes)))


def _class_weights(given: Any, classes: int) -> tuple[float, ...] | None:
    """Checks class weights and returns one weight per class."""
    if given is None:
        return None
    weights = given
    if isinstance(given, Mapping):
        unknown = [label for label in given if label not in range(classes)]
        if unknown:
            raise ValueError(
                f"Classifier: class_weights must have keys from 0 to {classes - 1}, "
                f"got {unknown[0]!r}"
            )
        weights = [given.get(label, 1.0) for label in range(classes)]
    allowed = (
        f"Classifier: class_weights must be {classes} finite numbers, none of them negative, or "
        "a dictionary from classes to such numbers"
    )
    if isinstance(weights, str):
        raise TypeError(f"{allowed}, got {_checks.described(given)}")
    try:
        numbers = tuple(map(float, weights))
    except (TypeError, ValueError):
        raise TypeError(f"{allowed}, got {_checks.described(given)}") from None
    if len(numbers) != classes or not all(0 <= weight < np.inf for weight in numbers):
        raise ValueError(f"{allowed}, got {numbers}")
    return numbers
