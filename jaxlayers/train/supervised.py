"""The task of training a model on inputs and targets of any shape."""

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
from jaxlayers.layer import Layer, Shape
from jaxlayers.losses import Loss
from jaxlayers.metrics import supervised as metrics_table
from jaxlayers.metrics.supervised import Metric
from jaxlayers.train import _checks
from jaxlayers.train._one_model import OneModelTask, weighted_mean
from jaxlayers.train.images import as_array, as_float, check_probabilities, values_of
from jaxlayers.train.input_scale import check_input_scale
from jaxlayers.train.optimizers import check_optimizer
from jaxlayers.train.task import Metrics, TrainState


@dataclass(frozen=True)
class Supervised(OneModelTask):
    """Trains a model on inputs and targets of any shape.

    Use it for regression, autoencoders, binary and multi-label classification. Losses and metrics
    have Keras's names and results. The cross-entropies are computed from logits: if the model ends
    in the sigmoid or softmax of the loss, this activation is removed for training. A model that
    ends in no activation, or in an unknown layer or function, is assumed to return logits (as with
    Keras's `from_logits=True`). All other losses, and all metrics, are computed from the
    predictions. To classify images, use `Classifier`.

    Args:
        model: A layer constructed with its input shape.
        optimizer: Any Optax optimizer, as in `Classifier`.
        loss: One of Keras's names, such as `"mean_squared_error"` or `"binary_crossentropy"`, or a
            function of predictions and targets, [batch, ...], that returns [batch] or [batch, ...].
            The functions of Optax and of `jaxlayers.losses` that take logits are called with
            logits; all other functions are called with the outputs of the model.
        metrics: Keras's names, such as `"mean_absolute_error"` or `"binary_accuracy"`, or functions
            of predictions and targets that return [batch], [batch, ...] or a scalar.

    The layers' penalties are added to the loss, and their constraints are applied after every
    update.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the model has no input shape, it ends in another activation than the loss
            includes, or a name is unknown.

    Example:
        >>> from jaxlayers import Sequential, layers
        >>> model = Sequential([layers.Dense(8, activation="relu"), layers.Dense(1)], (3,))
        >>> task = Supervised(model, optax.adam(1e-2), "mse", metrics=["mae"])
        >>> train_state = task.init(jax.random.key(0))
        >>> batch = jnp.ones((4, 3)), jnp.zeros((4, 1))
        >>> train_state, metrics = jax.jit(task.step)(train_state, batch)
        >>> sorted(metrics)
        ['loss', 'mae']
        >>> task.predict(train_state, batch[0]).shape
        (4, 1)
    """

    model: Layer
    optimizer: optax.GradientTransformation
    loss: str | Loss
    metrics: Sequence[str | Metric] = ()

    def __post_init__(self) -> None:
        shape = _checks.input_shape(
            "Supervised", "model", self.model, "one example, such as Sequential([...], (8,))"
        )
        output = _checks.one_output("Supervised", "model", self.model, shape)
        if not output:
            raise ValueError(
                "Supervised: the model must return arrays of at least one axis per example, such "
                f"as shape (1,); for examples of shape {shape} it returns {output}"
            )
        check_optimizer("Supervised", "optimizer", self.optimizer)
        _check_name("loss", losses.get, self.loss)
        if isinstance(self.metrics, str) or not isinstance(self.metrics, Sequence):
            raise TypeError(
                "Supervised: metrics must be a list of names or functions, such as "
                f"['mean_absolute_error'], got {_checks.described(self.metrics)}"
            )
        object.__setattr__(self, "metrics", tuple(self.metrics))
        for metric in self.metrics:
            _check_name("metrics", metrics_table.get, metric)
        names = ["loss", *self._metric_functions]
        if len(names) != len(self.metrics) + 1 or "loss" in names[1:]:
            raise ValueError(
                "Supervised: metrics must have unique names other than 'loss', "
                f"got {', '.join(map(_name, self.metrics))}"
            )
        _ = self._training_model

    def step(self, train_state: TrainState, batch: tuple[Any, Any]) -> tuple[TrainState, Metrics]:
        """Takes one training step.

        This is a pure function, to be compiled by `jax.jit` with `train_state` donated.

        Args:
            train_state: The state returned by `init` or the previous step.
            batch: Inputs, [batch, *input_shape], and targets. Inputs that are uint8 images are
                divided by 255. Targets have the shape of the outputs; [batch] is also accepted for
                outputs [batch, 1]. For `sparse_categorical_crossentropy`, targets are integers
                without the last axis of the outputs.

        Returns:
            The new state, and the metrics, which are scalars. They are `loss` (without penalties),
            the metrics in `metrics` by name, and `learning_rate` if the state of the optimizer has
            one (`optax.inject_hyperparams`).

        Raises:
            TypeError: If `batch` is not a pair of arrays.
            ValueError: If inputs or targets have another shape, or values that the loss does not
                accept. Inside `jit`, where values are not known, an invalid label makes the loss
                NaN.
        """
        return super().step(train_state, batch)

    def predict(self, train_state: TrainState, inputs: Any, batch_size: int = 256) -> Array:
        """Returns the predictions of the model, computed in batches.

        With a cross-entropy, they are probabilities, even if the model returns logits.

        Args:
            train_state: The state with the params and moving statistics to use.
            inputs: Any number of inputs, as in `step`.
            batch_size: Number of examples at a time, a positive integer.

        Returns:
            [N, *output_shape].

        Raises:
            TypeError, ValueError: As in `step`.
        """
        return super().predict(train_state, inputs, batch_size)

    def rows(self, data: Any) -> tuple[Any, Any]:
        """Checks the inputs and targets of a data set and returns them.

        Args:
            data: A tuple of inputs and targets as in `step`, or a `Dataset`, whose labels are the
                targets. For an autoencoder, `(images, images)` with floats.

        Raises:
            TypeError: If the data has any other type.
            ValueError: If the arrays have other shapes or lengths, NaN, or values that the loss
                does not accept.
        """
        return self._check_data(data, "data")

    def combine(self, metrics: Metrics, rows: Any) -> Metrics:
        """Returns the metrics over several batches; roots of means are averaged as squares.

        Args:
            metrics: Metrics of each batch, arrays [batches] by name.
            rows: Number of rows of each batch, [batches].
        """
        combined = super().combine(metrics, rows)
        roots = {
            name: jnp.sqrt(weighted_mean(metrics[name] ** 2, rows))
            for name, metric in self._metric_functions.items()
            if metric in metrics_table.ROOTS and name in metrics
        }
        return combined | roots

    @property
    def _input_shape(self) -> Shape:
        return tuple(self.model.input_shape or ())

    @property
    def _output_shape(self) -> Shape:
        return tuple(self.model.output_shape(self._input_shape))

    @property
    def _metric_functions(self) -> dict[str, Metric]:
        return {_name(metric): metrics_table.get(metric) for metric in self.metrics}

    @property
    def _activation(self) -> str | None:
        """The activation that the loss includes."""
        return losses.activation_of(losses.get(self.loss))

    @property
    def _training_model(self) -> Layer:
        if self._activation is None:
            return self.model
        return _checks.logits(
            "Supervised", "model", self.model, self._activation, self._output_shape
        )

    def _check_data(self, data: Any, argument: str) -> tuple[Any, Any]:
        if isinstance(data, Dataset):
            data = (data.images, data.labels)
        if not isinstance(data, tuple) or len(data) != 2 or data[1] is None:
            without = isinstance(data, tuple) and len(data) == 2
            raise TypeError(
                f"Supervised: {argument} must be a tuple (inputs, targets) of arrays, or a "
                "Dataset with labels, got "
                f"{'no targets' if without else type(data).__name__}; for an autoencoder pass the "
                "inputs as targets as well"
            )
        inputs = self._check_inputs(data[0])
        return inputs, self._check_targets(data[1], inputs.shape[0])

    def _check_inputs(self, inputs: Any) -> Any:
        inputs = as_array("Supervised: inputs", inputs)
        shape = self._input_shape
        if inputs.ndim == 0 or tuple(inputs.shape[1:]) != shape or inputs.shape[0] == 0:
            raise ValueError(
                f"Supervised: inputs must be [batch, {', '.join(map(str, shape))}], as in the "
                "model, with at least one example, got an array of shape "
                f"{tuple(inputs.shape)}"
            )
        _check_finite("inputs", inputs)
        return inputs

    def _check_targets(self, targets: Any, count: Any) -> Any:
        targets = as_array("Supervised: targets", targets)
        shape, output = tuple(targets.shape), (count, *self._output_shape)
        integers = jnp.issubdtype(targets.dtype, jnp.integer)
        if self.loss == "sparse_categorical_crossentropy":
            allowed = output[:-1]
            if shape == (*allowed, 1):
                targets, shape = targets.reshape(allowed), allowed
            fits = integers and shape == allowed
        elif isinstance(self.loss, str):
            allowed = output
            if output[-1] == 1 and shape == output[:-1]:
                targets, shape = targets[..., None], output
            fits = shape == allowed
        else:  # a function checks its own arguments
            allowed, fits = (count, "..."), shape[:1] == (count,)
            if output[-1] == 1 and shape == output[:-1]:
                targets = targets[..., None]
        if not fits:
            kind = "integers " if self.loss == "sparse_categorical_crossentropy" else ""
            raise ValueError(
                f"Supervised: targets must be {kind}of shape ({', '.join(map(str, allowed))}) for "
                f"{count} inputs and the loss {_name(self.loss)}, got {targets.dtype} of shape "
                f"{shape}"
            )
        _check_finite("targets", targets)
        values = values_of(targets)
        if values is not None:
            self._check_target_values(values)
        return targets

    def _check_target_values(self, values: np.ndarray) -> None:
        least, most = values.min(), values.max()
        if self.loss == "sparse_categorical_crossentropy":
            classes = self._output_shape[-1]
            if not 0 <= least <= most < classes:
                raise ValueError(
                    f"Supervised: targets must be from 0 to {classes - 1}, because the model has "
                    f"{classes} classes, got {least if least < 0 else most}"
                )
        elif self.loss == "categorical_crossentropy":
            check_probabilities("Supervised: targets of categorical_crossentropy", values)
        elif self.loss == "binary_crossentropy" and not 0 <= least <= most <= 1:
            raise ValueError(
                "Supervised: targets of binary_crossentropy must be from 0 to 1, "
                f"got {least} to {most}"
            )
        elif _is_image(values) and most > 1:
            raise ValueError(
                "Supervised: targets must be images from 0 to 1, because uint8 targets, unlike "
                f"inputs, are not divided by 255, got uint8 up to {most}; pass images / 255"
            )

    def _model_inputs(self, inputs: Array) -> Array:
        if _is_image(inputs):
            check_input_scale("Supervised", "model", self.model)
            return as_float(inputs)
        floating = jnp.issubdtype(inputs.dtype, jnp.inexact)
        return inputs if floating else inputs.astype(jnp.result_type(float))

    def _loss_targets(self, targets: Array) -> Array:
        return jnp.asarray(targets)

    def _loss(self, outputs: Array, targets: Array, training: bool) -> Array:
        values = losses.get(self.loss)(outputs, targets)
        return _mean(f"loss {_name(self.loss)}", values, outputs, scalar=False)

    def _metrics(self, outputs: Array, targets: Array) -> Metrics:
        predictions = self._predictions(outputs)
        return {
            name: _mean(f"metric {name}", metric(predictions, targets), outputs, scalar=True)
            for name, metric in self._metric_functions.items()
        }

    def _predictions(self, outputs: Array) -> Array:
        activations = {"sigmoid": jax.nn.sigmoid, "softmax": jax.nn.softmax}
        return outputs if self._activation is None else activations[self._activation](outputs)


def _mean(what: str, values: Array, outputs: Array, scalar: bool) -> Array:
    """Checks the shape of the result of a loss or a metric and returns its mean.

    The check finds functions that broadcast [batch] against [batch, 1] to [batch, batch].
    """
    shape = jnp.shape(values)
    if shape != outputs.shape[: len(shape)] or not (shape or scalar):
        raise ValueError(
            f"Supervised: {what} must return one number per example, of shape {outputs.shape[:1]}, "
            f"or an array with more axes of the outputs, {outputs.shape}, got shape {shape}"
        )
    return jnp.mean(values)


def _name(identifier: Any) -> str:
    """Returns the name of a loss or a metric."""
    if isinstance(identifier, str):
        return identifier
    return getattr(identifier, "__name__", type(identifier).__name__)


def _check_name(argument: str, get: Callable[[Any], Any], identifier: Any) -> None:
    try:
        get(identifier)
    except (TypeError, ValueError) as error:
        raise type(error)(f"Supervised: {argument}: {error}") from None


def _check_finite(argument: str, array: Any) -> None:
    values = values_of(array)
    if values is None or not jnp.issubdtype(values.dtype, jnp.inexact):
        return
    if not np.isfinite(values).all():
        raise ValueError(f"Supervised: {argument} must be finite, got NaN or infinity")


def _is_image(array: Any) -> bool:
    """Returns whether an array is uint8 images, [batch, height, width, channels]."""
    return bool(array.dtype == jnp.uint8 and array.ndim == 4)
