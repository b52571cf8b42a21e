"""The shapes of all outputs in a graph of layers, in which `None` is any size."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from jaxlayers._any_size import output_shape
from jaxlayers._structure import flatten, flatten_shapes, unflatten
from jaxlayers.graph.nodes import CallId, Node, Output
from jaxlayers.input_layer import InputLayer

AnyShape = tuple[int | None, ...]


class Shapes(NamedTuple):
    """The shapes of one example.

    Attributes:
        inputs: The input shapes of each call, in the form of its inputs.
        calls: The output shapes of each call, in the form of its outputs.
        outputs: The shape of each output.
    """

    inputs: dict[CallId, Any]
    calls: dict[CallId, Any]
    outputs: dict[Output, AnyShape]

    def of(self, output: Output) -> AnyShape:
        """Returns the shape of an output.

        Raises:
            ValueError: If the layer has no such output.
        """
        if output not in self.outputs:
            raise ValueError(f"there is no output {output.index} of layer {output.layer!r}")
        return self.outputs[output]


def infer_shapes(
    nodes: Mapping[str, Node],
    calls: Iterable[CallId],
    given: Mapping[str, AnyShape],
    notes: Callable[[CallId], AbstractContextManager[None]],
) -> Shapes:
    """Returns all shapes in a graph.

    Args:
        nodes: The layers by name.
        calls: The calls in the order of the computation.
        given: The shapes of the input layers, by name.
        notes: Returns a context that adds notes to the errors of a call.

    Raises:
        ValueError: If a layer does not accept the shapes of its inputs.
    """
    shapes = Shapes({}, {}, {})
    for call in calls:
        node = nodes[call.layer]
        with notes(call):
            if isinstance(node.layer, InputLayer):
                shapes.inputs[call] = found = given[call.layer]
            else:
                inputs = node.calls[call.call]
                shapes.inputs[call] = unflatten(inputs, list(map(shapes.of, flatten(inputs))))
                found = output_shape(node.layer, shapes.inputs[call])
        shapes.calls[call] = found
        for index, shape in enumerate(flatten_shapes(found)):
            shapes.outputs[Output(*call, index)] = shape
    return shapes
