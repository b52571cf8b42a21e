"""Conversion of models to configs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jaxlayers._structure import flatten_shapes
from jaxlayers._text import short_repr
from jaxlayers.composition import snake_case
from jaxlayers.functional import Functional
from jaxlayers.graph.nodes import Output
from jaxlayers.input_layer import InputLayer
from jaxlayers.interop.errors import Problems
from jaxlayers.interop.keras import dtype_policies
from jaxlayers.interop.keras.config_reader import EXACT, WRAPPERS, Path
from jaxlayers.interop.keras.layer_config import (
    KERAS_MODULES,
    OWN_MODULE,
    WITHOUT_TRAINABLE,
    keras_classes,
    own_classes,
    wraps_layer,
    write_layer,
    write_layer_exactly,
)
from jaxlayers.layer import Layer
from jaxlayers.layers.frozen import Frozen
from jaxlayers.layers.inference_mode import InferenceMode
from jaxlayers.layers.mixed_precision import InBfloat16
from jaxlayers.layers.wrapper import Wrapper, unwrapped
from jaxlayers.sequential import Sequential


class _Around(NamedTuple):
    """What is around a layer.

    Attributes:
        mixed: Whether it is inside `InBfloat16`.
        frozen: Whether it is inside `Frozen`.
    """

    mixed: bool = False
    frozen: bool = False


_NOTHING = _Around()


class ConfigWriter:
    """Writes the configs of layers and collects all problems.

    Args:
        problems: Collects everything that cannot be written.
        dtypes: The dtype of the weights by layer; float32 if missing.
        exact: Whether to write a complete config, instead of only what Keras reads.
    """

    def __init__(self, problems: Problems, dtypes: Mapping[Path, str], *, exact: bool) -> None:
        self.problems = problems
        self.dtypes = dtypes
        self.exact = exact
        # Layers without weights have the policy of the preceding layer.
        self.last = next(iter(dtypes.values()), "float32")

    def entry(
        self,
        layer: Layer,
        path: Path,
        name: str,
        shape: Any,
        around: _Around = _NOTHING,
    ) -> dict[str, Any]:
        """Returns the class name and the config of a layer or a model.

        Args:
            layer: The layer, including any wrappers around it.
            path: The names of the models that contain the layer and of the layer; `()` for the
                whole model.
            name: The name in the config.
            shape: Input shape of a Sequential; `None` if unknown.
            around: What is around the layer.
        """
        inside, wrappers = unwrapped(layer), _wrappers(layer)
        around = _Around(
            mixed=around.mixed or InBfloat16 in wrappers, frozen=around.frozen or Frozen in wrappers
        )
        if InferenceMode in wrappers and not self.exact:
            what = "Keras has no InferenceMode; it overrides the argument training of calls"
            self.problems.add(what, "/".join(path) or name, type(inside).__name__)
        self._check_name(name, path, inside)
        if isinstance(inside, Sequential):
            entry, arguments = self._sequential(inside, name, shape, path, around)
        elif isinstance(inside, Functional):
            entry, arguments = self._functional(inside, name, path, around)
        elif isinstance(inside, InputLayer):
            entry, arguments = _input_layer(inside, name)
        else:
            entry, arguments = self._single(inside, name, path or (name,), around)
        if not self.exact:
            return entry
        exact: dict[str, Any] = {}
        if wrappers:
            exact["wrappers"] = [cls.__name__ for cls in reversed(wrappers)]
            if unknown := [cls for cls in wrappers if cls not in WRAPPERS.values()]:
                what = "a user-defined class, which a config cannot represent"
                self.problems.add(what, "/".join(path) or name, unknown[0].__name__)
        if arguments:
            exact["arguments"] = arguments
        # Always present in the outermost entry, where it marks the config as complete.
        return entry | ({EXACT: exact} if exact or not path else {})

    def _sequential(
        self, model: Sequential, name: str, shape: Any, path: Path, around: _Around
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the entry of a Sequential, and the arguments that the entry cannot express."""
        entries = [] if shape is None else [_input(model, shape)]
        shapes = _shapes(model, shape)
        for (layer_name, layer), inner_shape in zip(model.items(), shapes, strict=True):
            where = (*path, layer_name)
            entries.append(self.entry(layer, where, layer_name, inner_shape, around))
        policy = dtype_policies.MIXED if around.mixed else "float32"
        config: dict[str, Any] = {
            "name": name,
            "trainable": not around.frozen,
            "dtype": dtype_policies.write_policy(policy),
            "layers": entries,
        }
        entry = _entry("keras", "Sequential", config)
        if shape is not None:
            config["build_input_shape"] = [None, *shape]
            entry["build_config"] = {"input_shape": [None, *shape]}
        arguments = self._model_arguments(model, Sequential, name, path)
        if model.input_shape != shape:
            arguments["input_shape"] = model.input_shape and list(model.input_shape)
        return entry, arguments

    def _functional(
        self, model: Functional, name: str, path: Path, around: _Around
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the entry of a Functional, and the arguments that the entry cannot express."""
        entries = []
        shapes = dict(zip(model.names, model.layer_shapes(), strict=True))

        def history(output: Output) -> list[Any]:
            return [output.layer, output.call, output.index]

        def end(output: Output) -> list[Any]:
            # Here Keras numbers the calls of a Functional in another model from 1.
            first_call = int(isinstance(unwrapped(model[output.layer]), Functional))
            return [output.layer, output.call + first_call, output.index]

        def tensor(output: Output) -> dict[str, Any]:
            found = flatten_shapes(shapes[output.layer][1])
            config = {
                "shape": [None, *found[output.index]],
                "dtype": "float32",
                "keras_history": history(output),
            }
            return {"class_name": "__keras_tensor__", "config": config}

        for node in model.nodes or ():
            where = (*path, node.name)
            shape = None if isinstance(node.layer, InputLayer) else shapes[node.name][0]
            entry = self.entry(node.layer, where, node.name, shape, around)
            entry["name"] = node.name
            entry["inbound_nodes"] = [
                {"args": [_as_lists(call, tensor)], "kwargs": {}} for call in node.calls
            ]
            entries.append(entry)
        config = {
            "name": name,
            "trainable": not around.frozen,
            "layers": entries,
            "input_layers": _as_lists(model.inputs, end),
            "output_layers": _as_lists(model.outputs, end),
        }
        if around.mixed:
            config["dtype"] = dtype_policies.write_policy(dtype_policies.MIXED)
        entry = _entry("keras.src.models.functional", "Functional", config, "Functional")
        return entry, self._model_arguments(model, Functional, name, path)

    def _model_arguments(
        self, model: Sequential | Functional, cls: type[Layer], name: str, path: Path
    ) -> dict[str, Any]:
        """Returns the arguments of a model that Keras's config cannot express."""
        if self.exact and type(model) is not cls:
            what = "a user-defined class, which a config cannot represent"
            self.problems.add(what, "/".join(path) or name, type(model).__name__)
        arguments: dict[str, Any] = {}
        if model.name != name:
            arguments["name"] = model.name
        if not model.fuse:
            arguments["fuse"] = False
        return arguments

    def _single(
        self, layer: Layer, name: str, path: Path, around: _Around
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the entry of any other layer, and the arguments that it cannot express."""
        class_name = type(layer).__name__

        def report(what: str) -> None:
            self.problems.add(what, "/".join(path), class_name)

        config: dict[str, Any] = {
            "name": name,
            "trainable": not around.frozen,
            "dtype": dtype_policies.write_policy(self._policy(path, around.mixed)),
        }
        if class_name in WITHOUT_TRAINABLE:
            del config["trainable"]
        known = keras_classes()
        own = own_classes() if self.exact else {}
        exact: dict[str, Any] = {}
        is_known = type(layer) in (known | own).values()
        if is_known and wraps_layer(type(layer)):
            config["layer"] = self._wrapped(getattr(layer, "layer", None), path, around)
        if not is_known:
            report(
                "a user-defined class, which a config cannot represent"
                if self.exact
                else f"Keras has no layer of this class, only {', '.join(known)}"
            )
        elif self.exact:
            arguments, exact = write_layer_exactly(layer, report)
            config |= arguments
        else:
            config |= write_layer(layer, report)
        if class_name in own:
            return _entry(OWN_MODULE, class_name, config, f"jaxlayers>{class_name}"), exact
        if class_name in KERAS_MODULES:
            return _entry(KERAS_MODULES[class_name], class_name, config, class_name), exact
        return _entry("keras.layers", class_name, config), exact

    def _wrapped(self, layer: Any, path: Path, around: _Around) -> dict[str, Any]:
        """Returns the entry of the layer inside another layer."""
        inside = unwrapped(layer)
        path = (*path, "layer")
        if inside is not layer and not self.exact:
            allowed = around.mixed and isinstance(layer, InBfloat16)
            if not allowed:
                what = "must be around the layer that wraps it, as in Keras"
                self.problems.add(what, "/".join(path), type(layer).__name__)
        return self.entry(layer, path, snake_case(type(inside).__name__), None, around)

    def _policy(self, path: Path, mixed: bool) -> str:
        """Returns the name of the dtype policy of a layer."""
        self.last = self.dtypes.get(path, self.last)
        if mixed and self.dtypes.get(path, "float32") != "float32":
            self.problems.add(
                f"{self.dtypes[path]} weights inside InBfloat16; in Keras they are float32",
                "/".join(path),
            )
        return dtype_policies.MIXED if mixed else self.last

    def _check_name(self, name: Any, path: Path, layer: Layer) -> None:
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) < 256:
            what = f"the name must be 1 to 255 printable characters, got {short_repr(name)}"
        elif "/" in name and not self.exact:
            what = f"the name must not contain '/', which Keras refuses, got {name!r}"
        else:
            return
        self.problems.add(what, "/".join(map(str, path)) or str(name), type(layer).__name__)


def _shapes(model: Sequential, shape: Any) -> Iterator[Any]:
    """Yields the input shape of each layer; `None` if it is unknown."""
    if shape is None or None in shape:
        yield from [None] * len(model)
        return
    yield shape
    yield from list(model.shapes(shape))[:-1]


def _wrappers(layer: Layer) -> list[type[Wrapper]]:
    """Returns the classes of the wrappers around a layer, the outermost first."""
    return [type(layer), *_wrappers(layer.layer)] if isinstance(layer, Wrapper) else []


def _as_lists(outputs: Any, convert: Callable[[Output], Any]) -> Any:
    """Returns one converted output, a list of them, or a dictionary by name."""
    if isinstance(outputs, Mapping):
        return {name: convert(output) for name, output in outputs.items()}
    return list(map(convert, outputs)) if isinstance(outputs, tuple) else convert(outputs)


def _input_layer(layer: InputLayer, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the entry of an input layer, and the arguments that it cannot express."""
    config = {"batch_shape": [None, *layer.shape], "dtype": layer.dtype or "float32", "name": name}
    arguments = {"dtype": None} if layer.dtype is None else {}
    return _entry("keras.layers", "InputLayer", config), arguments


def _input(model: Sequential, shape: Sequence[int | None]) -> dict[str, Any]:
    name = "input_layer"
    while name in (model.names or ()):
        name += "_"
    config = {"batch_shape": [None, *shape], "dtype": "float32", "name": name}
    return _entry("keras.layers", "InputLayer", config)


def _entry(
    module: str, class_name: str, config: dict[str, Any], registered_name: str | None = None
) -> dict[str, Any]:
    return {
        "module": module,
        "class_name": class_name,
        "config": config,
        "registered_name": registered_name,
    }
