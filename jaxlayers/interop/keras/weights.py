"""The weights of a model, and where they lie in Keras's files.

In Keras 3's files each layer has a group that is called after its class, with a number where
there are several, and its weights are numbered: `layers/conv2d_1/vars/0`. In Keras 2's files a
group is called after the layer, and its attribute `weight_names` says where the weights are.
"""

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from jaxlayers.interop.keras.bare import bare
from jaxlayers.interop.keras.hdf5 import Node, Stored
from jaxlayers.interop.keras.problems import Problems
from jaxlayers.layer import Shape
from jaxlayers.precision import InBfloat16
from jaxlayers.sequential import Sequential, snake_case

Path = tuple[str, ...]

# Keras's order: what is trained first. Which of both dictionaries they are in follows.
_TRAINED = ("kernel", "bias", "gamma", "beta")
_CARRIED = ("moving_mean", "moving_variance", "moving_stddev", "renorm_mean", "renorm_stddev")

FLOATS = ("float16", "bfloat16", "float32", "float64")


@dataclasses.dataclass(frozen=True)
class Weight:
    """A weight that the model has.

    Attributes:
        layer: the names of the layer and of the models around it.
        name: such as `kernel`.
        trained: whether it is in params rather than in the state.
        shape: what it must have.
    """

    layer: Path
    name: str
    trained: bool
    shape: Shape

    def __str__(self) -> str:
        return "/".join((*self.layer, self.name))


def weights_of(model: Any, input_shape: Shape | None) -> list[Weight]:
    """Returns all weights of a model, in Keras's order, without making any array.

    Args:
        model: a `Sequential`, or one in `InBfloat16`.
        input_shape: shape of one example.

    Raises:
        ValueError: a shape that the model does not take.
    """
    # An initializer may compute on the host, and a shape from a file may be anything.
    plain = _with_zeros(model)
    try:
        params, state = jax.eval_shape(lambda key: plain.init(key, input_shape), jax.random.key(0))
    except Exception as error:  # JAX's own checks of shapes raise many kinds
        raise ValueError(str(error) or type(error).__name__) from error
    found = []
    for path, _ in leaves(model):
        for names, tree in ((_TRAINED, params), (_CARRIED, state)):
            own = _inside(tree, path)
            found += [
                Weight(path, name, tree is params, tuple(own[name].shape))
                for name in names
                if name in own
            ]
    return found


def leaves(model: Any, above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yields each layer that is no model with its name and those of the models around it."""
    for name, layer in bare(model).items():
        inside = bare(layer)
        if isinstance(inside, Sequential):
            yield from leaves(inside, (*above, name))
        else:
            yield (*above, name), inside


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


def numbers(
    wanted: list[Weight], found: Mapping[Weight, Stored], dtypes: Mapping[Path, str] | None
) -> tuple[dict[Weight, np.ndarray], list[str]]:
    """Returns the numbers of each weight, once everything that can be checked has been.

    Args:
        wanted: the weights of the model.
        found: what is stored of them.
        dtypes: what those of each layer must be kept in; any type of floats where `None`.

    Returns:
        The arrays, and what is wrong; no arrays where anything is.
    """
    problems = Problems()
    for weight in wanted:
        if weight not in found:
            continue
        array = found[weight]
        if array.shape != weight.shape:
            problems.add(f"{weight}: shape {array.shape}, the model has {weight.shape}")
        allowed = FLOATS if dtypes is None else (dtypes[weight.layer],)
        if str(array.dtype) not in allowed:
            problems.add(f"{weight}: {array.dtype}, the model has {' or '.join(allowed)}")
        elif array.dtype == np.float64 and not jax.config.read("jax_enable_x64"):
            problems.add(
                f"{weight}: float64, which JAX rounds to float32 unless "
                "jax.config.update('jax_enable_x64', True) is called before"
            )
    if problems.found:
        return {}, problems.found
    return {weight: found[weight].read() for weight in wanted if weight in found}, []


def _with_zeros(model: Any) -> Any:
    """Returns the model with initializers that take nothing to make a shape of."""
    if isinstance(model, InBfloat16):
        return InBfloat16(_with_zeros(model.layer))
    if isinstance(model, Sequential):
        return dataclasses.replace(model, layers=tuple(map(_with_zeros, model.layers)))
    names = [name for name in model.__dataclass_fields__ if name.endswith("_initializer")]
    return dataclasses.replace(model, **dict.fromkeys(names, "zeros")) if names else model


def _inside(tree: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    for name in path:
        tree = tree.get(name, {})
    return tree


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
