"""The layers, calls and edges of a graph by name, and the arguments of `Functional` for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from jaxlayers import _fields as fields
from jaxlayers._structure import FrozenDict, flatten, unflatten
from jaxlayers._symbolic import SymbolicTensor
from jaxlayers.input_layer import InputLayer
from jaxlayers.layer import Layer


class CallId(NamedTuple):
    """One call of a layer: the name of the layer and the position among its calls."""

    layer: str
    call: int = 0


@dataclass(frozen=True, repr=False)
class Output:
    """An output of a call of a layer; an edge of the graph. Its repr is Keras's triple.

    Args:
        layer: Name of the layer.
        call: Position of the call among the calls of the layer.
        index: Position of the output among the outputs of the call.
    """

    layer: str
    call: int = 0
    index: int = 0

    @property
    def call_id(self) -> CallId:
        """The call."""
        return CallId(self.layer, self.call)

    def __repr__(self) -> str:
        is_first = self.call == self.index == 0
        return repr(self.layer if is_first else (self.layer, self.call, self.index))


class Node(NamedTuple):
    """A layer of a graph.

    Args:
        name: Name of the layer.
        layer: The layer.
        calls: The inputs of each call of the layer: an `Output`, a tuple of them, or a dictionary
            by name. An `InputLayer` has no calls.
    """

    name: str
    layer: Layer
    calls: tuple[Any, ...] = ()


def inputs_of(node: Node, call: int) -> list[Output]:
    """Returns the inputs of a call of a layer."""
    return [] if isinstance(node.layer, InputLayer) else flatten(node.calls[call])


class Tensors(fields.Field[Any, Any]):
    """Symbolic tensors, or outputs of layers by name: one, a tuple, or a dictionary."""

    allowed = (
        "a symbolic tensor, from Input or the call of a layer, or the name of a layer of nodes; "
        "or a tuple or dictionary of them, at least one"
    )

    def convert(self, value: Any) -> Any:
        if isinstance(value, tuple | list) and len(value) == 1:
            (value,) = value
        found = [value] if _is_triple(value) else flatten(value)
        are_names = isinstance(value, Mapping) and not all(isinstance(n, str) for n in value)
        if not found or are_names:
            raise ValueError
        if any(isinstance(tensor, SymbolicTensor) for tensor in found):
            if not all(isinstance(tensor, SymbolicTensor) for tensor in found):
                raise ValueError
            return unflatten(value, found)
        return _as_outputs(value)


class Nodes(fields.Field[Sequence[Any], tuple[Node, ...]]):
    """The layers of a graph, with their names and calls."""

    allowed = (
        "a list of the layers, each (name, layer, calls), where calls is a list of the inputs of "
        "each call by name"
    )

    def convert(self, value: Any) -> tuple[Node, ...]:
        return tuple(self._node(*node) for node in value)

    def _node(self, name: Any, layer: Any, calls: Any = ()) -> Node:
        if not isinstance(layer, Layer) or isinstance(calls, str | Mapping):
            raise ValueError
        calls = tuple(map(_as_outputs, calls))
        if isinstance(layer, InputLayer) != (not calls) or not all(map(flatten, calls)):
            raise ValueError
        return Node(fields.Text().convert(name), layer, calls)


def _as_outputs(values: Any) -> Any:
    """Returns one `Output`, a tuple of them, or a dictionary by name.

    Raises:
        ValueError: If the values do not name outputs.
    """
    if _is_triple(values):
        return _as_output(values)
    outputs = unflatten(values, [_as_output(value) for value in flatten(values)])
    return FrozenDict(outputs) if isinstance(outputs, dict) else outputs


def _as_output(value: Any) -> Output:
    """Returns the `Output` that is named by a string or by Keras's triple.

    Raises:
        ValueError: If the value is neither.
    """
    if isinstance(value, Output):
        return value
    layer, call, index = (value, 0, 0) if isinstance(value, str) else value
    if not isinstance(layer, str) or not all(_is_position(at) for at in (call, index)):
        raise ValueError
    return Output(layer, call, index)


def _is_triple(value: Any) -> bool:
    """Returns whether a value is a name, a call and an index, rather than three outputs."""
    return isinstance(value, tuple | list) and len(value) == 3 and isinstance(value[1], int)


def _is_position(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
