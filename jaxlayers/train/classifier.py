"""Training of a classifier of images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from jaxlayers import losses
from jaxlayers.data import Dataset
from jaxlayers.layer import Layer
from jaxlayers.train.augmentation import Augmentation, augment
from jaxlayers.train.images import as_float
from jaxlayers.train.optimizers import update
from jaxlayers.train.task import Metrics, TrainState

LOSSES: dict[str, Callable[[Array, Array], Array]] = {
    "cross_entropy": losses.cross_entropy,
    "squared_error": losses.squared_error,
}


@dataclass(frozen=True)
class Classifier:
    """A model that learns to tell the class of an image.

    One step makes the loss of a batch smaller. If the model ends in a softmax, training goes by
    the logits before that.

    Args:
        model: a layer from images to [batch, classes], constructed with its input shape.
        optimizer: any Optax optimizer.
        loss: `"cross_entropy"`, or `"squared_error"`: the sum of `1/2 (target - output)**2` over
            the softmax; or a function of logits and targets, both [batch, classes], that returns
            [batch].
        label_smoothing: this part of the target is shared by all classes; from 0 to below 1.
        class_weights: what the loss of an example counts, by its class; all 1 where `None`. The
            loss is the sum over the batch by its length, as in Keras.
        augmentations: what is done to images at random in training, such as
            `train.augmentation.Shift(2)`.

    The penalties of the layers are part of what is made smaller, and their constraints hold after
    every update.

    Raises:
        ValueError: a model without an input shape or that does not end in classes, or an argument
            that is not as said above.

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
    class_weights: Sequence[float] | None = None
    augmentations: Sequence[Augmentation] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "augmentations", tuple(self.augmentations))
        if getattr(self.model, "input_shape", None) is None:
            raise ValueError(
                "Classifier: the model must be constructed with input_shape, the shape of an "
                "image, such as Sequential([...], input_shape=(28, 28, 1))"
            )
        output = tuple(self.model.output_shape(self.image_shape))
        if len(output) != 1 or output[0] < 2:
            raise ValueError(
                "Classifier: the model must give a number for each of at least two classes, "
                f"shape (classes,); for images of shape {self.image_shape} it gives {output}"
            )
        if not callable(self.loss) and self.loss not in LOSSES:
            raise ValueError(
                f"Classifier: loss must be one of {', '.join(map(repr, LOSSES))} or a function, "
                f"got {self.loss!r}"
            )
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(
                "Classifier: label_smoothing must be from 0 to below 1, "
                f"got {self.label_smoothing!r}"
            )
        if self.class_weights is not None:
            object.__setattr__(self, "class_weights", tuple(map(float, self.class_weights)))
            weights = self.class_weights
            if len(weights) != self.classes or not all(0 <= w < np.inf for w in weights):
                raise ValueError(
                    f"Classifier: class_weights must be {self.classes} finite numbers, none of "
                    f"them negative, got {weights}"
                )

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image, (height, width, channels)."""
        return tuple(self.model.input_shape)  # type: ignore[attr-defined]

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return self.model.output_shape(self.image_shape)[0]

    def init(self, key: Array) -> TrainState:
        """Returns the state before the first step.

        Args:
            key: a JAX random key; it makes the params and is the key of the run.
        """
        model_key, run_key = jax.random.split(key)
        params, state = self.model.init(model_key, self.image_shape)
        return TrainState(
            params, state, self.optimizer.init(params), jnp.zeros((), jnp.int32), run_key
        )

    def step(self, train_state: TrainState, batch: tuple[Array, Array]) -> tuple[TrainState, Any]:
        """Takes one training step; pure, and best jitted with the state donated.

        Args:
            train_state: as `init` or the previous step returned it.
            batch: images, [batch, height, width, channels], with values from 0 to 1 or uint8 from
                0 to 255; and labels, integers [batch], or [batch, classes], one-hot.

        Returns:
            The new state, and the metrics, means over the batch: `loss` (without penalties),
            `accuracy`, and `top_5_accuracy`, the part of the images of whose classes the right one
            is among the five likeliest, where there are more than five.

        Raises:
            ValueError: images or labels of another shape.
        """
        images, targets = self._batch(batch)
        key = jax.random.fold_in(train_state.key, train_state.step)
        augment_key, model_key = jax.random.split(key)
        images = augment(self.augmentations, augment_key, images)

        def loss_of(params: Any) -> Any:
            logits, state = self.model.logits().apply(
                params, train_state.state, images, training=True, key=model_key
            )
            values = self._losses(logits, targets)
            if self.class_weights is not None:
                values = values * (targets @ jnp.array(self.class_weights))
            loss = values.mean()
            return loss + self.model.penalty(params, state), (loss, logits, state)

        gradient, (loss, logits, state) = jax.grad(loss_of, has_aux=True)(train_state.params)
        params, opt_state = update(
            self.model, self.optimizer, train_state.params, train_state.opt_state, gradient
        )
        metrics = {"loss": loss} | jax.tree.map(jnp.mean, _accuracies(logits, targets))
        return TrainState(params, state, opt_state, train_state.step + 1, train_state.key), metrics

    def evaluate(self, train_state: TrainState, batch: tuple[Array, Array]) -> Metrics:
        """Returns the metrics of each example, [batch], in inference mode and as it came.

        Args:
            train_state: of which the params and the moving statistics count.
            batch: as for `step`. Class weights do not count, label smoothing does.
        """
        images, targets = self._batch(batch)
        logits, _ = self.model.logits().apply(train_state.params, train_state.state, images)
        return {"loss": self._losses(logits, targets)} | _accuracies(logits, targets)

    def predict(self, train_state: TrainState, images: Array) -> Array:
        """Returns the probabilities of each class, [batch, classes].

        Args:
            train_state: of which the params and the moving statistics count.
            images: as for `step`.
        """
        images = as_float("Classifier", images, self.image_shape)
        logits, _ = self.model.logits().apply(train_state.params, train_state.state, images)
        return jax.nn.softmax(logits)

    def rows(self, data: Any) -> tuple[np.ndarray, np.ndarray]:
        """Returns the images and labels of a data set, having checked them.

        Args:
            data: a `Dataset` with labels, or a tuple of images and labels as `step` takes them.

        Raises:
            TypeError: something else.
            ValueError: no labels, or some that are no class of the model; images of another shape.
        """
        if isinstance(data, Dataset):
            if data.labels is None:
                raise ValueError(f"Classifier: {data.name} has no labels; {_LABELS}")
            data = data.images, data.labels
        if not isinstance(data, tuple) or len(data) != 2:
            raise TypeError(
                "Classifier: data must be a Dataset or a tuple (images, labels), "
                f"got {type(data).__name__}; {_LABELS}"
            )
        jax.eval_shape(self._batch, data)
        labels = np.asarray(data[1])
        wrong = labels[(labels < 0) | (labels >= self.classes)] if labels.ndim == 1 else labels[:0]
        if len(wrong):
            raise ValueError(
                f"Classifier: labels must be from 0 to {self.classes - 1}, because the model has "
                f"{self.classes} classes, got {wrong[0]}"
            )
        return data

    def _batch(self, batch: tuple[Array, Array]) -> tuple[Array, Array]:
        """Returns images from 0 to 1, and what should be 1 and what 0, [batch, classes]."""
        images, labels = batch
        images = as_float("Classifier", images, self.image_shape)
        shape = tuple(labels.shape)
        if jnp.issubdtype(labels.dtype, jnp.integer) and shape == (len(images),):
            return images, jax.nn.one_hot(labels, self.classes)
        if shape == (len(images), self.classes):
            # Not the dtype of the images: bfloat16 or integers would round what is not 0 or 1.
            return images, labels.astype(jnp.result_type(float))
        raise ValueError(
            f"Classifier: labels of {len(images)} images must be integers of shape "
            f"({len(images)},), or one-hot, ({len(images)}, {self.classes}); "
            f"got {labels.dtype} of shape {shape}"
        )

    def _losses(self, logits: Array, targets: Array) -> Array:
        loss = self.loss if callable(self.loss) else LOSSES[self.loss]
        return loss(logits, optax.smooth_labels(targets, self.label_smoothing))


_LABELS = "a folder with a sub-folder of images for each class has them"


def _accuracies(logits: Array, targets: Array) -> Metrics:
    """Returns 1 or 0 for each example, [batch]."""
    right = jnp.take_along_axis(logits, targets.argmax(-1)[:, None], axis=-1)
    likelier = (logits > right).sum(-1)
    accuracies = {"accuracy": logits.argmax(-1) == targets.argmax(-1)}
    if logits.shape[-1] > 5:
        accuracies["top_5_accuracy"] = likelier < 5
    return jax.tree.map(lambda hits: hits.astype(jnp.float32), accuracies)
