"""The order in which the layers of a graph are computed, which is Keras's."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from jaxlayers._structure import flatten, unflatten
from jaxlayers.graph.nodes import CallId, Node, Output, inputs_of
from jaxlayers.input_layer import InputLayer


class Graph(NamedTuple):
    """The order of a graph.

    Args:
        layers: Names of the layers in the order of Keras's `model.layers`.
        calls: The calls that the outputs depend on and those of all inputs, in the order in which
            Keras computes them.
        is_chain: Whether each layer is called once, on the output of the layer before.
    """

    layers: list[str]
    calls: list[CallId]
    is_chain: bool


def graph_of(
    nodes: Mapping[str, Node], inputs: Sequence[Output], outputs: Sequence[Output]
) -> Graph:
    """Orders the layers and the calls of a graph as Keras does: by their distance to the outputs.

    The distance of a call is the length of the longest path from it to an output, at least that of
    later calls of the same layer.

    Args:
        nodes: The layers by name.
        inputs: The inputs of the model.
        outputs: The outputs of the model.

    Raises:
        ValueError: If the graph has a cycle.
    """
    first_visits: dict[str, int] = {}
    visited = _post_order(nodes, [output.call_id for output in outputs], first_visits)
    distances: dict[CallId, int] = {}
    layer_distances: dict[str, int] = {}
    for call in reversed(visited):
        distance = max(distances.setdefault(call, 0), layer_distances.get(call.layer, 0))
        layer_distances[call.layer] = distances[call] = distance
        for source in inputs_of(nodes[call.layer], call.call):
            farther = max(distance + 1, distances.get(source.call_id, 0))
            distances[source.call_id] = farther
    for unused in inputs:
        if unused.layer not in layer_distances:
            layer_distances[unused.layer] = distances[unused.call_id] = 0
            first_visits[unused.layer] = -1
    layers = sorted(layer_distances, key=lambda name: (-layer_distances[name], first_visits[name]))
    calls = sorted(distances, key=lambda call: -distances[call])
    is_chain = len(layers) == len(calls) == len(set(distances.values())) and all(
        len(inputs_of(nodes[call.layer], call.call)) <= 1 for call in calls
    )
    return Graph(layers, calls, is_chain)


def _post_order(
    nodes: Mapping[str, Node], ends: Sequence[CallId], first_visits: dict[str, int]
) -> list[CallId]:
    """Returns the calls that `ends` depend on, each after those of its inputs.

    It is not recursive, since graphs may be deeper than Python's limit of recursion.

    Args:
        nodes: The layers by name.
        ends: Calls to start from.
        first_visits: Receives the order in which the layers are visited.
    """
    finished: dict[CallId, None] = {}
    path: list[tuple[CallId, Iterator[CallId]]] = []
    on_path: set[CallId] = set()

    def visit(call: CallId) -> None:
        first_visits.setdefault(call.layer, len(first_visits))
        sources = (source.call_id for source in inputs_of(nodes[call.layer], call.call))
        path.append((call, sources))
        on_path.add(call)

    for end in ends:
        if end not in finished:
            visit(end)
        while path:
            call, sources = path[-1]
            source = next(sources, None)
            if source is None:
                path.pop()
                on_path.remove(call)
                finished[call] = None
            elif source in on_path:
                calls = [call for call, _ in path]
                cycle = [source, *reversed(calls[calls.index(source) :])]
                names = " -> ".join(call.layer for call in cycle)
                raise ValueError(f"nodes must not have a cycle, got {names}")
            elif source not in finished:
                visit(source)
    return list(finished)


def uses_of(
    nodes: Mapping[str, Node], calls: Sequence[CallId], outputs: Sequence[Output]
) -> Counter[Output]:
    """Counts how often each output of a call is the input of a call or an output of the model."""
    uses = Counter(outputs)
    for call in calls:
        uses.update(inputs_of(nodes[call.layer], call.call))
    return uses


def part_of(
    nodes: Mapping[str, Node], inputs: Sequence[Output], outputs: Sequence[Output]
) -> tuple[list[Node], list[Output]]:
    """Returns the part of a graph that `outputs` depend on, and the outputs in this part.

    All inputs remain. The calls of a layer are numbered anew if some of them are omitted.
    """
    kept: dict[str, list[int]] = {}
    for call in sorted(graph_of(nodes, inputs, outputs).calls):
        kept.setdefault(call.layer, []).append(call.call)

    def renumbered(output: Output) -> Output:
        return Output(output.layer, kept[output.layer].index(output.call), output.index)

    part = []
    for name, node in nodes.items():
        if name in kept:
            calls = [node.calls[call] for call in kept[name] if node.calls]
            renumbered_calls = (unflatten(c, list(map(renumbered, flatten(c)))) for c in calls)
            part.append(node._replace(calls=tuple(renumbered_calls)))
    return part, list(map(renumbered, outputs))


def ordered(
    owner: str, nodes: Sequence[Node], inputs: Sequence[Output], outputs: Sequence[Output]
) -> list[Node]:
    """Checks a graph and returns its layers in the order of Keras's `model.layers`.

    Args:
        owner: The model, for error messages.
        nodes: The layers in any order.
        inputs: The inputs of the model.
        outputs: The outputs of the model.

    Raises:
        ValueError: If names are not unique, an input or output does not exist, the outputs depend
            on an input layer that is not in `inputs`, or the graph has a cycle or layers that no
            output depends on.
    """
    check_unique(owner, [node.name for node in nodes])
    by_name = {node.name: node for node in nodes}
    for what, used in (
        ("outputs", outputs),
        *(
            (f"the inputs of {node.name!r}", inputs_of(node, call))
            for node in nodes
            for call in range(len(node.calls))
        ),
    ):
        for output in used:
            node = by_name.get(output.layer)
            if node is None or output.call >= max(1, len(node.calls)):
                raise ValueError(
                    f"{owner}: {what} must be calls of layers of nodes, got {output!r}"
                )
    for output in inputs:
        node = by_name.get(output.layer)
        if node is None or not isinstance(node.layer, InputLayer) or output.call or output.index:
            raise ValueError(f"{owner}: inputs must be input layers of nodes, got {output!r}")
    try:
        graph = graph_of(by_name, inputs, outputs)
    except ValueError as error:
        raise ValueError(f"{owner}: {error}") from None
    given = {output.layer for output in inputs}
    for call in graph.calls:
        if isinstance(by_name[call.layer].layer, InputLayer) and call.layer not in given:
            raise ValueError(
                f"{owner}: inputs must include every input that the outputs depend on; "
                f"{call.layer!r}, {by_name[call.layer].layer!r}, is missing"
            )
    reached = {*graph.calls}
    for node in nodes:
        for position in range(max(1, len(node.calls))):
            if (node.name, position) not in reached:
                raise ValueError(
                    f"{owner}: outputs must depend on all nodes, they do not on call {position} of "
                    f"{node.name!r}"
                )
    return [by_name[name] for name in graph.layers]


def check_unique(owner: str, names: Sequence[str]) -> None:
    """Raises an error if names of layers are not unique."""
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(
            f"{owner}: names of layers must be unique, got {repeated[0]!r} for several layers"
        )
