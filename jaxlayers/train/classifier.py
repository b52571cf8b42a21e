"""Training of a classifier of images."""

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
from jaxlayers.train.optimizers import check_optimizer
from jaxlayers.train.task import Metrics, TrainState

LOSSES: dict[str, Callable[[Array, Array], Array]] = {
    "cross_entropy": losses.cross_entropy,
    "squared_error": losses.squared_error,
}


@dataclass(frozen=True)
class Classifier(OneModelTask):
    """A model that learns to tell the class of an image.

    One step makes the loss of a batch smaller. If the model ends in a softmax, training goes by
    the logits before that; a model that ends in nothing, or in a layer or a function that
    jaxlayers does not know, is taken to give logits.

    Args:
        model: a layer from images to [batch, classes], constructed with its input shape.
        optimizer: any Optax optimizer. Those that need more than the gradient, such as
            `optax.contrib.reduce_on_plateau` and `optax.lbfgs`, get it.
        loss: `"cross_entropy"`, or `"squared_error"`: the sum of `1/2 (target - output)**2` over
            the softmax; or a function of logits and targets, both [batch, classes], that returns
            [batch].
        label_smoothing: this part of the target is shared by all classes; from 0 to below 1.
        class_weights: what the loss of an example counts, by its class: a number for each class,
            or Keras's dictionary from classes to numbers, 1 where it has none; all 1 where
            `None`. The loss is the sum over the batch by its length, as in Keras.
        augmentations: what is done to images at random in training, such as
            `train.augmentation.Shift(2)`.

    The penalties of the layers are part of what is made smaller, and their constraints hold after
    every update.

    Raises:
        TypeError: an argument of another type.
        ValueError: a model without an input shape, that does not end in classes, or that ends in
            an activation other than a softmax over them; or an argument that is not as said
            above.

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
        output = tuple(self.model.output_shape(shape))
        if len(output) != 1 or output[0] < 2:
            raise ValueError(
                "Classifier: the model must give a number for each of at least two classes, "
                f"shape (classes,); for images of shape {shape} it gives {output}"
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
        """How many classes there are."""
        return self.model.output_shape(self.image_shape)[0]

    def step(self, train_state: TrainState, batch: tuple[Any, Any]) -> tuple[TrainState, Metrics]:
        """Takes one training step; pure, and best jitted with the state donated.

        Args:
            train_state: as `init` or the previous step returned it.
            batch: images, [batch, height, width, channels], with values from 0 to 1 or uint8 from
                0 to 255; and labels, integers [batch] or [batch, 1], or [batch, classes],
                one-hot.

        Returns:
            The new state, and the metrics, means over the batch: `loss` (without penalties),
            `accuracy`, and `top_5_accuracy`, the part of the images of whose classes the right one
            is among the five likeliest, where there are more than five. `learning_rate` where the
            optimizer's state holds it (`optax.inject_hyperparams`).

        Raises:
            TypeError: no pair of arrays.
            ValueError: images or labels of another shape; values that are none of the above.
                Inside of `jit`, where there are no values to see, a label that is no class makes
                the loss NaN.
        """
        return super().step(train_state, batch)

    def predict(self, train_state: TrainState, images: Any, batch_size: int = 256) -> Array:
        """Returns the probabilities of each class, [N, classes].

        Args:
            train_state: whose params and moving statistics count.
            images: as for `step`, any number of them.
            batch_size: how many are computed at a time, a positive integer.
        """
        return super().predict(train_state, images, batch_size)

    def rows(self, data: Any) -> tuple[Any, Any]:
        """Returns the images and labels of a data set, having checked them.

        Args:
            data: a `Dataset` with labels, or a tuple of images and labels as `step` takes them.

        Raises:
            TypeError: something else.
            ValueError: no labels, or some that are no class of the model; images of another shape
                or range.
        """
        return self._checked(data, "data")

    @property
    def _input_shape(self) -> Shape:
        return self.image_shape

    @property
    def _trained(self) -> Layer:
        return _checks.logits("Classifier", "model", self.model, "softmax", (self.classes,))

    def _checked(self, data: Any, argument: str) -> tuple[Any, Any]:
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
        images = self._checked_inputs(data[0])
        return images, _checked_labels(data[1], images.shape[0], self.classes)

    def _checked_inputs(self, inputs: Any) -> Any:
        return as_images("Classifier", inputs, self.image_shape)

    def _model_inputs(self, inputs: Array) -> Array:
        return as_float(inputs)

    def _loss_targets(self, targets: Array) -> Array:
        """Returns what should be 1 and what 0, [batch, classes]."""
        if targets.ndim == 1:
            return losses.one_hot(targets, self.classes)
        # Not the dtype of the images: bfloat16 or integers would round what is not 0 or 1.
        return targets.astype(jnp.result_type(float))

    def _augmented(self, key: Array, inputs: Array) -> Array:
        return augment(self.augmentations, key, inputs)

    def _loss(self, outputs: Array, targets: Array, training: bool) -> Array:
        loss = LOSSES[self.loss] if isinstance(self.loss, str) else self.loss
        values = loss(outputs, optax.smooth_labels(targets, self.label_smoothing))
        if jnp.shape(values) != outputs.shape[:1]:
            raise ValueError(
                "Classifier: loss must return a number per example, an array of shape "
                f"{outputs.shape[:1]}, got shape {jnp.shape(values)}"
            )
        if training and self.class_weights is not None:
            values = values * (targets @ jnp.array(self.class_weights))
        return values.mean()

    def _metrics(self, outputs: Array, targets: Array) -> Metrics:
        right = jnp.take_along_axis(outputs, targets.argmax(-1)[:, None], axis=-1)
        likelier = (outputs > right).sum(-1)
        accuracies = {"accuracy": outputs.argmax(-1) == targets.argmax(-1)}
        if outputs.shape[-1] > 5:
            accuracies["top_5_accuracy"] = likelier < 5
        return {name: hits.astype(jnp.float32).mean() for name, hits in accuracies.items()}

    def _predictions(self, outputs: Array) -> Array:
        return jax.nn.softmax(outputs)


_LABELS = "a folder with a sub-folder of images for each class has them"


def _checked_labels(labels: Any, count: Any, classes: int) -> Any:
    """Returns labels as integers [count], or as probabilities [count, classes]."""
    names = _strings(labels)
    if names:
        raise TypeError(
            f"Classifier: labels must be integers from 0 to {classes - 1}, or one-hot, got strings "
            f"such as {', '.join(map(repr, names[:5]))}; number them: "
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
        wrong = values[(values < 0) | (values >= classes)]
        if len(wrong):
            raise ValueError(
                f"Classifier: labels must be from 0 to {classes - 1}, because the model has "
                f"{classes} classes, got {wrong[0]}"
            )
        return array
    check_probabilities("Classifier: one-hot labels", values)
    return array


def _strings(labels: Any) -> list[str | bytes]:
    """Returns the different strings among labels, in their order."""
    if isinstance(labels, jax.Array):
        return []
    if isinstance(labels, list | tuple):
        leaves = jax.tree.leaves(labels)
    else:
        array = np.asarray(labels)
        leaves = array.ravel().tolist() if array.dtype.kind in "USO" else []
    return list(dict.fromkeys(leaf for leaf in leaves if isinstance(leaf, str | bytes)))


def _class_weights(given: Any, classes: int) -> tuple[float, ...] | None:
    """Returns a weight for each class."""
    if given is None:
        return None
    weights = given
    if isinstance(given, Mapping):
        unknown = [label for label in given if label not in range(classes)]
        if unknown:
            raise ValueError(
                f"Classifier: class_weights must be of the classes 0 to {classes - 1}, "
                f"got one of {unknown[0]!r}"
            )
        weights = [given.get(label, 1.0) for label in range(classes)]
    allowed = (
        f"Classifier: class_weights must be {classes} finite numbers, none of them negative, or "
        "a dictionary from classes to such"
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
