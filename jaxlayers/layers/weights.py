"""Functions shared by layers with weights: initialization, checks, penalties and constraints."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers import activations, constraints, initializers, regularizers
from jaxlayers.layer import FinalActivation, Layer, Params, Shape, State


class HasActivation(Protocol):
    """A layer with an activation."""

    @property
    def activation(self) -> Any:
        """A name or a function."""
        ...


class HasActivityRegularizer(Protocol):
    """A layer with an activity regularizer."""

    @property
    def activity_regularizer(self) -> Any:
        """A name, a function or `None`."""
        ...


def activation_field(**default: Any) -> fields.Identifier:
    """Returns the field of an activation, which is required unless `default` is passed."""
    return fields.Identifier(activations.get, "x", **default)


def initializer_field(default: str) -> fields.Identifier:
    """Returns the field of an initializer."""
    return fields.Identifier(initializers.get, "key", "shape", "dtype", default=default)


def regularizer_field() -> fields.Identifier:
    """Returns the field of a regularizer, `None` by default."""
    return fields.Identifier(regularizers.get, "x", default=None)


def constraint_field() -> fields.Identifier:
    """Returns the field of a constraint, `None` by default."""
    return fields.Identifier(constraints.get, "w", default=None)


# The prefixes of the arguments of weights whose arguments are not named after them, as
# `depthwise_initializer` of the weight `depthwise_kernel`, which is `kernel` in `DepthwiseConv2D`.
_PREFIXES = {
    "kernel": "depthwise",
    "depthwise_kernel": "depthwise",
    "pointwise_kernel": "pointwise",
}


def argument_of(layer: Layer, weight: str, kind: str) -> str:
    """Returns the name of the argument of a weight, such as `kernel_initializer`.

    Args:
        layer: The layer.
        weight: The name of the weight.
        kind: `"initializer"`, `"regularizer"` or `"constraint"`.
    """
    name = f"{weight}_{kind}"
    return name if hasattr(layer, name) else f"{_PREFIXES.get(weight, weight)}_{kind}"


def initialize(layer: Layer, key: Array, shapes: Mapping[str, Shape]) -> dict[str, Array]:
    """Initializes weights.

    Args:
        layer: The layer, whose fields are the initializers; see `argument_of`.
        key: A JAX random key.
        shapes: Names and shapes of the weights.

    Raises:
        ValueError: If an initializer returns an array of another shape, or `key` is not a key.
    """
    fields.Key().check(layer, "key", key)
    dtype = jnp.result_type(float)
    weights = {}
    for (name, shape), weight_key in zip(
        shapes.items(), jax.random.split(key, max(1, len(shapes))), strict=False
    ):
        argument = argument_of(layer, name, "initializer")
        weights[name] = initializers.get(getattr(layer, argument))(weight_key, shape, dtype)
        if getattr(weights[name], "shape", None) != shape:
            raise ValueError(
                f"{layer!r}: {argument} must return an array of shape {shape}, "
                f"got {_describe(weights[name])}"
            )
    return weights


def check(layer: Layer, kind: str, weights: Any, shapes: Mapping[str, Shape]) -> None:
    """Checks that params or state have the expected weights.

    Args:
        layer: The layer, for the error message.
        kind: `"params"` or `"state"`.
        weights: The weights to check.
        shapes: Names and shapes of the expected weights.

    Raises:
        ValueError: If a weight is missing, unknown, or has another shape.
        TypeError: If `weights` is not a dictionary.
    """
    if not isinstance(weights, Mapping):
        raise TypeError(
            f"{layer!r}: {kind} must be a dictionary of arrays, as returned by init, "
            f"got {type(weights).__name__} ({weights!r})"
        )
    if weights.keys() != shapes.keys():
        expected = (
            f"a dictionary of the weights {sorted(shapes)}" if shapes else "an empty dictionary"
        )
        raise ValueError(
            f"{layer!r}: {kind} must be {expected}, as returned by init, "
            f"got {sorted(weights, key=str)}"
        )
    for name, shape in shapes.items():
        if not hasattr(weights[name], "shape") or tuple(weights[name].shape) != shape:
            raise ValueError(
                f"{layer!r}: {name} in {kind} must have shape {shape} for this input, "
                f"got {_describe(weights[name])}"
            )


def activate(layer: HasActivation, y: Array) -> Array:
    """Applies the layer's activation to `y` and checks that the result is an array.

    Raises:
        TypeError: If the activation does not return an array.
    """
    activated: Array = activations.get(layer.activation)(y)
    if not hasattr(activated, "shape"):
        raise TypeError(f"{layer!r}: activation must return an array, got {activated!r}")
    return activated


def add_bias(y: Array, bias: Array, axis: int = -1) -> Array:
    """Adds a bias along one axis of `y`, with its rank expanded explicitly."""
    others = [other for other in range(y.ndim) if other != axis % y.ndim]
    return y + jnp.expand_dims(bias, others)


def penalty(layer: Layer, params: Params, state: State) -> Array:
    """Returns the sum of the layer's regularization penalties, a scalar; see `Layer.penalty`."""
    total: Array = state.get("activity_penalty", jnp.zeros(()))
    for name, weight in params.items():
        argument = argument_of(layer, name, "regularizer")
        if getattr(layer, argument) is not None:
            total = total + _regularize(layer, argument, weight)
    return total


def constrain(layer: Layer, params: Params) -> Params:
    """Returns `params` projected onto the layer's constraints; see `Layer.constrain`."""
    projected = dict(params)
    for name, weight in params.items():
        argument = argument_of(layer, name, "constraint")
        constraint = constraints.get(getattr(layer, argument))
        if constraint is not None:
            projected[name] = constraint(weight)
            if getattr(projected[name], "shape", None) != weight.shape:
                raise ValueError(
                    f"{layer!r}: {argument} must return an array of shape {weight.shape}, "
                    f"got {_describe(projected[name])}"
                )
    return projected


def activity_shapes(layer: HasActivityRegularizer) -> dict[str, Shape]:
    """Returns the shapes of the state of a layer whose only state is its activity penalty."""
    return {} if layer.activity_regularizer is None else {"activity_penalty": ()}


def initial_activity(layer: HasActivityRegularizer) -> State:
    """Returns the initial state of a layer whose only state is its activity penalty."""
    return {name: jnp.zeros(shape) for name, shape in activity_shapes(layer).items()}


def record_activity(layer: HasActivityRegularizer, state: State, y: Array) -> State:
    """Returns the state with the penalty of the output `y`: [batch, ...].

    As in Keras, the penalty is divided by the batch size.
    """
    if layer.activity_regularizer is None:
        return state
    total = _regularize(layer, "activity_regularizer", y)
    batch = jnp.maximum(jnp.asarray(y.shape[0], total.dtype), 1)
    # Cast to the dtype of the state, so that the state can be the carry of a scan.
    return {**state, "activity_penalty": (total / batch).astype(state["activity_penalty"].dtype)}


def final_activation(layer: HasActivation) -> FinalActivation | None:
    """Returns the activation of a layer if it has a name; see `Layer.final_activation`."""
    function = activations.get(layer.activation)
    name = next((name for name, known in activations.BY_NAME.items() if known is function), None)
    if name is None:
        return None
    return FinalActivation(name, _AXES.get(name, ()))


_AXES = {"softmax": (-1,), "log_softmax": (-1,), "sparsemax": (-1,), "glu": (-1,)}


def logits(layer: Any) -> Any:
    """Returns the layer without its sigmoid or softmax, if any; see `Layer.logits`."""
    final = final_activation(layer)
    is_removable = final is not None and final.name in ("sigmoid", "softmax")
    return replace(layer, activation=None) if is_removable else layer


def _regularize(layer: object, name: str, x: Array) -> Array:
    """Returns the penalty that the regularizer in the field `name` returns for `x`, a scalar."""
    regularizer: Any = regularizers.get(getattr(layer, name))
    total = regularizer(x)
    if total is None or jnp.shape(total) != ():
        raise ValueError(f"{layer!r}: {name} must return a scalar, got {_describe(total)}")
    return jnp.asarray(total)


def _describe(value: Any) -> str:
    """Describes an invalid weight: its shape, or its repr if it is not an array."""
    return str(tuple(value.shape)) if hasattr(value, "shape") else repr(value)
