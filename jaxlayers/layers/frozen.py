"""Layers whose weights are not trained."""

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
from jax import Array

from jaxlayers.layer import Layer, Params, State
from jaxlayers.layers.batch_normalization import BatchNormalization
from jaxlayers.layers.inference_mode import InferenceMode
from jaxlayers.layers.wrapper import Wrapper


@dataclass(frozen=True, repr=False)
class Frozen(Wrapper):
    """Applies a layer whose weights are constants; Keras's `layer.trainable = False`.

    The gradient with respect to the params is zero, so that XLA does not compute it. As in Keras,
    batch normalization in the layer is applied in inference mode, other layers such as dropout are
    not, the weights have no penalties and are not constrained.

    Optimizers with weight decay also change params whose gradient is zero; `train.frozen` excludes
    them from the optimizer. `jaxlayers.freeze` wraps layers of a model.

    Args:
        layer: Any layer, such as a `Sequential`.

    Input shape:
        Same as for `layer`.

    Output shape:
        Same as for `layer`.

    Raises:
        ValueError: If `layer` is not a layer.

    Reference:
        https://keras.io/guides/transfer_learning/

    Example:
        >>> from jaxlayers import layers
        >>> dense = Frozen(layers.Dense(1, kernel_regularizer="l2"))
        >>> params, state = dense.init(jax.random.key(0), (2,))
        >>> gradient = jax.grad(lambda p: dense.apply(p, state, jnp.ones((1, 2)))[0].sum())(params)
        >>> gradient["kernel"].tolist(), dense.penalty(params, state).item()
        ([[0.0], [0.0]], 0.0)
    """

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        constants = jax.lax.stop_gradient(params)
        return self._with_moving_statistics.apply(constants, state, x, training=training, key=key)

    def penalty(self, params: Params, state: State) -> Array:
        """Returns the sum of the activity penalties of the layer, a scalar."""
        return sum(_activity_penalties(state), start=jnp.zeros(()))

    def constrain(self, params: Params) -> Params:
        return params

    @cached_property
    def _with_moving_statistics(self) -> Layer:
        return _use_moving_statistics(None, self.layer)


def _use_moving_statistics(name: str | None, layer: Layer) -> Layer:
    """Returns the layer with all batch normalization in it in inference mode."""
    if isinstance(layer, BatchNormalization):
        return InferenceMode(layer)
    return layer.map_layers(_use_moving_statistics)


def _activity_penalties(state: State) -> list[Array]:
    found = []
    for name, value in state.items():
        if isinstance(value, dict):
            found += _activity_penalties(value)
        elif name == "activity_penalty":
            found.append(value)
    return found
