"""Where weights lie in a file of Keras 3, which numbers them.

Each layer has a group that is called after its class, with a number where there are several, and
in it are its weights: `layers/conv2d_1/vars/0`.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from jaxlayers.interop.keras.bare import bare
from jaxlayers.interop.keras.hdf5 import Node, Stored
from jaxlayers.interop.keras.problems import Problems
from jaxlayers.interop.keras.weights import Path, Weight
from jaxlayers.sequential import Sequential, snake_case


def numbered(
    model: Any,
    functional: Collection[Path] | None = (),
    group: Node | None = None,
    above: Path = (),
) -> Iterator[tuple[Path, str]]:
    """Yields the path of each layer, and that of its group in a file of Keras 3.

    Args:
        model: a `Sequential`, or one in `InBfloat16`.
        functional: the models inside that are Functional ones in Keras, where they are called
            otherwise; where it is `None`, the file tells.
        group: where the layers of the model are in a file.
        above: the path of the model.

    Raises:
        ValueError: the file does not tell.
    """
    counts: Counter[str] = Counter()
    for name, layer in bare(model).items():
        inside, path = bare(layer), (*above, name)
        nested = isinstance(inside, Sequential)
        called = snake_case(type(inside).__name__)
        if nested and functional is None:
            called = _kind_in_file(name, group, counts)
        elif nested and functional is not None and path in functional:
            called = "functional"
        place = f"layers/{_next(called, counts)}"
        member = None if group is None else group.children.get(_next(called, counts))
        counts[called] += 1
        if not nested:
            yield path, place
            continue
        below = None if member is None else _layers_group(member)
        for inner_path, where in numbered(inside, functional, below, path):
            yield inner_path, f"{place}/{where}"


def read_numbered(
    root: Node,
    model: Any,
    wanted: list[Weight],
    problems: Problems,
    functional: Collection[Path] | None,
) -> dict[Weight, Stored]:
    """Returns the stored array of each weight, from a file of Keras 3.

    Args:
        root: of the file.
        model: as in `numbered`.
        wanted: the weights of the model.
        problems: where what is missing or too much is added.
        functional: as in `numbered`.
    """
    top = _layers_group(root)
    if top is None:
        raise ValueError("holds no weights of a Keras model: it has no group 'layers'")
    places = dict(numbered(model, functional, top))
    layers = top.path.strip("/")
    own = root.children.get("vars")
    stored = dict(_arrays(top))
    stored |= {} if own is None else dict(_arrays(own))
    found = {}
    for path, weights in _by_layer(wanted).items():
        for position, weight in enumerate(weights):
            place = f"/{places[path]}/vars/{position}".replace("/layers", f"/{layers}")
            if place in stored:
                found[weight] = stored.pop(place)
            else:
                problems.add(f"{weight}: missing, there is no {place}")
    for place, array in stored.items():
        problems.add(f"{place}: shape {array.shape}; the model has no such weight")
    return found


def _kind_in_file(name: str, group: Node | None, counts: Counter[str]) -> str:
    """Returns whether a model inside the model is a Sequential or a Functional one in a file."""
    members = {} if group is None else group.children
    found = [kind for kind in ("sequential", "functional") if _next(kind, counts) in members]
    if len(found) == 2:
        # Which of them comes first is not said, but newer versions of Keras say their names.
        found = [
            kind
            for kind in found
            if (own := members[_next(kind, counts)].children.get("vars")) is not None
            and own.strings("name") == [name]
        ]
        if len(found) != 1:
            raise ValueError(
                f"holds weights of Sequential and of Functional models, and not which are those "
                f"of {name}; load a .keras archive, which says it"
            )
    return found[0] if found else "sequential"


def _next(called: str, counts: Counter[str]) -> str:
    return f"{called}_{counts[called]}" if counts[called] else called


def _layers_group(node: Node) -> Node | None:
    # The second is what TensorFlow's Keras 2.12 called it.
    members = node.children
    return members.get("layers") or members.get("_layer_checkpoint_dependencies")


def _by_layer(wanted: list[Weight]) -> dict[Path, list[Weight]]:
    layers: dict[Path, list[Weight]] = {}
    for weight in wanted:
        layers.setdefault(weight.layer, []).append(weight)
    return layers


def _arrays(node: Node, seen: set[int] | None = None) -> Iterator[tuple[str, Stored]]:
    """Yields all arrays below a group by their paths, but the states of random numbers."""
    seen = set() if seen is None else seen
    if node.address in seen:
        raise ValueError(f"{node.path}: is damaged: it is there twice")
    seen.add(node.address)
    if node.is_array:
        yield node.path, node.array
    for name, child in node.children.items():
        # Dropout's; the key takes its place.
        if name != "seed_generator":
            yield from _arrays(child, seen)
