"""The layers of a Keras model in the order in which they are applied.

Only a chain of layers is supported: one input, one output, no branches, no shared layers.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from jaxlayers._text import short_repr

Entry = Mapping[str, Any]

MODELS = ("Sequential", "Functional", "Model")
INPUTS = ("InputLayer",)

# No chain of layers in practice has as many.
MAX_LAYERS = 1000


def layers_of(class_name: str, config: Any) -> list[Entry]:
    """Returns the entries of the layers of a model, first to last, including the input.

    Args:
        class_name: One of `MODELS`.
        config: The config of the model; in early versions of Keras 2, the config of a Sequential is
            a list of layers.

    Raises:
        ValueError: If the model is not a chain, or `config` is not the config of a model.
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
    return entries if class_name == "Sequential" else _ordered(config, entries)


def _ordered(config: Mapping[str, Any], entries: list[Entry]) -> list[Entry]:
    """Returns the layers of a Functional model from its input to its output."""
    (first,) = _ends(config, "input_layers", "inputs")
    (last,) = _ends(config, "output_layers", "outputs")
    by_name = {_name(entry): entry for entry in entries}
    followers: dict[str, str] = {}
    for name, entry in by_name.items():
        sources = _sources(name, entry)
        if not sources and entry["class_name"] in INPUTS and name == first:
            continue
        (source,) = sources if len(sources) == 1 else (None,)
        if source is None:
            raise ValueError(
                f"{name} ({entry['class_name']}) has {len(sources)} inputs; only a chain of layers "
                "is supported, in which each layer has one input"
            )
        if source in followers:
            raise ValueError(
                f"{source} is the input of both {followers[source]} and {name}; only a chain of "
                "layers is supported, without branches"
            )
        followers[source] = name
    order = [first]
    while order[-1] in followers and len(order) <= len(entries):
        order.append(followers[order[-1]])
    if len(by_name) != len(entries) or len(order) != len(entries) or order[-1] != last:
        raise ValueError(f"the layers are not a chain from {first} to {last}")
    if not set(order) <= by_name.keys():
        raise ValueError(f"some layers between {first} and {last} are missing")
    return [by_name[name] for name in order]


def _ends(config: Mapping[str, Any], key: str, what: str) -> list[str]:
    """Returns the name of the single input or output layer of the model."""
    found = config.get(key)
    # Keras 3 writes [name, 0, 0] for a single layer, Keras 2 writes [[name, 0, 0]].
    if isinstance(found, list) and len(found) == 3 and isinstance(found[0], str):
        found = [found]
    if not isinstance(found, list) or len(found) != 1:
        count = len(found) if isinstance(found, list | dict) else "no"
        raise ValueError(f"the model has {count} {what}; only models with one are supported")
    (end,) = found
    if not isinstance(end, list) or not end or not isinstance(end[0], str):
        raise ValueError(f"{short_repr(found)} does not name a layer")
    return [end[0]]


def _name(entry: Entry) -> str:
    config = entry.get("config")
    inside = config.get("name") if isinstance(config, Mapping) else None
    name = entry.get("name", inside)
    if not isinstance(name, str):
        raise ValueError(f"a layer of class {entry['class_name']} has no name")
    return name


def _sources(name: str, entry: Entry) -> list[str]:
    """Returns the names of the layers whose outputs are the inputs of this one."""
    nodes = entry.get("inbound_nodes")
    if not isinstance(nodes, list):
        raise ValueError(f"{name} ({entry['class_name']}) has no inbound_nodes")
    if len(nodes) > 1:
        raise ValueError(
            f"{name} ({entry['class_name']}) is used {len(nodes)} times; shared layers are not "
            "supported"
        )
    sources = []
    for node in nodes:
        for source, index, output, options in _tensors(node):
            if index != 0 or output != 0:
                raise ValueError(f"{name} uses an output of {source} other than its first")
            if any(value not in (None, False) for value in options.values()):
                raise ValueError(
                    f"{name} ({entry['class_name']}) is called with {short_repr(dict(options))}, "
                    "which is not supported"
                )
            sources.append(source)
    return sources


def _tensors(node: Any) -> Iterator[tuple[str, Any, Any, Mapping[str, Any]]]:
    """Yields the layer, its node, its output index and the options of each input of a node."""
    if isinstance(node, Mapping):  # Keras 3
        arguments, options = node.get("args"), node.get("kwargs") or {}
        if not isinstance(arguments, list) or not isinstance(options, Mapping):
            raise ValueError(f"{short_repr(node)} is not a call of a layer")
        for tensor in arguments:
            if isinstance(tensor, list):
                yield from _tensors({"args": tensor, "kwargs": options})
                continue
            config = tensor.get("config") if isinstance(tensor, Mapping) else None
            history = config.get("keras_history") if isinstance(config, Mapping) else None
            yield *_history(history, tensor), options
        return
    if isinstance(node, list) and node and isinstance(node[0], str):
        node = [node]
    if not isinstance(node, list):
        raise ValueError(f"{short_repr(node)} is not a call of a layer")
    for tensor in node:
        options = tensor[3] if isinstance(tensor, list) and len(tensor) == 4 else {}
        if not isinstance(options, Mapping):
            raise ValueError(f"{short_repr(node)} is not a call of a layer")
        yield *_history(tensor[:3] if isinstance(tensor, list) else None, tensor), options


def _history(history: Any, tensor: Any) -> tuple[str, Any, Any]:
    if not isinstance(history, list) or len(history) != 3 or not isinstance(history[0], str):
        raise ValueError(f"{short_repr(tensor)} is not an output of a layer")
    return history[0], history[1], history[2]
