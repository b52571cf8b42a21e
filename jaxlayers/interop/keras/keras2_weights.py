"""The weights in files of Keras 2, which are located by name.

Each layer has a group with its name, whose attribute `weight_names` lists the paths of its weights.
"""

from jaxlayers.interop.errors import Problems
from jaxlayers.interop.keras.hdf5 import Node, StoredArray
from jaxlayers.interop.keras.legacy_names import modern_weight
from jaxlayers.interop.keras.weights import Weight


def read_keras2_weights(
    group: Node, wanted: list[Weight], problems: Problems
) -> dict[Weight, StoredArray]:
    """Returns the stored array of each weight, from a file of Keras 2."""
    names = _strings(group, "layer_names")
    if names is None:
        raise ValueError("contains no weights of a Keras model: layer_names is missing")
    if len(set(names)) != len(names):
        raise ValueError("is damaged: layer_names has a duplicate name")
    groups: dict[str, dict[str, StoredArray]] = {}
    for name in [*names, "top_level_model_weights"]:
        node = _at(group, name)
        arrays = {} if node is None else _arrays(node)
        if arrays:
            groups[name] = arrays
    expected: dict[str, list[Weight]] = {}
    for weight in wanted:
        expected.setdefault(weight.layer[0], []).append(weight)
    if groups.keys() != expected.keys() and len(groups) == len(expected):
        # The layers of the model have other names, but the same order.
        groups = dict(zip(expected, groups.values(), strict=True))
    found: dict[Weight, StoredArray] = {}
    for name, weights in expected.items():
        found |= _match(name, weights, groups.pop(name, {}), problems)
    for name, arrays in groups.items():
        for location, array in arrays.items():
            problems.add(f"{name}: {location}, shape {array.shape}; the model has no such weight")
    return found


def is_keras2(root: Node) -> bool:
    """Returns whether a file of weights was written by Keras 2."""
    return _strings(root, "layer_names") is not None


def _strings(node: Node, name: str) -> list[str] | None:
    """Returns the strings of an attribute, which Keras splits into several if it is long."""
    whole = node.strings(name)
    if whole is not None:
        return whole
    parts: list[str] = []
    count = 0
    while (part := node.strings(f"{name}{count}")) is not None:
        parts += part
        count += 1
    return parts if count else None


def _at(node: Node, path: str) -> Node | None:
    """Returns the node at a path below a group."""
    found: Node | None = node
    for name in path.split("/"):
        found = None if found is None else found.children.get(name)
    return found


def _arrays(group: Node) -> dict[str, StoredArray]:
    """Returns the arrays of a layer, in the order of `weight_names`."""
    arrays = {}
    for name in _strings(group, "weight_names") or []:
        node = _at(group, name)
        if node is None or not node.is_array:
            raise ValueError(f"is damaged: {group.path} has no array {name!r}")
        arrays[name] = node.array
    return arrays


def _layer_and_weight(location: str) -> tuple[str, str]:
    """Returns the names of the layer and the weight in `model/dense/kernel:0`."""
    above, _, name = location.partition(":")[0].rpartition("/")
    return above.rpartition("/")[2], name


def _match(
    name: str, weights: list[Weight], arrays: dict[str, StoredArray], problems: Problems
) -> dict[Weight, StoredArray]:
    """Returns the stored arrays of the weights of a layer or of a nested model."""
    of_layers: dict[str, set[str]] = {}
    for weight in weights:
        of_layers.setdefault(weight.layer[-1], set()).add(weight.name)
    names = {}
    for location in arrays:
        layer, old_name = _layer_and_weight(location)
        names[layer, modern_weight(old_name, of_layers.get(layer, ()))] = location
    ends = {(weight.layer[-1], weight.name): weight for weight in weights}
    if len(ends) == len(weights) and ends.keys() == names.keys() and len(names) == len(arrays):
        return {ends[end]: arrays[location] for end, location in names.items()}
    # If the names differ, weights are in the order of the layers, trainable weights first.
    in_order = sorted(weights, key=lambda weight: not weight.trainable)
    found = {}
    for weight, (location, array) in zip(in_order, arrays.items(), strict=False):
        _, old_name = _layer_and_weight(location)
        if modern_weight(old_name, of_layers[weight.layer[-1]]) == weight.name:
            found[weight] = array
        else:
            problems.add(f"{weight}: the file has {location} in its place, which has another name")
    for weight in in_order[len(arrays) :]:
        problems.add(f"{weight}: missing")
    for location in list(arrays)[len(in_order) :]:
        problems.add(
            f"{name}: {location}, shape {arrays[location].shape}; the model has no such weight"
        )
    return found
