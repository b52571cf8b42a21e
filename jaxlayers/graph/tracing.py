"""Conversion of symbolic tensors into graphs of layers by name."""

from collections.abc import Sequence

from jaxlayers._structure import flatten, unflatten
from jaxlayers._symbolic import Call, SymbolicTensor
from jaxlayers.composition import complete_names
from jaxlayers.graph.nodes import CallId, Node, Output
from jaxlayers.graph.order import check_unique
from jaxlayers.input_layer import InputLayer


def traced(
    owner: str, inputs: Sequence[SymbolicTensor], outputs: Sequence[SymbolicTensor]
) -> tuple[list[Node], list[Output], list[Output]]:
    """Converts a graph of symbolic tensors into one of names.

    A tensor in `inputs` that is the output of another layer becomes an input of the model, as in
    Keras; the layers before it are not part of the graph.

    Args:
        owner: The model, for error messages.
        inputs: The inputs of the model.
        outputs: The outputs of the model.

    Returns:
        The layers, and `inputs` and `outputs` by name.

    Raises:
        ValueError: If the names of the layers are not unique.
    """
    replacements = {
        tensor: SymbolicTensor(tensor.shape, Call(InputLayer(tensor.shape[1:]), (), None))
        for tensor in inputs
        if not isinstance(tensor.call.layer, InputLayer)
    }

    def resolve(tensor: SymbolicTensor) -> SymbolicTensor:
        return replacements.get(tensor, tensor)

    found: dict[Call, None] = {}
    pending = [resolve(tensor).call for tensor in (*inputs, *outputs)]
    while pending:
        call = pending.pop()
        if call not in found:
            found[call] = None
            pending += [resolve(tensor).call for tensor in flatten(call.inputs)]
    # Layers are told apart by identity, and numbered in the order of construction, as in Keras.
    calls_of: dict[int, list[Call]] = {}
    for call in sorted(found, key=lambda call: (call.layer._construction, call.position)):
        calls_of.setdefault(id(call.layer), []).append(call)
    layers = [calls[0].layer for calls in calls_of.values()]
    given = [_given_name(owner, calls) for calls in calls_of.values()]
    check_unique(owner, [name for name in given if name is not None])
    names = complete_names(layers, given)
    ids = {
        call: CallId(name, position)
        for name, calls in zip(names, calls_of.values(), strict=True)
        for position, call in enumerate(calls)
    }

    def output_of(tensor: SymbolicTensor) -> Output:
        tensor = resolve(tensor)
        return Output(*ids[tensor.call], tensor.index)

    nodes = [
        Node(
            name,
            layer,
            tuple(
                unflatten(call.inputs, list(map(output_of, flatten(call.inputs))))
                for call in calls
                if not isinstance(layer, InputLayer)
            ),
        )
        for name, layer, calls in zip(names, layers, calls_of.values(), strict=True)
    ]
    return nodes, list(map(output_of, inputs)), list(map(output_of, outputs))


def _given_name(owner: str, calls: Sequence[Call]) -> str | None:
    """Returns the name that was passed to the calls of a layer."""
    names = {call.name for call in calls} - {None}
    if len(names) > 1:
        raise ValueError(
            f"{owner}: all calls of {calls[0].layer!r} must have the same name, "
            f"got {sorted(map(str, names))}"
        )
    return names.pop() if names else None
