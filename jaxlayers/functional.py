"""A graph of layers, as a layer."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self

import jax
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers._any_size import has_any_size
from jaxlayers._structure import (
    are_several_shapes,
    flatten,
    flatten_shapes,
    unflatten,
    unflatten_like_shapes,
)
from jaxlayers._symbolic import SymbolicTensor
from jaxlayers.composition import Composition, activation_before, layer_keys, notes
from jaxlayers.fusion import Apply, fused_convolution
from jaxlayers.graph.nodes import CallId, Node, Nodes, Output, Tensors, inputs_of
from jaxlayers.graph.order import Graph, graph_of, ordered, part_of, uses_of
from jaxlayers.graph.shapes import AnyShape, Shapes, infer_shapes
from jaxlayers.graph.tracing import traced
from jaxlayers.input_layer import InputLayer
from jaxlayers.layer import FinalActivation, Layer, Params, State, output_and_state
from jaxlayers.layers.arguments import example_shape, is_training
from jaxlayers.summary import summarize


class _Step(NamedTuple):
    """One step of the computation: a call of a layer, or two calls that are fused."""

    position: int
    call: CallId
    inputs: Any
    fused: Apply | None


@dataclass(frozen=True, repr=False)
class Functional(Composition):
    """A graph of layers; Keras's functional API.

    It is constructed from symbolic tensors: `Input` returns the first, and calling a layer on one
    returns the next. A layer object that is called several times has one set of weights.

    The constructed model is a plain value, which contains names and layers but no symbolic tensors:
    `inputs`, `outputs` and `nodes`. A model can also be constructed from them.

    `params` and `state` are dictionaries from layer names to the params and state of the layers;
    layers without any are omitted. The names are those passed to the calls of the layers, or
    Keras's: `conv2d`, `conv2d_1`, ... in the order in which the layers were constructed. A nested
    model has its own `name`. `items()` yields the layers in the order of Keras's `model.layers`,
    including the input layers. `model["conv2d"]` is a layer.

    A layer that is called several times updates its state in each call, in the order of the
    computation; its activity penalties are added. Each call has its own random key.

    Args:
        inputs: The inputs of the model: one symbolic tensor, or a tuple or dictionary of several. A
            tensor that is not from `Input` becomes an input as well, as in Keras. With `nodes`,
            names of input layers.
        outputs: The outputs of the model, likewise: `apply` returns a tuple or dictionary if there
            are several. With `nodes`, each is the name of a layer, or Keras's triple of the name,
            the position of the call among the calls of the layer, and the position of the output.
        name: Name of the model, for its summary and for models that contain it.
        nodes: The layers, each `(name, layer, calls)`, where `calls` is a list of the inputs of
            each call of the layer; `None` to take them from the symbolic tensors.
        fuse: Whether `apply` fuses pairs of layers, as described in `jaxlayers.fusion`, if the
            output of the first is not used elsewhere; the results are the same.

    Input shape:
        [batch, *shape of the input]; a tuple or list of arrays if there are several inputs, or a
        dictionary from names to arrays. The names are those of the dictionary `inputs`, or those of
        the input layers.

    Output shape:
        That of the last layers, in the form of `outputs`.

    Raises:
        ValueError: If the outputs depend on a tensor that does not depend on `inputs`, the graph
            has a cycle, names are not unique, or a layer does not accept its input shapes.

    Example:
        >>> from jaxlayers import Input, layers
        >>> image = Input((8, 8, 4))
        >>> x = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
        >>> x = layers.Conv2D(4, 3, padding="same")(x)
        >>> block = Functional(image, layers.Add()([image, x]), name="block")
        >>> params, state = block.init(jax.random.key(0))
        >>> sorted(params)
        ['conv2d', 'conv2d_1']
        >>> y, state = block.apply(params, state, jnp.ones((2, 8, 8, 4)))
        >>> y.shape
        (2, 8, 8, 4)
        >>> block.submodel("conv2d").output_shape()
        (8, 8, 4)
    """

    inputs: Tensors = Tensors()
    outputs: Tensors = Tensors()
    name: fields.Text = fields.Text(default="functional")
    nodes: fields.Optional[Sequence[Any], tuple[Node, ...]] = fields.Optional(Nodes())
    fuse: fields.Boolean = fields.Boolean(default=True)

    def __post_init__(self) -> None:
        inputs, outputs, nodes = flatten(self.inputs), flatten(self.outputs), self.nodes
        if isinstance(inputs[0], SymbolicTensor) != isinstance(outputs[0], SymbolicTensor) or (
            isinstance(inputs[0], SymbolicTensor) != (nodes is None)
        ):
            raise ValueError(
                "Functional: inputs and outputs must be symbolic tensors, from Input and calls of "
                f"layers, without nodes, or names with nodes, got {self.inputs!r}, "
                f"{self.outputs!r} and nodes {nodes!r}"
            )
        if len(set(inputs)) < len(inputs):
            raise ValueError(f"{self._label}: inputs must differ, got {self.inputs!r}")
        found = list(nodes or ())
        if nodes is None:
            found, inputs, outputs = traced(self._label, inputs, outputs)
        fields.set_fields(
            self,
            inputs=unflatten(self.inputs, inputs),
            outputs=unflatten(self.outputs, outputs),
            nodes=ordered(self._label, found, inputs, outputs),
        )
        self._check_shared_weights()

    @property
    def input_shape(self) -> Any:
        """The shape of one example; a tuple or dictionary of shapes if there are several inputs."""
        return unflatten(self.inputs, list(map(self._shapes().of, flatten(self.inputs))))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the layers."""
        return tuple(self._nodes)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, in the order of Keras's `model.layers`."""
        return tuple(node.layer for node in self._nodes.values())

    def init(self, key: Array, input_shape: Any = None) -> tuple[Params, State]:
        """Initializes the params and the state of all layers.

        Args:
            key: A JAX random key; that of a layer is `jax.random.fold_in(key, position)`, with its
                position in `layers`.
            input_shape: Shapes of one example; required if the inputs of the model have `None` for
                any size, otherwise those of the constructor.

        Returns:
            `params` and `state`, dictionaries from layer names to the params and state of the
            layers.

        Raises:
            ValueError: If `input_shape` is not that of the constructor, or is required and `None`.
        """
        shapes = self._shapes(input_shape)
        if any(None in shapes.of(output) for output in flatten(self.inputs)):
            raise ValueError(
                f"{self._label}: input_shape must be the shape of one example, because the model "
                f"was constructed for any size, {self.input_shape}, got {input_shape}"
            )
        self._check_key(key)
        params: Params = {}
        state: State = {}
        for position, (name, layer) in enumerate(self.items()):
            with self._notes(CallId(name)):
                initialized = layer.init(
                    jax.random.fold_in(key, position), shapes.inputs[CallId(name)]
                )
            for tree, weights in zip((params, state), initialized, strict=True):
                if weights:
                    tree[name] = weights
        return params, state

    def apply(
        self,
        params: Params,
        state: State,
        x: Any,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Any, State]:
        self._check_weights(params=params, state=state)
        if key is not None:
            self._check_key(key)
        training = is_training(self._label, training)
        values = dict(zip(flatten(self.inputs), self._input_arrays(x), strict=True))
        uses = self._uses.copy()
        keys = layer_keys(key, len(self._graph.calls))
        new_state: State = {}

        def take(output: Output) -> Any:
            # Values that are not used again are not kept in memory.
            uses[output] -= 1
            return values[output] if uses[output] else values.pop(output)

        for position, call, inputs, fused in self._steps():
            name, layer = call.layer, self._nodes[call.layer].layer
            arguments = unflatten(inputs, [take(output) for output in flatten(inputs)])
            is_repeated = name in new_state
            old = new_state[name] if is_repeated else state.get(name, {})
            with self._notes(call):
                if fused is not None:
                    y, new = fused(params.get(name, {}), old, arguments)
                else:
                    weights = params.get(name, {}), old
                    y, new = output_and_state(
                        layer,
                        layer.apply(*weights, arguments, training=training, key=keys[position]),
                    )
            if new:
                new_state[name] = _with_penalties_added(old, new) if is_repeated else new
            values |= {Output(*call, index): value for index, value in enumerate(flatten(y))}
        found = [values[output] for output in flatten(self.outputs)]
        return unflatten(self.outputs, found), new_state

    def output_shape(self, input_shape: Any = None) -> Any:
        """Returns the shape of one example of the output.

        Args:
            input_shape: Shapes of one example of the input, not required; those of the constructor,
                with integers in place of `None`.

        Returns:
            A shape; a tuple or dictionary of shapes if there are several outputs. It has `None`
            where it depends on one in the input shape.

        Raises:
            ValueError: If `input_shape` is not that of the constructor.
        """
        shapes = self._shapes(input_shape)
        return unflatten(self.outputs, list(map(shapes.of, flatten(self.outputs))))

    def layer_shapes(self, input_shape: Any = None) -> Iterator[tuple[Any, Any]]:
        """Yields the shapes of one example of the input and the output of each layer, in order.

        Those of a layer that is called several times are the shapes of the last call.

        Args:
            input_shape: As in `output_shape`.
        """
        shapes = self._shapes(input_shape)
        for name, node in self._nodes.items():
            call = CallId(name, max(0, len(node.calls) - 1))
            yield shapes.inputs[call], shapes.calls[call]

    def connections(self) -> Sequence[str] | None:
        """Returns the inputs of each layer, as in Keras's summary; `None` for a chain of layers."""
        if self._graph.is_chain:
            return None
        return [
            ", ".join(
                f"{output.layer}[{output.call}][{output.index}]"
                for call in node.calls
                for output in flatten(call)
            )
            or "-"
            for node in self._nodes.values()
        ]

    @property
    def output_values(self) -> Literal["computed", "mixed", "moved"]:
        calls = self._last_calls()
        found = {self._nodes[call.layer].layer.output_values for call in calls}
        if "computed" in found or not calls:
            return "computed"
        return "mixed" if "mixed" in found else "moved"

    def final_activation(self) -> FinalActivation | None:
        """Returns the final activation of the model; `None` if it is not known.

        It is not known if there are several outputs. It cannot be removed if its layer is called
        several times, because the other calls need it.
        """
        calls = self._last_calls()
        if not calls:
            return None
        call, *after = calls
        before, after_all = (self._shapes().calls[c] for c in (call, calls[-1]))
        found = activation_before(
            self._nodes[call.layer].layer.final_activation(),
            [self._nodes[c.layer].layer for c in after],
            None if has_any_size([before, after_all]) else lambda: (before, after_all),
        )
        is_shared = len(self._nodes[call.layer].calls) > 1
        return found._replace(removable=False) if found is not None and is_shared else found

    def logits(self) -> "Functional":
        found = self.final_activation()
        if found is None or not found.removable:
            return self
        name = self._last_calls()[0].layer
        return self.map_layers(lambda own, layer: layer.logits() if own == name else layer)

    def items(self) -> Iterator[tuple[str, Layer]]:
        """Yields the name of each layer and the layer, in the order of Keras's `model.layers`."""
        return zip(self.names, self.layers, strict=True)

    def map_layers(self, function: Callable[[str | None, Layer], Layer]) -> Self:
        nodes = self._nodes.values()
        return replace(
            self, nodes=[node._replace(layer=function(node.name, node.layer)) for node in nodes]
        )

    def submodel(self, name: str, call: int = 0) -> "Functional":
        """Returns the model from the inputs to the output of a layer, on the same params.

        Args:
            name: Name of the layer.
            call: Position among the calls of the layer; the first by default.

        Raises:
            KeyError: If there is no such layer.
            ValueError: If there is no such call.
        """
        self._layer(name)
        last = max(0, len(self._nodes[name].calls) - 1)
        call = fields.Integer(at_least=0, at_most=last).check(self._label, "call", call)
        shapes = self._shapes().calls[CallId(name, call)]
        found = [Output(name, call, index) for index in range(len(flatten_shapes(shapes)))]
        nodes, outputs = part_of(self._nodes, flatten(self.inputs), found)
        return replace(self, outputs=unflatten_like_shapes(shapes, outputs), nodes=nodes)

    def summary(self, input_shape: Any = None) -> str:
        """Returns Keras's summary table.

        It lists the name, output shape, number of parameters and inputs of each layer.

        Args:
            input_shape: As in `output_shape`.
        """
        return summarize(self, self.input_shape if input_shape is None else input_shape)

    def __getitem__(self, index: int | str) -> Layer:
        return self._layer(index)

    def __repr__(self) -> str:
        nodes = [
            f"({', '.join(map(repr, node if node.calls else node[:2]))})"
            for node in self._nodes.values()
        ]
        arguments = [f"{self.inputs!r}, {self.outputs!r}"]
        if self.name != "functional":
            arguments.append(f"name={self.name!r}")
        arguments.append(f"nodes=[{', '.join(nodes)}]")
        if not self.fuse:
            arguments.append("fuse=False")
        return f"Functional({', '.join(arguments)})"

    # What follows from the fields is computed once.

    @cached_property
    def _nodes(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes or ()}

    @cached_property
    def _graph(self) -> Graph:
        return graph_of(self._nodes, flatten(self.inputs), flatten(self.outputs))

    @cached_property
    def _uses(self) -> Counter[Output]:
        """How often each output of a call is the input of a call or an output of the model."""
        return uses_of(self._nodes, self._graph.calls, flatten(self.outputs))

    @cached_property
    def _constructed_shapes(self) -> Shapes:
        """The shapes that the model was constructed for."""
        given: dict[str, Any] = {}
        for output in flatten(self.inputs):
            given[output.layer] = self._nodes[output.layer].layer.input_shape
        return self._infer_shapes(given)

    def _shapes(self, input_shape: Any = None) -> Shapes:
        """Returns the shapes in the graph.

        Args:
            input_shape: Shapes of one example of the inputs; `None` for those of the constructor.

        Raises:
            ValueError: If they differ from those of the constructor.
        """
        if input_shape is None:
            return self._constructed_shapes
        shapes = self._in_order("input_shape", input_shape, are_several_shapes(input_shape))
        given: dict[str, AnyShape] = {}
        for output, shape in zip(flatten(self.inputs), shapes, strict=True):
            constructed = self._constructed_shapes.of(output)
            # Models that contain this one pass None for any size.
            is_any = None in constructed and None in shape
            given[output.layer] = tuple(shape) if is_any else example_shape(self._label, shape)
            if len(shape) != len(constructed) or any(
                allowed not in (None, size)
                for allowed, size in zip(constructed, given[output.layer], strict=True)
            ):
                raise ValueError(
                    f"{self._label}: input_shape must be {self.input_shape}, as in the "
                    f"constructor, got {input_shape}"
                )
        if not has_any_size(self.input_shape):
            return self._constructed_shapes
        return self._infer_shapes(given)

    def _infer_shapes(self, given: Mapping[str, AnyShape]) -> Shapes:
        return infer_shapes(self._nodes, self._graph.calls, given, self._notes)

    def _check_shared_weights(self) -> None:
        """Checks the shapes, and that the calls of each layer have weights of the same shapes."""
        for output in flatten(self.outputs):
            with notes(f"In the outputs of Functional {self.name!r}."):
                self._shapes().of(output)
        for name, node in self._nodes.items():
            inputs = self._shapes().inputs
            shapes = [inputs[CallId(name, call)] for call in range(len(node.calls))]
            for call, shape in enumerate(shapes[1:], 1):
                if has_any_size(shape) or has_any_size(shapes[0]):
                    continue
                if shape != shapes[0] and not _have_equal_weights(node.layer, shapes[0], shape):
                    raise ValueError(
                        f"{self._label}: all calls of {name!r}, {node.layer!r}, must have the same "
                        f"weights, got inputs of shape {shapes[0]} in its first call, and {shape} "
                        f"in call {call}, on {_listed(node.calls[call])}"
                    )

    def _notes(self, call: CallId) -> AbstractContextManager[None]:
        """Adds a note with the names of the layer, its inputs and the model to errors."""
        node = self._nodes[call.layer]
        on = f", called on {_listed(node.calls[call.call])}" if node.calls else ""
        return notes(f"In layer {call.layer!r} of Functional {self.name!r}{on}.")

    def _input_arrays(self, x: Any) -> list[Array]:
        """Returns the inputs in the order of `inputs`, with the dtypes of the input layers."""
        arrays = self._in_order("x", x, isinstance(x, tuple | list | Mapping))
        inputs = flatten(self.inputs)
        for output, array in zip(inputs, arrays, strict=True):
            what = "x" if len(inputs) == 1 else f"input {output.layer!r}"
            shape = self._shapes().of(output)
            self._check_rank(what, shape, array)
            self._check_sizes(what, shape, array)
        return [
            self._nodes[output.layer].layer.apply({}, {}, array)[0]
            for output, array in zip(inputs, arrays, strict=True)
        ]

    def _in_order(self, what: str, given: Any, are_several: bool) -> list[Any]:
        """Returns arrays or shapes in the order of the inputs.

        Args:
            what: Name of the argument.
            given: One value, a tuple or list, or a dictionary by the names of the inputs.
            are_several: Whether it is a tuple, list or dictionary.
        """
        inputs = flatten(self.inputs)
        by_name = isinstance(self.inputs, Mapping)
        names = sorted(self.inputs) if by_name else [output.layer for output in inputs]
        if are_several and isinstance(given, Mapping):
            if given.keys() == set(names):
                return [given[name] for name in names]
            got = f"a dictionary with the keys {sorted(given, key=str)}"
        elif not are_several and not by_name and len(inputs) == 1:
            return [given]
        elif are_several and not by_name and len(given) == len(inputs):
            return list(given)
        else:
            got = f"{len(given)}" if are_several else type(given).__name__
        allowed = "" if by_name or len(inputs) == 1 else f"a tuple of {len(inputs)}, or "
        raise ValueError(
            f"{self._label}: {what} must be {allowed}a dictionary with the keys {names}, got {got}"
        )

    def _steps(self) -> list[_Step]:
        """Returns the calls to compute, in order, each with the inputs and the function."""
        fused: dict[CallId, tuple[CallId, Apply]] = {}
        for call in self._graph.calls if self.fuse else ():
            inputs = inputs_of(self._nodes[call.layer], call.call)
            if len(inputs) == 1 and self._uses[inputs[0]] == 1:
                before = inputs[0].call_id
                apply = fused_convolution(*(self._nodes[c.layer].layer for c in (before, call)))
                if apply is not None:
                    fused[call] = before, apply
        omitted = {before for before, _ in fused.values()}
        steps = []
        for position, call in enumerate(self._graph.calls):
            source, apply = fused.get(call, (call, None))
            calls = self._nodes[source.layer].calls
            if calls and call not in omitted:
                steps.append(_Step(position, call, calls[source.call], apply))
        return steps

    def _last_calls(self) -> list[CallId]:
        """Returns the calls from the last one that computes values to the output, in order.

        There are none if there are several outputs, or all values are those of an input.
        """
        calls: list[CallId] = []
        outputs = flatten(self.outputs)
        while len(outputs) == 1:
            call = outputs[0].call_id
            layer = self._nodes[call.layer].layer
            if isinstance(layer, InputLayer):
                break
            calls.append(call)
            if layer.output_values != "computed":
                outputs = inputs_of(self._nodes[call.layer], call.call)
                continue
            break
        return calls[::-1]


def _listed(inputs: Any) -> str:
    """Returns the inputs of a call for an error message."""
    return " and ".join(map(str, flatten(inputs)))


def _have_equal_weights(layer: Layer, *shapes: Any) -> bool:
    """Returns whether a layer has weights of equal shapes for all input shapes."""
    first, *others = (
        jax.eval_shape(lambda key, shape=shape: layer.init(key, shape), jax.random.key(0))
        for shape in shapes
    )
    return all(first == other for other in others)


def _with_penalties_added(old: State, new: State) -> State:
    """Returns the state after one of several calls of a layer, with the sums of its penalties."""
    added: State = jax.tree_util.tree_map_with_path(
        lambda path, o, n: o + n if path[-1].key == "activity_penalty" else n, old, new
    )
    return added
