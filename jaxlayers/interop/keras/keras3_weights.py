"""The weights in files of Keras 3, which are located by number.

Each layer has a group that is named after its class, with a number if there are several, such as
`layers/conv2d_1`. It contains the numbered weights, such as `layers/conv2d_1/vars/0`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from jaxlayers.composition import Composition, snake_case
from jaxlayers.interop.errors import Problems
from jaxlayers.interop.keras.hdf5 import Node, StoredArray
from jaxlayers.interop.keras.weights import Path, Weight
from jaxlayers.layer import Layer
from jaxlayers.layers.wrapper import unwrapped
from jaxlayers.sequential import Sequential


def group_paths(
    model: Layer, group: Node | None = None, above: Path = ()
) -> Iterator[tuple[Path, str]]:
    """Yields the path of each layer, and the path of its group in a file of Keras 3.

    Args:
        model: A `Sequential` or `Functional`, also in wrappers.
        group: The group of a file with the layers of the model, to determine which Sequential
            models in the model are Functional in the file, where their groups have another name.
        above: The path of the model.

    Raises:
        ValueError: If the Functional models cannot be determined from the file.
    """
    counts: Counter[str] = Counter()
    composition = unwrapped(model)
    assert isinstance(composition, Composition)
    for name, layer in composition.items():
        inside, path = unwrapped(layer), (*above, name)
        nested = isinstance(inside, Composition)
        kind = snake_case(type(inside).__name__)
        if isinstance(inside, Sequential) and group is not None:
            kind = _kind_in_file(name, group, counts)
        location = f"layers/{_next(kind, counts)}"
        member = None if group is None else group.children.get(_next(kind, counts))
        counts[kind] += 1
        if not nested:
            yield path, location
            continue
        below = None if member is None else _layers_group(member)
        for inner_path, where in group_paths(inside, below, path):
            yield inner_path, f"{location}/{where}"


def array_paths(weights: Sequence[Weight]) -> Iterator[tuple[str, Weight]]:
    """Yields the paths of arrays below the group of a layer, and the weights they belong to.

    Args:
        weights: The weights of the layer, in Keras's order.
    """
    if not any(weight.name == "vector_u" for weight in weights):
        for position, weight in enumerate(weights):
            yield f"vars/{position}", weight
        return
    # Spectral normalization stores the kernel of the wrapped layer a second time.
    kernel, *others, vector = weights
    yield "vars/0", kernel
    yield "vars/1", vector
    for position, weight in enumerate((kernel, *others)):
        yield f"layer/vars/{position}", weight


def read_keras3_weights(
    root: Node,
    model: Layer,
    wanted: list[Weight],
    problems: Problems,
) -> dict[Weight, StoredArray]:
    """Returns the stored array of each weight, from a file of Keras 3.

    Args:
        root: Root group of the file.
        model: As in `group_paths`.
        wanted: The weights of the model.
        problems: Collects missing and additional weights.
    """
    top = _layers_group(root)
    if top is None:
        raise ValueError("contains no weights of a Keras model: the group 'layers' is missing")
    locations = dict(group_paths(model, top))
    layers = top.path.strip("/")
    own = root.children.get("vars")
    stored = dict(_arrays(top))
    stored |= {} if own is None else dict(_arrays(own))
    found = {}
    for path, weights in _by_layer(wanted).items():
        for below, weight in array_paths(weights):
            location = f"/{locations[path]}/{below}".replace("/layers", f"/{layers}")
            if location in stored:
                found[weight] = stored.pop(location)
            else:
                problems.add(f"{weight}: missing, there is no {location}")
    for location, array in stored.items():
        problems.add(f"{location}: shape {array.shape}; the model has no such weight")
    return found


def _kind_in_file(name: str, group: Node | None, counts: Counter[str]) -> str:
    """Returns whether a nested model is `"sequential"` or `"functional"` in a file."""
    members = {} if group is None else group.children
    found = [kind for kind in ("sequential", "functional") if _next(kind, counts) in members]
    if len(found) == 2:
        # The order is not stored, but newer versions of Keras store the names.
        found = [
            kind
            for kind in found
            if (own := members[_next(kind, counts)].children.get("vars")) is not None
            and own.strings("name") == [name]
        ]
        if len(found) != 1:
            raise ValueError(
                f"contains weights of Sequential and of Functional models, but does not specify "
                f"which are those of {name}; load a .keras archive, which does"
            )
    return found[0] if found else "sequential"


def _next(kind: str, counts: Counter[str]) -> str:
    return f"{kind}_{counts[kind]}" if counts[kind] else kind


def _layers_group(node: Node) -> Node | None:
    # The second name is used by TensorFlow's Keras 2.12.
    members = node.children
    return members.get("layers") or members.get("_layer_checkpoint_dependencies")


def _by_layer(wanted: list[Weight]) -> dict[Path, list[Weight]]:
    layers: dict[Path, list[Weight]] = {}
    for weight in wanted:
        layers.setdefault(weight.layer, []).append(weight)
    return layers


def _arrays(node: Node, seen: set[int] | None = None) -> Iterator[tuple[str, StoredArray]]:
    """Yields the path and array of all arrays in a group, except states of random generators."""
    seen = set() if seen is None else seen
    if node.address in seen:
        raise ValueError(f"{node.path}: is damaged: it occurs twice")
    seen.add(node.address)
    if node.is_array:
        yield node.path, node.array
    for name, child in node.children.items():
        # The state of the random generator of Dropout, which uses the key instead.
        if name != "seed_generator":
            yield from _arrays(child, seen)
