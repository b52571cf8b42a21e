"""From Keras's config of a model to the model."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

from jaxlayers.interop.keras import chain, objects, policies, spellings
from jaxlayers.interop.keras.problems import Problems
from jaxlayers.layer import Layer
from jaxlayers.precision import InBfloat16
from jaxlayers.sequential import Sequential

# More than any model that is a chain. The shapes of a layer are worked out once for each model
# around it, in a millisecond or so.
_MOST_LAYERS = 1000
_DEEPEST = 6

_OF_EVERY_LAYER = (
    "name",
    "trainable",
    "dtype",
    "batch_shape",
    "batch_input_shape",
    "input_shape",
    "input_dim",
)
# The key takes the place of a seed.
_IGNORED = {"Dropout": ("seed",)}

Path = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Read:
    """A model, and what its config says of it beside.

    Attributes:
        model: a `Sequential`, or one that computes in bfloat16.
        input_shape: shape of one example, `None` in it for any extent; `None` where the config
            has none.
        dtypes: what the weights of each layer are kept in; `None` for any type of floats.
        frozen: the layers that are not trained in Keras.
        functional: the models inside that are Functional ones in Keras; `None` where that is
            not known.
    """

    model: Any
    input_shape: tuple[int | None, ...] | None
    dtypes: dict[Path, str] | None
    frozen: list[Path]
    functional: set[Path] | None


def from_config(config: Any) -> Layer:
    """Makes a model of Keras's config of it.

    What is not part of the model, such as how it was compiled, is not looked at. `trainable` has
    no counterpart here and is left out: which params are trained is told to the optimizer.

    Args:
        config: what `json.loads(model.to_json())` or `model.get_config()` gives, of Keras 3 or
            Keras 2: a Sequential, or a Functional model that is a chain.

    Returns:
        A `Sequential`, with Keras's names of the layers; with the dtype policy `mixed_bfloat16`
        one in `InBfloat16`.

    Raises:
        ValueError: a config that is none, or that holds anything that this library does not have;
            the message lists all of it, by layer and class.

    Example:
        >>> dense = {"class_name": "Dense", "config": {"name": "scores", "units": 2}}
        >>> model = from_config({"class_name": "Sequential", "config": {"layers": [dense]}})
        >>> model.names, model["scores"]
        (('scores',), Dense(units=2))
    """
    return read(config).model


def read(config: Any, keras: Any = None) -> Read:
    """Makes a model of Keras's config of it; see `from_config`.

    Args:
        config: as there.
        keras: the version of Keras that wrote it, where it does not say so itself.
    """
    if isinstance(config, Mapping):
        keras = config.get("keras_version", keras)
    try:
        return _read(config, keras if isinstance(keras, str) else "3")
    except RecursionError:
        raise ValueError("holds a config that is nested too deeply") from None


def parse(text: str | bytes) -> Any:
    """Returns what JSON text holds.

    Raises:
        ValueError: no JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"holds a config that is not JSON: {error}") from None


def _read(config: Any, keras: str) -> Read:
    class_name, inside = _model_and_config(config)
    kinds = set(_policies(class_name, inside, 0))
    problems = Problems()
    mixed_in_part = policies.MIXED in kinds and len(kinds) > 1
    reader = _Reader(problems, mixed_in_part, keras.startswith(("1", "2")))
    built = config.get("build_config") if isinstance(config, Mapping) else None
    model, shape = reader.model(class_name, inside, (), built)
    problems.refuse("holds what this library does not have or does otherwise than Keras:")
    if kinds == {policies.MIXED}:
        model = InBfloat16(model)
    return Read(model, shape, reader.dtypes, reader.frozen, reader.functional)


class _Reader:
    """Reads layers, and notes what it cannot read."""

    def __init__(self, problems: Problems, mixed_in_part: bool, old: bool) -> None:
        self.problems = problems
        self.mixed_in_part = mixed_in_part
        self.old = old
        self.dtypes: dict[Path, str] = {}
        self.frozen: list[Path] = []
        self.functional: set[Path] = set()
        self.count = 0

    def model(
        self, class_name: str, config: Any, path: Path, built: Any
    ) -> tuple[Any, tuple[int | None, ...] | None]:
        """Returns a Sequential and the shape of its input; `None` for it after a problem."""
        called = path[-1] if path else _name_of(config) or "sequential"
        where = "/".join(path) or called
        before = len(self.problems.found)
        try:
            if len(path) > _DEEPEST:
                raise ValueError("models are nested too deeply")
            entries = chain.layers_of(class_name, config)
            shape = _input_shape(config, entries, built)
        except ValueError as error:
            self.problems.add(str(error), where, class_name)
            return None, None
        members: dict[str, Layer] = {}
        for position, entry in enumerate(entries):
            if entry["class_name"] in chain.INPUTS:
                self._check_input(entry, position, path)
                continue
            name, layer, inner_shape = self._layer(entry, path)
            if not members and shape is None:
                shape = inner_shape
            if layer is not None and name in members:
                self.problems.add("there are two layers of this name", name, entry["class_name"])
            elif layer is not None:
                members[name] = layer
        if len(self.problems.found) > before:
            return None, None
        whole: Any = shape if shape is not None and None not in shape else None
        try:
            model = Sequential(tuple(members.values()), whole, called, tuple(members))
        except Exception as error:  # JAX's own checks of shapes raise many kinds
            notes = " ".join(getattr(error, "__notes__", ()))
            what = str(error) or type(error).__name__
            self.problems.add(f"{what} {notes}".strip(), where, class_name)
            return None, None
        return model, shape

    def _check_input(self, entry: chain.Entry, position: int, path: Path) -> None:
        config = entry.get("config")
        name = "/".join((*path, _name_of(config) or "input"))
        if position > 0:
            self.problems.add("an input that is not the first layer", name, entry["class_name"])
        for kind in ("sparse", "ragged", "optional"):
            if isinstance(config, Mapping) and config.get(kind):
                self.problems.add(f"{kind} inputs are not supported", name, entry["class_name"])

    def _layer(
        self, entry: chain.Entry, path: Path
    ) -> tuple[str, Layer | None, tuple[int | None, ...] | None]:
        """Returns the name, the layer and, where it is a model, the shape of its input."""
        given, config = entry["class_name"], entry.get("config")
        class_name = spellings.modern_class(given)
        name = _name_of(config) or _name_of(entry) or f"layer_{self.count}"
        where = "/".join((*path, name))
        self.count += 1
        if not name.isprintable():
            self.problems.add("has a name that cannot be printed", repr(name), given)
            return name, None, None
        if self.count > _MOST_LAYERS:
            if self.count == _MOST_LAYERS + 1:
                self.problems.add(f"there are more than {_MOST_LAYERS} layers", where, given)
            return name, None, None
        if class_name in chain.MODELS and _is_keras(entry):
            if class_name != "Sequential":
                self.functional.add((*path, name))
            layer, shape = self.model(class_name, config, (*path, name), entry.get("build_config"))
            return name, layer, shape
        known = spellings.known_classes()
        if class_name not in known or not _is_keras(entry):
            self.problems.add(_why_not(class_name, entry, known), where, given)
            return name, None, None
        if not isinstance(config, Mapping):
            self.problems.add("has no config", where, given)
            return name, None, None
        return name, self._made(known[class_name], dict(config), (*path, name), given), None

    def _made(self, cls: Any, config: dict[str, Any], path: Path, given: str) -> Layer | None:
        """Returns the layer; `None` after adding all that is wrong with it."""
        where, wrong = "/".join(path), False
        arguments = {}
        for key, value in spellings.modern_arguments(cls.__name__, config).items():
            if key in _OF_EVERY_LAYER or key in _IGNORED.get(cls.__name__, ()):
                continue
            try:
                if key in cls.__dataclass_fields__:
                    arguments[key] = self._argument(cls, key, value)
                elif value is not None:
                    raise ValueError(f"{key}={objects.short(value)} is not supported")
            except (ValueError, TypeError) as error:
                self.problems.add(str(error), where, given)
                wrong = True
        try:
            policy = policies.read_policy(config.get("dtype"))
            if wrong:
                return None
            layer = cls(**arguments)
        except (ValueError, TypeError, OverflowError) as error:
            self.problems.add(str(error).removeprefix(f"{cls.__name__}: "), where, given)
            return None
        self.dtypes[path] = policies.VARIABLES[policy]
        if config.get("trainable") is False:
            self.frozen.append(path)
        mixed = self.mixed_in_part and policy == policies.MIXED
        return InBfloat16(layer) if mixed else layer

    def _argument(self, cls: Any, key: str, value: Any) -> Any:
        if key == "activation":
            name = objects.read_activation(value)
            if self.old and name in spellings.CHANGED_ACTIVATIONS:
                raise ValueError(f"{name} has another formula in Keras 2 than in Keras 3 and here")
            # Where both have no activation, it is the default.
            default = cls.__dataclass_fields__[key].default
            return default if name == "linear" and default is None else name
        ending = objects.kind_of(key)
        if ending is None:
            return objects.plain(value)
        found = objects.read_object(ending, value)
        default = cls.__dataclass_fields__[key].default
        return default if found == default else found


def _model_and_config(config: Any) -> tuple[str, Any]:
    """Returns the class name and the config of a model, from any form that Keras gives it."""
    if isinstance(config, list):  # a Sequential of the first versions of Keras 2
        return "Sequential", config
    if not isinstance(config, Mapping):
        raise ValueError(f"holds no config of a model, but {objects.short(config)}")
    if "class_name" not in config and isinstance(config.get("layers"), list):
        return ("Functional" if "input_layers" in config else "Sequential"), config
    class_name = config.get("class_name")
    if class_name not in chain.MODELS or not _is_keras(config):
        raise ValueError(
            f"holds a model of class {objects.short(class_name)}; only Sequential and Functional "
            "models of Keras's own are supported, since those of other classes are code"
        )
    return class_name, config.get("config")


def _policies(class_name: str, config: Any, depth: int) -> Iterator[str]:
    """Yields the dtype policy of each layer that has one that is known."""
    entries = config.get("layers") if isinstance(config, Mapping) else config
    for entry in entries if isinstance(entries, list) and depth <= _DEEPEST else ():
        if not isinstance(entry, Mapping) or entry.get("class_name") in chain.INPUTS:
            continue
        inside = entry.get("config")
        if entry.get("class_name") in chain.MODELS:
            yield from _policies(str(entry["class_name"]), inside, depth + 1)
        elif isinstance(inside, Mapping):
            try:
                yield policies.read_policy(inside.get("dtype"))
            except ValueError:
                continue  # which is said where the layer is read


def _input_shape(
    config: Any, entries: list[chain.Entry], built: Any
) -> tuple[int | None, ...] | None:
    """Returns the shape of one example, from wherever a config tells it."""
    first = entries[0] if entries else {}
    places = [first.get("config"), config, built, first.get("build_config")]
    for place in places:
        if not isinstance(place, Mapping):
            continue
        # A batch's shape is in build_config under the name of an example's elsewhere.
        if place in (built, first.get("build_config")) and place.get("input_shape") is not None:
            place = {"batch_shape": place["input_shape"]}
        shape = spellings.input_shape(dict(place))
        if shape is not None:
            if not shape:
                raise ValueError("the input has no batch")
            return shape[1:]
    return None


def _name_of(config: Any) -> str | None:
    name = config.get("name") if isinstance(config, Mapping) else None
    return name if isinstance(name, str) and 0 < len(name) < 256 else None


def _is_keras(entry: Mapping[str, Any]) -> bool:
    """Whether the class is Keras's own, and not somebody's of the same name."""
    module, registered = entry.get("module"), entry.get("registered_name")
    own = module is None or (
        isinstance(module, str) and module.partition(".")[0] in ("keras", "tf_keras", "tensorflow")
    )
    return own and registered in (None, entry.get("class_name"))


def _why_not(class_name: str, entry: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    if not _is_keras(entry):
        where = entry.get("module") or entry.get("registered_name")
        return f"a class of somebody's own, of {objects.short(where)}; its code is not in the file"
    if class_name in ("Lambda", "TFOpLambda", "SlicingOpLambda"):
        return "holds code, which is never run"
    return f"not supported, only {', '.join(known)}"
