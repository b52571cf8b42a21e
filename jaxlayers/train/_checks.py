"""Checks of the arguments of tasks."""

import operator
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers._structure import are_several_shapes
from jaxlayers.layer import FinalActivation, Layer, Params, Shape, State
from jaxlayers.train.task import TrainState


def described(value: Any) -> str:
    """Returns the repr of a value, truncated if it is long, and its type."""
    text = repr(value)
    return f"{text if len(text) <= 200 else text[:200] + '...'} ({type(value).__name__})"


def fraction(owner: str, name: str, value: Any) -> float:
    """Checks that an argument is a number in [0, 1) and returns it."""
    number = isinstance(value, int | float | np.integer | np.floating)
    if not number or isinstance(value, bool) or not 0 <= value < 1:
        error = ValueError if number else TypeError
        raise error(f"{owner}: {name} must be a number from 0 to below 1, got {described(value)}")
    return float(value)


def positive(owner: str, name: str, value: Any) -> float:
    """Checks that an argument is a finite number above 0 and returns it."""
    number = isinstance(value, int | float | np.integer | np.floating)
    if not number or isinstance(value, bool) or not 0 < value < np.inf:
        error = ValueError if number else TypeError
        raise error(f"{owner}: {name} must be a positive number, got {described(value)}")
    return float(value)


def count(owner: str, name: str, value: Any) -> int:
    """Checks that an argument is a positive integer and returns it."""
    try:
        integer = operator.index(value)
    except TypeError:
        integer = 0
    if isinstance(value, bool | np.bool_) or integer < 1:
        raise ValueError(f"{owner}: {name} must be a positive integer, got {described(value)}")
    return integer


def scalar(owner: str, name: str, value: Any) -> Array:
    """Checks that a function returned a scalar and returns it as an array."""
    if jnp.shape(value) != ():
        raise ValueError(
            f"{owner}: {name} must return a scalar, got an array of shape {jnp.shape(value)}"
        )
    return jnp.asarray(value)


def key(owner: str, value: Any) -> None:
    """Checks that an argument is a random key."""
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        is_key = value.ndim == 0
    else:  # the raw keys of jax.random.PRNGKey
        is_array = isinstance(value, jax.Array | np.ndarray)
        is_key = is_array and value.dtype == np.uint32 and value.ndim == 1
    if not is_key:
        raise TypeError(
            f"{owner}: key must be a single JAX random key, such as jax.random.key(0), "
            f"got {described(value)}"
        )


def train_state(owner: str, value: Any) -> None:
    """Checks that an argument is a train state."""
    if not isinstance(value, TrainState):
        raise TypeError(
            f"{owner}: train_state must be a TrainState, as returned by init or step, "
            f"got {described(value)}"
        )


_METHODS = ("init", "apply", "output_shape", "penalty", "constrain", "logits")


def layer(owner: str, name: str, value: Any) -> None:
    """Checks that an argument has the interface of a layer."""
    missing = [method for method in _METHODS if not callable(getattr(value, method, None))]
    if missing or isinstance(value, type):
        raise TypeError(
            f"{owner}: {name} must be a layer, such as Sequential([...], input_shape=...), "
            f"got {described(value)}"
        )


@runtime_checkable
class _HasInputShape(Protocol):
    input_shape: Sequence[int] | None


def input_shapes(model: Any) -> Any:
    """Returns the shape that a layer was constructed with, or those of several inputs, or `None`.

    Objects that do not inherit from `Layer` may not have the attribute.
    """
    return model.input_shape if isinstance(model, _HasInputShape) else None


def input_shape(owner: str, name: str, value: Any, example: str) -> Shape:
    """Checks that a layer was constructed with an input shape and returns the shape.

    Args:
        owner: Name of the caller.
        name: Name of the argument.
        value: The layer.
        example: A description of one example, for the error message.

    Raises:
        TypeError: If it is not a layer.
        ValueError: If it has no input shape, several inputs, or inputs of any size.
    """
    layer(owner, name, value)
    shape = input_shapes(value)
    if shape is None:
        raise ValueError(
            f"{owner}: the {name} must be constructed with input_shape, the shape of {example}, "
            f"got {described(value)}"
        )
    if None in shape:
        raise ValueError(
            f"{owner}: the {name} must be constructed with input_shape, the shape of {example}, "
            f"got a model for inputs of any size, {tuple(shape)}; "
            "Sequential([model], input_shape=...) has one size"
        )
    if not all(hasattr(extent, "__index__") for extent in shape):
        raise ValueError(
            f"{owner}: the {name} must have one input, {example}, got inputs of shapes {shape}"
        )
    return tuple(shape)


def one_output(owner: str, name: str, model: Layer, shape: Shape) -> Shape:
    """Checks that a model has one output, and returns its shape for one example.

    Args:
        owner: Name of the caller.
        name: Name of the argument.
        model: The model.
        shape: Shape of one input.

    Raises:
        ValueError: If it has several outputs.
    """
    output = model.output_shape(shape)
    if are_several_shapes(output):
        outputs = list(output) if isinstance(output, dict) else len(output)
        raise ValueError(
            f"{owner}: the {name} must have one output, got a model with the outputs {outputs}; "
            "for several outputs write a task, see docs/training.md#your-own-task"
        )
    return tuple(output)


def final_activation(model: Layer) -> FinalActivation | None:
    """Returns the final activation of a model; `None` if it is not known.

    It is unknown for models that are not a `Layer`, and for layers that do not define
    `final_activation`. Their outputs are used unchanged.
    """
    return model.final_activation() if isinstance(model, Layer) else None


def logits(owner: str, name: str, model: Layer, activation: str, output: Shape) -> Layer:
    """Returns a model without the sigmoid or softmax that the loss includes.

    Args:
        owner: Name of the caller.
        name: Name of the argument.
        model: A model that ends in `activation`, in no activation or in an unknown one.
        activation: `"sigmoid"` or `"softmax"`.
        output: Shape of one example of the output of the model.

    Returns:
        The model from inputs to logits.

    Raises:
        ValueError: If the model ends in another activation, or in one that cannot be removed.
    """
    found = final_activation(model)
    if found is None or found.name == "linear":
        return model
    advice = f"end the model in {activation}, or in no activation"
    if found.name != activation:
        raise ValueError(
            f"{owner}: {name} must end in {activation} or return logits, because the loss "
            f"includes the {activation}; it ends in {found.name}: {advice}"
        )
    last = len(output)
    axes = {axis % (last + 1) for axis in found.axes}
    if not found.removable or (found.axes and axes != {last}):
        raise ValueError(
            f"{owner}: {name} must end in {activation} over its outputs, of shape {output}; its "
            f"{found.name} is followed by layers that change the output, or is over another "
            f"axis, so that it cannot be removed: {advice}"
        )
    return model.logits()


def optional_pair(
    owner: str,
    model: Layer,
    init_key: Array,
    shape: Any,
    params: Any,
    state: Any,
    names: tuple[str, str] = ("params", "state"),
) -> tuple[Params, State]:
    """Returns the params and the state of a model, passed by the user or newly initialized.

    Args:
        owner: Name of the caller.
        model: A layer.
        init_key: Random key to initialize the params with.
        shape: Shape of one example; a tuple of shapes if there are several inputs.
        params: Params; initialized if `None`.
        state: State; initialized if `None`.
        names: Names of both arguments in error messages.

    Raises:
        ValueError: If the arrays are not those of the model.
    """
    if params is None or state is None:
        fresh = model.init(init_key, shape)
    else:
        fresh = jax.eval_shape(lambda key: model.init(key, shape), init_key)
    params, state = (
        made if given is None else _check_arrays(owner, name, given, made)
        for name, given, made in zip(names, (params, state), fresh, strict=True)
    )
    return params, state


def _check_arrays(owner: str, name: str, given: Any, made: Any) -> Any:
    """Checks that arrays have the structure and shapes of `made`, and returns copies of them."""
    arrays, expected = (
        {f"{name}{jax.tree_util.keystr(path)}": leaf for path, leaf in leaves}
        for leaves in (
            jax.tree_util.tree_leaves_with_path(tree, is_leaf=lambda leaf: leaf is None)
            for tree in (given, made)
        )
    )
    for verb, names in (
        ("does not have", expected.keys() - arrays.keys()),
        ("also has", arrays.keys() - expected.keys()),
    ):
        if names:
            raise ValueError(
                f"{owner}: {name} must have the arrays of the model, {_listed(expected)}; "
                f"it {verb} {_listed(names)}"
            )
    for path, leaf in expected.items():
        shape, dtype = np.shape(arrays[path]), jnp.result_type(leaf)
        kind = np.asarray(arrays[path]).dtype if not hasattr(arrays[path], "dtype") else None
        kind = arrays[path].dtype if kind is None else kind
        numeric = jnp.issubdtype(kind, jnp.number) or jnp.issubdtype(kind, jnp.bool_)
        if shape != leaf.shape or not numeric:
            raise ValueError(
                f"{owner}: {path} must be numbers of shape {leaf.shape} and dtype {dtype}, "
                f"got {kind} of shape {shape}"
            )
    leaves = [jnp.array(arrays[path], leaf.dtype) for path, leaf in expected.items()]
    return jax.tree.unflatten(jax.tree.structure(made), leaves)


def _listed(names: Any, most: int = 8) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return ", ".join(ordered[:most]) + more or "none"
