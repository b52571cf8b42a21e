"""Symbolic tensors: the outputs of layers in a graph that is being constructed."""

import itertools
from dataclasses import dataclass, field
from typing import Any, Protocol

from jaxlayers import _fields as fields
from jaxlayers._any_size import output_shape
from jaxlayers._structure import flatten, flatten_shapes, unflatten, unflatten_like_shapes

# Positions of constructions and calls of layers, in the order in which they happen.
positions = itertools.count()


class _Layer(Protocol):
    def output_shape(self, input_shape: Any) -> Any: ...


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer on symbolic tensors; a node of the graph.

    Args:
        layer: The layer. One layer object is one set of weights, however often it is called.
        inputs: Symbolic tensors: one, a tuple, or a dictionary by name; `()` for an input layer.
        name: Name of the layer; `None` for Keras's name.
        position: Position among all constructions and calls of layers.
    """

    layer: Any
    inputs: Any
    name: str | None
    position: int = field(default_factory=lambda: next(positions))


@dataclass(frozen=True, eq=False, repr=False)
class SymbolicTensor:
    """A placeholder for an array in a graph of layers; Keras's `KerasTensor`.

    `jaxlayers.Input` and calls of layers on symbolic tensors return it.

    Args:
        shape: The shape of the array, with `None` for the batch and for any size.
        call: The call of a layer that returned the tensor.
        index: Position among the outputs of the call.
    """

    shape: tuple[int | None, ...]
    call: Call
    index: int = 0

    def __repr__(self) -> str:
        return f"<SymbolicTensor of shape {self.shape} from {self.call.layer!r}>"


def call(layer: _Layer, x: Any, name: str | None) -> Any:
    """Calls a layer on symbolic tensors.

    Args:
        layer: The layer.
        x: Symbolic tensors: one, a tuple or list, or a dictionary by name.
        name: Name of the layer in the model; `None` for Keras's name.

    Returns:
        The outputs of the layer as symbolic tensors, in the form of its output shape.

    Raises:
        TypeError: If `x` is not symbolic.
        ValueError: If the layer does not accept the shapes.
    """
    inputs = flatten(x)
    if not inputs or not all(isinstance(tensor, SymbolicTensor) for tensor in inputs):
        label = getattr(layer, "_label", repr(layer))  # that of a model, whose repr is long
        raise TypeError(
            f"{label}: layers are called on symbolic tensors, such as jaxlayers.Input((3,)), got "
            f"{_described(x)}; to compute with arrays, use params, state = layer.init(key, "
            "input_shape) and y, state = layer.apply(params, state, x)"
        )
    if name is not None:
        name = fields.Text().check(layer, "name", name)
    try:
        shapes = output_shape(layer, unflatten(x, [tensor.shape[1:] for tensor in inputs]))
    except Exception as error:
        error.add_note(f"In the call of {layer!r} on {', '.join(map(repr, inputs))}.")
        raise
    made = Call(layer, unflatten(x, inputs), name)
    outputs = [
        SymbolicTensor((None, *shape), made, index)
        for index, shape in enumerate(flatten_shapes(shapes))
    ]
    return unflatten_like_shapes(shapes, outputs)


def _described(x: Any) -> str:
    """Describes inputs that are not symbolic by their types."""
    if isinstance(x, tuple | list):
        return f"[{', '.join(type(value).__name__ for value in x)}]"
    return type(x).__name__
