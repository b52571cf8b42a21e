"""Where weights lie in a file of Keras 2, which names them.

Each layer has a group that is called after it, whose attribute `weight_names` says where its
weights are.
"""

from jaxlayers.interop.keras.hdf5 import Node, Stored
from jaxlayers.interop.keras.problems import Problems
from jaxlayers.interop.keras.weights import Weight


def read_named(group: Node, wanted: list[Weight], problems: Problems) -> dict[Weight, Stored]:
    """Returns the stored array of each weight, from a file of Keras 2."""
    names = _strings(group, "layer_names")
    if names is None:
        raise ValueError("holds no weights of a Keras model: it has no layer_names")
    if len(set(names)) != len(names):
        raise ValueError("is damaged: layer_names has a name twice")
    groups: dict[str, dict[str, Stored]] = {}
    for name in [*names, "top_level_model_weights"]:
        node = _at(group, name)
        arrays = {} if node is None else _named_arrays(node)
        if arrays:
            groups[name] = arrays
    expected: dict[str, list[Weight]] = {}
    for weight in wanted:
        expected.setdefault(weight.layer[0], []).append(weight)
    if groups.keys() != expected.keys() and len(groups) == len(expected):
        # Weights for a model whose layers have other names, in the same order.
        groups = dict(zip(expected, groups.values(), strict=True))
    found: dict[Weight, Stored] = {}
    for name, weights in expected.items():
        found |= _matched(name, weights, groups.pop(name, {}), problems)
    for name, arrays in groups.items():
        for place, array in arrays.items():
            problems.add(f"{name}: {place}, shape {array.shape}; the model has no such weight")
    return found


def has_names(root: Node) -> bool:
    """Whether a file of weights is of Keras 2, which names them."""
    return _strings(root, "layer_names") is not None


def _strings(node: Node, name: str) -> list[str] | None:
    """Returns the strings of an attribute, which Keras cuts in pieces where it is long."""
    whole = node.strings(name)
    if whole is not None:
        return whole
    pieces: list[str] = []
    count = 0
    while (piece := node.strings(f"{name}{count}")) is not None:
        pieces += piece
        count += 1
    return pieces if count else None


def _at(node: Node, path: str) -> Node | None:
    """Returns what lies at a path below a group."""
    found: Node | None = node
    for name in path.split("/"):
        found = None if found is None else found.children.get(name)
    return found


def _named_arrays(group: Node) -> dict[str, Stored]:
    """Returns the arrays of a layer, in the order in which the file names them."""
    arrays = {}
    for name in _strings(group, "weight_names") or []:
        node = _at(group, name)
        if node is None or not node.is_array:
            raise ValueError(f"is damaged: {group.path} has no array {name!r}")
        arrays[name] = node.array
    return arrays


def _end(place: str) -> tuple[str, str]:
    """Returns the names of the layer and the weight in `model/dense/kernel:0`."""
    above, _, name = place.partition(":")[0].rpartition("/")
    return above.rpartition("/")[2], name


def _matched(
    name: str, weights: list[Weight], arrays: dict[str, Stored], problems: Problems
) -> dict[Weight, Stored]:
    """Returns the stored arrays of the weights of a layer or of a model inside the model."""
    called = {_end(place): place for place in arrays}
    ends = {(weight.layer[-1], weight.name): weight for weight in weights}
    if len(ends) == len(weights) and ends.keys() == called.keys() and len(called) == len(arrays):
        return {ends[end]: arrays[place] for end, place in called.items()}
    # Other names: Keras's order is that of the layers, what is trained first.
    in_order = sorted(weights, key=lambda weight: not weight.trained)
    found = {}
    for weight, (place, array) in zip(in_order, arrays.items(), strict=False):
        if _end(place)[1] == weight.name:
            found[weight] = array
        else:
            problems.add(f"{weight}: the file has {place} in its place")
    for weight in in_order[len(arrays) :]:
        problems.add(f"{weight}: missing")
    for place in list(arrays)[len(in_order) :]:
        problems.add(f"{name}: {place}, shape {arrays[place].shape}; the model has no such weight")
    return found
