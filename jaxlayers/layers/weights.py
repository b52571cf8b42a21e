"""What layers with weights share: they initialise, check, penalise and constrain them alike.

A weight `kernel` of a layer goes with its fields `kernel_initializer`, `kernel_regularizer` and
`kernel_constraint`, as in Keras; so does every other weight by its name.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxlayers import activations, constraints, initializers, regularizers
from jaxlayers.layer import Params, Shape, State

_GETTERS = {
    "activation": activations.get,
    "_initializer": initializers.get,
    "_regularizer": regularizers.get,
    "_constraint": constraints.get,
}


def check_identifiers(layer: Any) -> None:
    """Refuses names and objects that are no activation, initializer, regularizer or constraint.

    Raises:
        ValueError: an unknown name.
        TypeError: neither a name nor a callable.
    """
    for name in layer.__dataclass_fields__:
        for suffix, get in _GETTERS.items():
            if name.endswith(suffix):
                try:
                    get(getattr(layer, name))
                except (ValueError, TypeError) as error:
                    raise type(error)(f"{type(layer).__name__}: {name}: {error}") from None


def initialize(layer: Any, key: Array, shapes: Mapping[str, Shape]) -> dict[str, Array]:
    """Returns the weights of `shapes`, each filled by the initializer of its name."""
    dtype = jnp.result_type(float)
    weights = {}
    for (name, shape), weight_key in zip(
        shapes.items(), jax.random.split(key, max(1, len(shapes))), strict=False
    ):
        initializer = initializers.get(getattr(layer, f"{name}_initializer"))
        weights[name] = initializer(weight_key, shape, dtype)
        if weights[name].shape != shape:
            raise ValueError(
                f"{layer!r}: {name}_initializer made an array of shape {weights[name].shape}, "
                f"the {name} has shape {shape}"
            )
    return weights


def check(layer: Any, weights: Mapping[str, Array], shapes: Mapping[str, Shape]) -> None:
    """Refuses weights that are not those the layer makes for the input that came.

    Raises:
        ValueError: a weight that is missing, unknown, or of another shape.
        TypeError: no dictionary of weights.
    """
    if not isinstance(weights, Mapping):
        raise TypeError(
            f"{layer!r}: params and state must be dictionaries, as from init, "
            f"got {type(weights).__name__}"
        )
    if weights.keys() != shapes.keys():
        raise ValueError(
            f"{layer!r}: has the weights {sorted(shapes)}, params or state hold {sorted(weights)}"
        )
    for name, shape in shapes.items():
        if tuple(jnp.shape(weights[name])) != shape:
            raise ValueError(
                f"{layer!r}: for this input {name} must have shape {shape}, "
                f"got {jnp.shape(weights[name])}"
            )


def add_bias(y: Array, bias: Array, axis: int = -1) -> Array:
    """Returns `y` plus a bias along one of its axes, with ranks that are explicitly equal."""
    others = [other for other in range(y.ndim) if other != axis % y.ndim]
    return y + jnp.expand_dims(bias, others)


def penalty(layer: Any, params: Params, state: State) -> Array:
    """Returns the sum of the layer's regularization penalties, a scalar; see `Layer.penalty`."""
    total = state.get("activity_penalty", jnp.zeros(()))
    for name, weight in params.items():
        regularizer = regularizers.get(getattr(layer, f"{name}_regularizer"))
        if regularizer is not None:
            total = total + regularizer(weight)
    return total


def constrain(layer: Any, params: Params) -> Params:
    """Returns `params` projected onto the layer's constraints; see `Layer.constrain`."""
    found = {name: constraints.get(getattr(layer, f"{name}_constraint")) for name in params}
    return {name: f(params[name]) if (f := found[name]) else params[name] for name in params}


def initial_activity(layer: Any) -> State:
    """Returns the state of a layer that has no other: its activity penalty, if it has one."""
    return {} if layer.activity_regularizer is None else {"activity_penalty": jnp.zeros(())}


def record_activity(layer: Any, state: State, y: Array) -> State:
    """Returns the state with the penalty of the output `y`: [batch, ...].

    Keras divides by the batch size, so that the penalty does not grow with it.
    """
    regularizer = regularizers.get(layer.activity_regularizer)
    if regularizer is None:
        return state
    if "activity_penalty" not in state:
        raise ValueError(
            f"{layer!r}: the state must hold activity_penalty, as from init, got {sorted(state)}"
        )
    total = regularizer(y)
    batch = jnp.maximum(jnp.asarray(y.shape[0], total.dtype), 1)
    # The dtype that the state has, so that it can be carried through a scan in any precision.
    return {**state, "activity_penalty": (total / batch).astype(state["activity_penalty"].dtype)}


def logits(layer: Any) -> Any:
    """Returns the layer without its sigmoid or softmax, if it has one; see `Layer.logits`."""
    squashing = activations.get(layer.activation) in (activations.sigmoid, activations.softmax)
    return replace(layer, activation=None) if squashing else layer
