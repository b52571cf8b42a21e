"""The base class of tasks that train one model on inputs and targets."""

import functools
from abc import ABC, abstractmethod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.train import _checks
from jaxlayers.train.optimizers import learning_rates, update
from jaxlayers.train.task import Metrics, TrainState


class OneModelTask(ABC):
    """The base class of tasks with one model and one optimizer.

    A subclass is a frozen dataclass with the fields `model` and `optimizer`. It defines the loss
    and the checks of the data. `outputs` are the outputs of `_training_model`.
    """

    model: Layer
    optimizer: optax.GradientTransformation

    @property
    @abstractmethod
    def _input_shape(self) -> Shape:
        """Shape of one example."""

    @property
    @abstractmethod
    def _training_model(self) -> Layer:
        """The model without the activation that the loss includes."""

    @abstractmethod
    def _check_data(self, data: Any, argument: str) -> tuple[Any, Any]:
        """Checks inputs and targets and returns them as arrays of equal length."""

    @abstractmethod
    def _check_inputs(self, inputs: Any) -> Any:
        """Checks inputs and returns them as an array."""

    @abstractmethod
    def _model_inputs(self, inputs: Array) -> Array:
        """Converts checked inputs for the model."""

    @abstractmethod
    def _loss_targets(self, targets: Array) -> Array:
        """Converts checked targets for the loss."""

    @abstractmethod
    def _loss(self, outputs: Array, targets: Array, training: bool) -> Array:
        """Returns the loss, a scalar."""

    @abstractmethod
    def _metrics(self, outputs: Array, targets: Array) -> Metrics:
        """Returns the metrics other than the loss, scalars."""

    @abstractmethod
    def _predictions(self, outputs: Array) -> Array:
        """Converts outputs to predictions."""

    def _augment(self, key: Array, inputs: Array) -> Array:
        """Augments the inputs of a training step."""
        return inputs

    def init(
        self, key: Array, *, params: Params | None = None, state: State | None = None
    ) -> TrainState:
        """Returns the state before the first step.

        Args:
            key: A JAX random key, used to initialize the params and as the key of the run.
            params: Params to start from, such as those returned by `keras.load` or `runs.load`;
                initialized if `None`.
            state: State to start from; initialized if `None`.

        Raises:
            TypeError: If `key` is not a random key.
            ValueError: If the arrays of `params` or `state` are not those of the model.
        """
        owner = type(self).__name__
        _checks.key(owner, key)
        model_key, run_key = jax.random.split(key)
        params, state = _checks.optional_pair(
            owner, self.model, model_key, self._input_shape, params, state
        )
        return TrainState(
            params, state, self.optimizer.init(params), jnp.zeros((), jnp.int32), run_key
        )

    def step(self, train_state: TrainState, batch: tuple[Any, Any]) -> tuple[TrainState, Metrics]:
        """Takes one training step."""
        _checks.train_state(type(self).__name__, train_state)
        inputs, targets = self._check_data(batch, "batch")
        inputs, targets = self._model_inputs(inputs), self._loss_targets(targets)
        key = jax.random.fold_in(train_state.key, train_state.step)
        augment_key, model_key = jax.random.split(key)
        inputs = self._augment(augment_key, inputs)

        def objective(params: Params) -> tuple[Array, Any]:
            outputs, state = self._training_model.apply(
                params, train_state.state, inputs, training=True, key=model_key
            )
            loss = self._loss(outputs, targets, training=True)
            return loss + self.model.penalty(params, state), (loss, outputs, state)

        (value, (loss, outputs, state)), gradient = jax.value_and_grad(objective, has_aux=True)(
            train_state.params
        )
        params, opt_state = update(
            self.model,
            self.optimizer,
            train_state.params,
            train_state.opt_state,
            gradient,
            value,
            lambda params: objective(params)[0],
        )
        metrics = {"loss": loss} | self._metrics(outputs, targets) | learning_rates(opt_state)
        return TrainState(params, state, opt_state, train_state.step + 1, train_state.key), metrics

    def evaluate(self, train_state: TrainState, data: Any, batch_size: int = 256) -> Metrics:
        """Returns the mean loss and metrics over data of any size.

        The model is applied in inference mode to `batch_size` examples at a time.

        Args:
            train_state: The state with the params and moving statistics to use.
            data: As in `rows`.
            batch_size: Number of examples at a time, a positive integer.

        Returns:
            Scalars by name.

        Raises:
            TypeError, ValueError: As in `rows`.
        """
        owner = type(self).__name__
        _checks.train_state(owner, train_state)
        size = _checks.count(owner, "batch_size", batch_size)
        inputs, targets = self._check_data(data, "data")
        parts: list[Metrics] = [
            self._evaluate(train_state.params, train_state.state, inputs[rows], targets[rows])
            for rows in _slices(inputs.shape[0], size)
        ]
        if len(parts) == 1:
            return parts[0]
        rows = np.diff([*range(0, inputs.shape[0], size), inputs.shape[0]])
        return self.combine(jax.tree.map(lambda *values: jnp.stack(values), *parts), rows)

    def combine(self, metrics: Metrics, rows: Any) -> Metrics:
        """Returns the means of the metrics over several batches, weighted by their rows.

        Args:
            metrics: Metrics of each batch, arrays [batches] by name.
            rows: Number of rows of each batch, [batches].
        """
        return {name: weighted_mean(values, rows) for name, values in metrics.items()}

    def predict(self, train_state: TrainState, inputs: Any, batch_size: int = 256) -> Array:
        """Returns the predictions for any number of inputs, computed in batches.

        Args:
            train_state: The state with the params and moving statistics to use.
            inputs: Inputs, as in `step`.
            batch_size: Number of examples at a time, a positive integer.

        Returns:
            An array whose first axis has the length of `inputs`.

        Raises:
            TypeError, ValueError: As in `step`.
        """
        owner = type(self).__name__
        _checks.train_state(owner, train_state)
        size = _checks.count(owner, "batch_size", batch_size)
        inputs = self._check_inputs(inputs)
        parts = [
            self._predict(train_state.params, train_state.state, inputs[rows])
            for rows in _slices(inputs.shape[0], size)
        ]
        return parts[0] if len(parts) == 1 else jnp.concatenate(parts)

    def models(self, train_state: TrainState) -> dict[str, tuple[Layer, Params, State]]:
        """Returns the trained model: `{"model": (model, params, state)}`."""
        _checks.train_state(type(self).__name__, train_state)
        return {"model": (self.model, train_state.params, train_state.state)}

    @functools.partial(jax.jit, static_argnums=0)
    def _evaluate(self, params: Params, state: State, inputs: Array, targets: Array) -> Metrics:
        outputs, _ = self._training_model.apply(params, state, self._model_inputs(inputs))
        targets = self._loss_targets(targets)
        loss = self._loss(outputs, targets, training=False)
        return {"loss": loss} | self._metrics(outputs, targets)

    @functools.partial(jax.jit, static_argnums=0)
    def _predict(self, params: Params, state: State, inputs: Array) -> Array:
        outputs, _ = self._training_model.apply(params, state, self._model_inputs(inputs))
        return self._predictions(outputs)


def weighted_mean(values: Array, rows: np.ndarray) -> Array:
    """Returns the mean over batches, weighted by the number of rows.

    Args:
        values: The mean of each batch, [batches].
        rows: Number of rows of each batch, [batches].
    """
    mean: Array = (values * rows).sum() / rows.sum()
    return mean


def _slices(count: Any, size: int) -> list[slice]:
    # A symbolic number of examples, as in jax.export, is one batch.
    if not isinstance(count, int):
        return [slice(None)]
    return [slice(start, start + size) for start in range(0, count, size)]
