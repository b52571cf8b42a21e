"""The layers of a Keras model in its config, and the edges between them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard

from jaxlayers._structure import flatten, unflatten
from jaxlayers._text import short_repr
from jaxlayers.interop.keras import operations

Entry = Mapping[str, Any]

MODELS = ("Sequential", "Functional", "Model")
INPUTS = ("InputLayer",)

# The largest model of keras.applications has 1041.
MAX_LAYERS = 3000
MAX_CALLS = 2 * MAX_LAYERS


class GraphConfig(NamedTuple):
    """The config of a Functional model.

    Attributes:
        entries: The entries of the layers, by name.
        calls: The inputs of each call of each layer, by name: an output of a layer as Keras's
            triple of the name, the position of the call and the position of the output; a tuple of
            them, or a dictionary by name.
        inputs: The inputs of the model, in the same form.
        outputs: The outputs of the model, in the same form.
    """

    entries: dict[str, Entry]
    calls: dict[str, list[Any]]
    inputs: Any
    outputs: Any


def layers_of(class_name: str, config: Any) -> list[Entry]:
    """Returns the entries of the layers of a model, including those of its inputs.

    Args:
        class_name: One of `MODELS`.
        config: The config of the model; in early versions of Keras 2, the config of a Sequential is
            a list of layers.

    Raises:
        ValueError: If `config` is not the config of a model.
    """
    entries = config.get("layers") if isinstance(config, Mapping) else config
    if not isinstance(entries, list):
        raise ValueError(f"the config of a {class_name} must have a list of layers")
    if len(entries) > MAX_LAYERS + 1:
        raise ValueError(f"there are more than {MAX_LAYERS} layers, {len(entries)}")
    for entry in entries:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("class_name"), str):
            raise ValueError(
                f"{short_repr(entry)} is not the config of a layer, which is a dictionary with "
                "class_name"
            )
    return entries


def graph_of(config: Mapping[str, Any], entries: list[Entry]) -> GraphConfig:
    """Returns the layers and the edges of a Functional model.

    Args:
        config: The config of the model.
        entries: The entries of its layers.

    Raises:
        ValueError: If `config` is not the config of a Functional model.
    """
    by_name: dict[str, Entry] = {}
    calls: dict[str, list[Any]] = {}
    count = 0
    for entry in entries:
        name = _name(entry)
        if name in by_name:
            raise ValueError(f"several layers have the name {name!r}")
        nodes = entry.get("inbound_nodes")
        if not _is_list(nodes):
            raise ValueError(f"{name} ({entry['class_name']}) has no inbound_nodes")
        count += len(nodes)
        if count > MAX_CALLS:
            raise ValueError(f"there are more than {MAX_CALLS} calls of layers, {count}")
        if entry["class_name"] in INPUTS:
            nodes = []
        elif not nodes:
            raise ValueError(f"{name} ({entry['class_name']}) has no inputs")
        try:
            found = [_arguments(node) for node in nodes]
        except ValueError as error:
            raise ValueError(f"{name} ({entry['class_name']}): {error}") from None
        by_name[name], arguments = operations.as_layer(entry, found)
        calls[name] = [_call(name, entry, *each) for each in arguments]
    ends = (_references(config.get(key), key) for key in ("input_layers", "output_layers"))
    is_keras3 = any(isinstance(node, Mapping) for e in entries for node in e["inbound_nodes"])
    return _with_calls_from_zero(GraphConfig(by_name, calls, *ends), is_keras3)


def _with_calls_from_zero(graph: GraphConfig, is_keras3: bool) -> GraphConfig:
    """Returns the graph with the calls of each layer numbered from 0.

    Keras numbers those of a model that is a layer of another model from 1: Keras 3 only those of a
    Functional, and only in the outputs; Keras 2 also in the inputs of layers, and in some versions
    those of a Sequential.
    """

    def moved(inputs: Any, names: Collection[str]) -> Any:
        found = [
            (name, call - (call > 0 and name in names), i) for name, call, i in references(inputs)
        ]
        return found[0] if _is_triple(inputs) else unflatten(inputs, found)

    if is_keras3:
        names = {n for n, e in graph.entries.items() if e["class_name"] in MODELS[1:]}
        return graph._replace(outputs=moved(graph.outputs, names))
    first: dict[str, int] = {}
    every = [inputs for calls in graph.calls.values() for inputs in calls]
    for inputs in (*every, graph.outputs):
        for name, call, _ in references(inputs):
            first[name] = min(first.get(name, call), call)
    names = {n for n, e in graph.entries.items() if e["class_name"] in MODELS and first.get(n) == 1}
    return graph._replace(
        calls={
            name: [moved(inputs, names) for inputs in calls] for name, calls in graph.calls.items()
        },
        outputs=moved(graph.outputs, names),
    )


def _name(entry: Entry) -> str:
    config = entry.get("config")
    inside = config.get("name") if isinstance(config, Mapping) else None
    name = entry.get("name", inside)
    if not isinstance(name, str) or not 0 < len(name) < 256:
        raise ValueError(f"a layer of class {entry['class_name']} has no name")
    return name


def _call(name: str, entry: Entry, inputs: list[Any], options: Mapping[str, Any]) -> Any:
    """Returns the inputs of a call, after checking its arguments."""
    # Keras 3 records training=False for each Dropout that was called without this argument, and
    # overrides it when the model is called with training=True, as in training.
    if any(
        value is not None and not (key == "training" and value is False)
        for key, value in options.items()
    ):
        raise ValueError(
            f"{name} ({entry['class_name']}) is called with {short_repr(dict(options))}, "
            "which is not supported"
        )
    if len(inputs) != 1:
        raise ValueError(
            f"{name} ({entry['class_name']}) is called with {len(inputs)} arguments; only one is "
            "supported, which may be a list"
        )
    return inputs[0]


def _arguments(node: Any) -> tuple[list[Any], Mapping[str, Any]]:
    """Returns the positional and the other arguments of a call of a layer.

    Tensors in the former are replaced by references.
    """
    if isinstance(node, Mapping):  # Keras 3
        arguments, options = node.get("args"), node.get("kwargs") or {}
        if not isinstance(arguments, list | tuple) or not isinstance(options, Mapping):
            raise ValueError(f"{short_repr(node)} is not a call of a layer")
        return [_argument(value) for value in arguments], options
    if _is_list(node) and node and isinstance(node[0], str):
        node = [node]
    if not _is_list(node) or not node:
        raise ValueError(f"{short_repr(node)} is not a call of a layer")
    found, options = [], {}
    for tensor in node:
        if not _is_list(tensor) or len(tensor) not in (3, 4):
            raise ValueError(f"{short_repr(tensor)} is not an output of a layer")
        found.append(_reference(tensor[:3], tensor))
        options = tensor[3] if len(tensor) == 4 else options
        if not isinstance(options, Mapping):
            raise ValueError(f"{short_repr(node)} is not a call of a layer")
    return [found[0] if len(found) == 1 else tuple(found)], options


def _argument(value: Any) -> Any:
    """Returns an argument with references in place of Keras's tensors."""
    if _is_list(value) and value:
        return tuple(map(_tensor, value))
    if isinstance(value, Mapping) and "class_name" not in value and value:
        return {str(name): _tensor(tensor) for name, tensor in value.items()}
    return _tensor(value) if isinstance(value, Mapping) else value


def _tensor(value: Any) -> tuple[str, int, int]:
    config = value.get("config") if isinstance(value, Mapping) else None
    history = config.get("keras_history") if isinstance(config, Mapping) else None
    return _reference(history, value)


def _references(value: Any, key: str) -> Any:
    """Returns references to the inputs or outputs of the model."""
    # Keras 3 writes [name, 0, 0] for a single layer, Keras 2 writes [[name, 0, 0]].
    if _is_list(value) and len(value) == 3 and isinstance(value[0], str):
        return _reference(value, value)
    if _is_list(value) and value:
        found = tuple(_reference(each, each) for each in value)
        return found[0] if len(found) == 1 else found
    if isinstance(value, Mapping) and value:
        return {str(name): _reference(each, each) for name, each in value.items()}
    raise ValueError(f"{key} must be outputs of layers, at least one, got {short_repr(value)}")


def _reference(history: Any, tensor: Any) -> tuple[str, int, int]:
    if (
        not _is_list(history)
        or len(history) != 3
        or not isinstance(history[0], str)
        or not all(type(at) is int and 0 <= at < 2**31 for at in history[1:])
    ):
        raise ValueError(f"{short_repr(tensor)} is not an output of a layer")
    return history[0], history[1], history[2]


def _is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    # Keras's get_config returns tuples, which are lists in its files.
    return isinstance(value, list | tuple)


def _is_triple(value: Any) -> bool:
    return isinstance(value, tuple) and isinstance(value[0], str)


def references(inputs: Any) -> Iterator[tuple[str, int, int]]:
    """Yields the references in the inputs of a call, or in the inputs or outputs of a model."""
    yield from [inputs] if _is_triple(inputs) else flatten(inputs)
