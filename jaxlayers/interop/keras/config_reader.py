"""Construction of models from configs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxlayers._structure import flatten
from jaxlayers._text import short_repr
from jaxlayers.functional import Functional
from jaxlayers.input_layer import InputLayer
from jaxlayers.interop.errors import Problems
from jaxlayers.interop.keras import dtype_policies, graph, legacy_names, objects
from jaxlayers.interop.keras.layer_config import (
    class_of,
    keras_classes,
    read_layer,
    wraps_layer,
)
from jaxlayers.interop.keras.values import plain
from jaxlayers.layer import Layer
from jaxlayers.layers.frozen import Frozen
from jaxlayers.layers.inference_mode import InferenceMode
from jaxlayers.layers.merging import MergingLayer
from jaxlayers.layers.mixed_precision import InBfloat16
from jaxlayers.layers.wrapper import Wrapper, unwrapped
from jaxlayers.sequential import Sequential

# The key of the entry for arguments that Keras's config cannot express; Keras ignores it.
EXACT = "jaxlayers"

MAX_DEPTH = 16
# A Sequential computes the shapes of its layers, as does each model that contains it, which takes
# about a millisecond per layer.
_MAX_SHAPES = 6 * graph.MAX_LAYERS
_MAX_WRAPPERS = 8

# The arguments of models and input layers that a complete config may contain, and their types.
_FUNCTIONAL_ARGUMENTS = {"name": str, "fuse": bool}
_MODEL_ARGUMENTS: dict[bool, Mapping[str, Any]] = {
    True: {"input_shape": tuple | None, **_FUNCTIONAL_ARGUMENTS},
    False: _FUNCTIONAL_ARGUMENTS,
}
_INPUT_ARGUMENTS = {"dtype": str | None}

# The layers around others that Keras does not have as layers.
WRAPPERS: dict[str, type[Wrapper]] = {
    cls.__name__: cls for cls in (Frozen, InBfloat16, InferenceMode)
}

Path = tuple[str, ...]
Entry = Mapping[str, Any]
InputShape = tuple[int | None, ...] | None
# Returns a model and its input shape.
Construct = Callable[[], tuple[Any, Any]]


class ConfigReader:
    """Constructs layers from their configs, and collects all problems.

    Args:
        problems: Collects the problems.
        exact: Whether the config is complete, as written by `serialize`.
        mixed_in_part: Whether only some layers have the policy `mixed_bfloat16`.
        keras2: Whether Keras 2 wrote the config.
    """

    def __init__(
        self, problems: Problems, *, exact: bool, mixed_in_part: bool, keras2: bool
    ) -> None:
        self.problems = problems
        self.exact = exact
        self.mixed_in_part = mixed_in_part
        self.keras2 = keras2
        self.dtypes: dict[Path, str] = {}
        self.count = 0
        self.shapes = 0
        self.limit_reported = False

    def model(self, entry: Entry, path: Path) -> tuple[Any, Any]:
        """Returns a model and its input shape; both are `None` after a problem."""
        class_name, config = entry["class_name"], entry.get("config")
        is_sequential = class_name == "Sequential"
        default = "sequential" if is_sequential else "functional"
        model_name = path[-1] if path else _name_of(config) or default
        where = "/".join(path) or model_name
        before = self.problems.count

        def report(error: Exception) -> None:
            notes = " ".join(getattr(error, "__notes__", ()))
            what = str(error) or type(error).__name__
            self.problems.add(f"{what} {notes}".strip(), where, class_name)

        try:
            if len(path) > MAX_DEPTH:
                raise ValueError(f"models are nested too deeply, more than {MAX_DEPTH} levels")
            if not model_name.isprintable():
                raise ValueError(f"the name {model_name!r} has characters that cannot be printed")
            entries = graph.layers_of(class_name, config)
            wrappers, exact = self._exact(entry, _MODEL_ARGUMENTS[is_sequential])
            arguments = {"name": model_name, **exact}
            if is_sequential:
                shape = _input_shape(config, entries, entry.get("build_config"))
                construct = self._sequential(entries, path, shape, arguments)
            else:
                construct = self._functional(
                    graph.graph_of(dict(config or {}), entries), path, arguments
                )
        except ValueError as error:
            report(error)
            return None, None
        if self.problems.count > before:
            return None, None
        try:
            model, shape = construct()
        except Exception as error:  # JAX's shape checks raise many types of errors
            report(error)
            return None, None
        return _wrapped_in(model, wrappers), shape

    def _sequential(
        self, entries: list[Entry], path: Path, shape: InputShape, arguments: dict[str, Any]
    ) -> Construct:
        """Reads the layers of a Sequential and returns the function that constructs it."""
        members: dict[str, Layer] = {}
        for position, inner in enumerate(entries):
            if inner["class_name"] in graph.INPUTS:
                name = "/".join((*path, _name_of(inner.get("config")) or "input"))
                if position > 0:
                    what = "an input must be the first layer"
                    self.problems.add(what, name, inner["class_name"])
                self._check_input(inner, name)
                continue
            name, layer, inner_shape = self.layer(inner, path)
            if not members and shape is None:
                shape = inner_shape
            if layer is not None and name in members:
                self.problems.add("several layers have this name", name, inner["class_name"])
            elif layer is not None:
                members[name] = layer
        is_known = shape is not None and None not in flatten(shape)
        given = {"input_shape": shape if is_known else None, **arguments}
        return lambda: (
            Sequential(tuple(members.values()), names=tuple(members), **given),
            shape,
        )

    def _functional(
        self, found: graph.GraphConfig, path: Path, arguments: dict[str, Any]
    ) -> Construct:
        """Reads the layers of a Functional model and returns the function that constructs it."""
        nodes: list[tuple[Any, ...]] = []
        for name, entry in found.entries.items():
            calls = found.calls[name]
            if entry["class_name"] in graph.INPUTS:
                layer: Layer | None = self._input_layer(entry, "/".join((*path, name)))
            else:
                _, layer, _ = self.layer(entry, path, name)
            if layer is None:
                continue
            inputs = [_as_called(layer, inputs) for inputs in calls]
            nodes.append((name, layer, inputs) if calls else (name, layer))

        count = len([*graph.references(found.outputs)])
        for _, layer, *calls in nodes:
            for called_on in calls:
                count += len(called_on) * _count_calls(layer)
                count += sum(len([*graph.references(inputs)]) for inputs in called_on)
        # A Functional for inputs of any size computes the shapes of its layers in each call.
        if count > graph.MAX_CALLS:
            raise ValueError(
                f"there are more than {graph.MAX_CALLS} calls of layers and inputs of calls, "
                f"{count}, including those of nested models in each of their calls"
            )

        def construct() -> tuple[Any, Any]:
            model = Functional(found.inputs, found.outputs, nodes=nodes, **arguments)
            return model, model.input_shape

        return construct

    def _input_layer(self, entry: Entry, where: str) -> InputLayer | None:
        """Returns an input layer; `None` after a problem."""
        config = entry.get("config")
        self._check_input(entry, where)
        try:
            shape = legacy_names.input_shape(dict(config)) if isinstance(config, Mapping) else None
            if not shape:
                raise ValueError("the input has no shape with a batch axis")
            arguments = {"dtype": dict(config or {}).get("dtype")}
            return InputLayer(shape[1:], **(arguments | self._exact(entry, _INPUT_ARGUMENTS)[1]))
        except (ValueError, TypeError) as error:
            self.problems.add(str(error), where, entry["class_name"])
            return None

    def layer(
        self, entry: Entry, path: Path, name: str | None = None
    ) -> tuple[str, Layer | None, Any]:
        """Returns the name of a layer, the layer and, if it is a model, its input shape."""
        class_name, config = entry["class_name"], entry.get("config")
        name = name or _name_of(config) or _name_of(entry) or f"layer_{self.count}"
        own_path = (*path, name)
        where = "/".join(own_path)
        self.count += 1
        self.shapes += len(own_path)
        if self.count > graph.MAX_LAYERS or self.shapes > _MAX_SHAPES:
            if not self.limit_reported:
                what = (
                    f"there are more than {graph.MAX_LAYERS} layers, or too many in nested models"
                )
                self.problems.add(what, where, class_name)
            self.limit_reported = True
            return name, None, None
        if not name.isprintable():
            self.problems.add("the name has characters that cannot be printed", where, class_name)
            return name, None, None
        if is_model(entry):
            return name, *self.model(entry, own_path)
        cls = class_of(entry)
        if cls is None or not isinstance(config, Mapping):
            what = "has no config" if cls is not None else _unsupported_reason(entry)
            self.problems.add(what, where, class_name)
            return name, None, None
        return name, self._single(cls, entry, config, own_path), None

    def _single(
        self, cls: Any, entry: Entry, config: Entry, path: Path, outer_policy: str | None = None
    ) -> Layer | None:
        """Returns a layer that is not a model; `None` after a problem.

        `outer_policy` is the dtype policy of the layer that wraps this one, if any.
        """

        def report(what: str) -> None:
            self.problems.add(what, "/".join(path), entry["class_name"])

        try:
            policy = dtype_policies.read_policy(config.get("dtype"))
            wrappers, exact = self._exact(entry)
        except ValueError as error:
            report(str(error))
            return None
        if outer_policy not in (None, policy) and not self.exact:
            report(f"dtype policy {policy}, the layer that wraps it has {outer_policy}")
            return None
        wrapped = None
        if wraps_layer(cls):
            wrapped = self._wrapped(config.get("layer"), path, policy)
            if wrapped is None:
                return None
            config = {key: value for key, value in config.items() if key != "layer"}
        layer = read_layer(cls, config, exact, report, keras2=self.keras2, wrapped=wrapped)
        if layer is None:
            return None
        self.dtypes[path] = dtype_policies.VARIABLES[policy]
        if not self.exact and outer_policy is None:
            has_weights = type(layer).init is not Layer.init
            is_frozen = config.get("trainable") is False and has_weights
            is_mixed = self.mixed_in_part and policy == dtype_policies.MIXED
            wrappers = [InBfloat16] * is_mixed + [Frozen] * is_frozen
        return _wrapped_in(layer, wrappers)

    def _wrapped(self, entry: Any, path: Path, policy: str) -> Layer | None:
        """Returns the layer inside another layer; `None` after a problem."""
        path = (*path, "layer")
        name = entry.get("class_name") if isinstance(entry, Mapping) else None
        if not isinstance(entry, Mapping) or not isinstance(name, str):
            self.problems.add("has no config", "/".join(path), "layer")
            return None
        cls, config = class_of(entry), entry.get("config")
        if cls is None or not isinstance(config, Mapping):
            what = "has no config" if cls is not None else _unsupported_reason(entry)
            self.problems.add(what, "/".join(path), name)
            return None
        if wraps_layer(cls):
            self.problems.add("must not wrap a layer itself", "/".join(path), name)
            return None
        return self._single(cls, entry, config, path, policy)

    def _exact(
        self, entry: Entry, allowed: Mapping[str, Any] | None = None
    ) -> tuple[list[type[Wrapper]], dict[str, Any]]:
        """Returns the wrappers of a layer, the innermost first, and its exact arguments."""
        found = entry.get(EXACT, {}) if self.exact else {}
        if not isinstance(found, Mapping) or not found.keys() <= {"wrappers", "arguments"}:
            raise ValueError(
                f"{EXACT} must have only wrappers and arguments, got {short_repr(found)}"
            )
        names, arguments = found.get("wrappers", []), found.get("arguments", {})
        if (
            not isinstance(names, list)
            or len(names) > _MAX_WRAPPERS
            or not all(isinstance(name, str) and name in WRAPPERS for name in names)
        ):
            raise ValueError(
                f"wrappers must be a list of at most {_MAX_WRAPPERS} of {', '.join(WRAPPERS)}, "
                f"got {short_repr(names)}"
            )
        wrappers = [WRAPPERS[name] for name in names]
        if not isinstance(arguments, Mapping):
            raise ValueError(f"arguments must be a dictionary, got {short_repr(arguments)}")
        if allowed is None:
            return wrappers, dict(arguments)
        if not arguments.keys() <= allowed.keys():
            raise ValueError(f"arguments may be {', '.join(allowed)}, got {short_repr(arguments)}")
        exact = {key: plain(value) for key, value in arguments.items()}
        for key, value in exact.items():
            if not isinstance(value, allowed[key]) or not str(value).isprintable():
                raise ValueError(
                    f"{key}={short_repr(value)} is not an argument of {entry['class_name']}"
                )
        return wrappers, exact

    def _check_input(self, entry: Entry, where: str) -> None:
        config = entry.get("config")
        for kind in ("sparse", "ragged", "optional"):
            if isinstance(config, Mapping) and config.get(kind):
                self.problems.add(f"{kind} inputs are not supported", where, entry["class_name"])


def _count_calls(layer: Layer) -> int:
    """Returns the number of calls of layers when a layer is called once."""
    inside = unwrapped(layer)
    if isinstance(inside, Sequential):
        return sum(map(_count_calls, inside.layers))
    if isinstance(inside, Functional):
        nodes = inside.nodes or ()
        return sum(max(1, len(node.calls)) * _count_calls(node.layer) for node in nodes)
    return 1


def _wrapped_in(layer: Layer, wrappers: Sequence[type[Wrapper]]) -> Layer:
    for wrapper in wrappers:
        layer = wrapper(layer)
    return layer


def _as_called(layer: Layer, inputs: Any) -> Any:
    """Returns the inputs of a call; Keras accepts a list of one for layers with one input."""
    is_single = isinstance(inputs, tuple) and len(inputs) == 1
    return inputs[0] if is_single and not isinstance(unwrapped(layer), MergingLayer) else inputs


def is_model(entry: Entry) -> bool:
    """Returns whether an entry of a config describes one of Keras's own models."""
    return entry["class_name"] in graph.MODELS and objects.is_keras(entry)


def _input_shape(config: Any, entries: list[Entry], built: Any) -> InputShape:
    """Returns the shape of one example, from any of the places where a config can have it."""
    first = entries[0] if entries else {}
    places = [first.get("config"), config, built, first.get("build_config")]
    for place in places:
        if not isinstance(place, Mapping):
            continue
        # In build_config, input_shape includes the batch.
        if place in (built, first.get("build_config")) and place.get("input_shape") is not None:
            place = {"batch_shape": place["input_shape"]}
        place = dict(place)
        if place.keys() >= {"input_dim", "output_dim"}:
            del place["input_dim"]  # of an Embedding, where it is not the size of the input
        shape = legacy_names.input_shape(place)
        if shape is not None:
            if not shape:
                raise ValueError("the input shape must have a batch axis, got ()")
            return shape[1:]
    return None


def _name_of(config: Any) -> str | None:
    name = config.get("name") if isinstance(config, Mapping) else None
    return name if isinstance(name, str) and 0 < len(name) < 256 else None


def _unsupported_reason(entry: Entry) -> str:
    if not objects.is_keras(entry):
        where = entry.get("module") or entry.get("registered_name")
        return f"a user-defined class of {short_repr(where)}, whose code is not in the file"
    if entry["class_name"] in ("Lambda", "TFOpLambda", "SlicingOpLambda"):
        return "contains code, which is never executed"
    return f"not supported, only {', '.join(keras_classes())}"
