"""The construction of an ONNX graph: nodes, constants and their names."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from jaxlayers._structure import flatten, flatten_shapes, unflatten, unflatten_like_shapes
from jaxlayers.interop.errors import Problems
from jaxlayers.interop.onnx.tensor import Order, Tensor, logical_order
from jaxlayers.layer import Layer

# Writes a layer into a graph, from its weights and its inputs, and returns its outputs. Inputs and
# outputs are one Tensor, or a tuple or dictionary of them.
Converter = Callable[["Graph", Any, Mapping[str, Any], Any], Any]


class UnsupportedError(ValueError):
    """ONNX has no counterpart of a layer; the message is the reason."""


class Node(NamedTuple):
    """One operation."""

    op_type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


class Graph:
    """An ONNX graph that is being constructed.

    Operations and weights are named after the layers that they belong to: `block/conv2d/Conv`,
    `block/conv2d/kernel`.

    Args:
        converter_of: Returns the converter of a class of layers. Raises an `UnsupportedError` if
            there is none.
        reserved: Names of the inputs and outputs of the graph.
    """

    def __init__(
        self, converter_of: Callable[[type[Layer]], Converter], reserved: Sequence[str]
    ) -> None:
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}
        self.problems = Problems()
        self._converter_of = converter_of
        self._names = set(reserved)
        self._scope: tuple[str, ...] = ()
        self._variants: dict[str, list[str]] = {}
        self._reordered: dict[tuple[str, Order], str] = {}

    def layer(self, layer: Layer, name: str, weights: Mapping[str, Any], x: Any) -> Any:
        """Writes a layer. If ONNX has no counterpart, the problem is recorded.

        Args:
            layer: The layer.
            name: Name of the layer; empty for the whole model.
            weights: Its params and state in one dictionary.
            x: The input: a tensor, or a tuple or dictionary of them.

        Returns:
            The outputs, likewise.
        """
        with self._scoped(name):
            try:
                # In the shapes of ONNX's operations, 0 stands for the size of the input.
                if any(0 in tensor.shape for tensor in flatten(x)):
                    raise UnsupportedError("the input has an axis of size 0")
                count = self.problems.count
                y = self._converter_of(type(layer))(self, layer, weights, x)
                if any(0 in tensor.shape for tensor in flatten(y)) and count == self.problems.count:
                    raise UnsupportedError("the output has an axis of size 0")
                return y
            except UnsupportedError as error:
                place = "/".join(self._scope) or "the model"
                self.problems.add(str(error), place, type(layer).__name__)
            # The layers after it are converted as well, to find all problems.
            shapes = layer.output_shape(unflatten(x, [tensor.shape for tensor in flatten(x)]))
            outputs = [
                Tensor("", shape, logical_order(len(shape) + 1)) for shape in flatten_shapes(shapes)
            ]
            return unflatten_like_shapes(shapes, outputs)

    def op(
        self, op_type: str, x: Tensor, *others: Tensor | float | str, **attributes: Any
    ) -> Tensor:
        """Adds an operation whose output has the shape and the order of its first input.

        The shape may also be one that is broadcast to it, as after a reduction.

        Args:
            op_type: ONNX's name of the operation.
            x: The first input.
            others: The other inputs: tensors stored in the same order, numbers, or names.
            attributes: Attributes of the operation.
        """
        names = [self._input(x), *map(self._input, others)]
        return dataclasses.replace(x, name=self.node(op_type, names, **attributes))

    def node(self, op_type: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Adds an operation with one output and returns the name of the output."""
        return self.nodes_of(op_type, inputs, 1, **attributes)[0]

    def nodes_of(
        self, op_type: str, inputs: Sequence[str], outputs: int, **attributes: Any
    ) -> tuple[str, ...]:
        """Adds an operation with several outputs and returns their names."""
        name = self._unique("/".join((*self._scope, op_type)))
        names = (name, *(self._unique(f"{name}:{index}") for index in range(1, outputs)))
        self.nodes.append(Node(op_type, name, tuple(inputs), names, attributes))
        return names

    def constant(self, value: Any, name: str = "constant", dtype: Any = np.float32) -> str:
        """Adds a constant and returns its name. Equal constants of one name are stored once.

        Args:
            value: An array or a number.
            name: Name of the weight; it is stored below the name of the layer.
            dtype: Dtype of the constant.
        """
        array = np.asarray(value, dtype)
        place = "/".join((*self._scope, name))
        variants = self._variants.setdefault(place, [])
        for known in variants:
            stored = self.constants[known]
            if stored.dtype == array.dtype and np.array_equal(stored, array):
                return known
        variants.append(self._unique(place))
        self.constants[variants[-1]] = array
        return variants[-1]

    def integers(self, values: Any, name: str) -> str:
        """Adds a constant of integers, such as a shape or axes, and returns its name."""
        return self.constant(values, name, np.int64)

    def along(self, x: Tensor, axes: Sequence[int], weight: Any, name: str) -> str:
        """Adds a constant with some of the axes of a tensor, as `Tensor.along`."""
        return self.constant(x.along(axes, weight), name)

    def in_order(self, x: Tensor, order: Order) -> Tensor:
        """Returns a tensor with its axes stored in another order, transposed if necessary.

        Tensors that several operations need in the same order are transposed once.
        """
        if x.order == order:
            return x
        positions = tuple(map(x.position, order))
        # The name of a tensor and its axes are not enough, because a permutation gives other axes
        # to what is stored under the same name.
        key = (x.name, positions)
        if key not in self._reordered:
            if x.has_same_memory_in(order):
                self._reordered[key] = self._reshape(x.name, x.stored_shape_in(order))
            else:
                self._reordered[key] = self.node("Transpose", [x.name], perm=positions)
        return dataclasses.replace(x, name=self._reordered[key], order=order)

    def in_logical_order(self, x: Tensor) -> Tensor:
        """Returns a tensor with its axes stored in the order that the layers see."""
        return self.in_order(x, logical_order(x.rank))

    def reshaped(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """Returns a tensor with another shape of one example."""
        if not x.has_same_memory_in(logical_order(x.rank)):
            x = self.in_logical_order(x)
        name = self._reshape(x.name, shape)
        return Tensor(name, tuple(shape), logical_order(len(shape) + 1), x.dtype)

    def in_dtype(self, x: Tensor, dtype: str) -> Tensor:
        """Returns a tensor with another dtype."""
        if x.dtype == dtype:
            return x
        return dataclasses.replace(self.op("Cast", x, to=np.dtype(dtype)), dtype=dtype)

    def in_floats(self, x: Any) -> Any:
        """Returns tensors, one or a tuple, converted to floats."""
        return unflatten(x, [self.in_dtype(tensor, "float32") for tensor in flatten(x)])

    def with_outputs(self, tensors: Sequence[Tensor], names: Sequence[str]) -> list[Tensor]:
        """Gives names to the outputs of the graph and returns them.

        Args:
            tensors: The outputs.
            names: Their names, which must have been reserved.
        """
        computed = {output for node in self.nodes for output in node.outputs}
        renamed: dict[str, str] = {}
        for tensor, name in zip(tensors, names, strict=True):
            # Inputs, and outputs that are returned twice, keep their names.
            is_free = tensor.name in computed and tensor.name not in renamed
            renamed[tensor.name if is_free else self.node("Identity", [tensor.name])] = name
        self.nodes = [
            node._replace(
                inputs=tuple(renamed.get(name, name) for name in node.inputs),
                outputs=tuple(renamed.get(name, name) for name in node.outputs),
            )
            for node in self.nodes
        ]
        pairs = zip(tensors, names, strict=True)
        return [dataclasses.replace(tensor, name=name) for tensor, name in pairs]

    def _input(self, value: Tensor | float | str) -> str:
        if isinstance(value, Tensor):
            return value.name
        return value if isinstance(value, str) else self.constant(value)

    def _reshape(self, name: str, shape: Sequence[int]) -> str:
        # 0 is the size of the input along the axis, which is the batch.
        return self.node("Reshape", [name, self.integers([0, *shape], "shape")])

    def _unique(self, name: str) -> str:
        candidate, count = name, 0
        while candidate in self._names:
            count += 1
            candidate = f"{name}_{count}"
        self._names.add(candidate)
        return candidate

    @contextmanager
    def _scoped(self, name: str) -> Iterator[None]:
        before = self._scope
        self._scope = (*before, name) if name else before
        try:
            yield
        finally:
            self._scope = before
