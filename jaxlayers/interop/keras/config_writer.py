"""Conversion of models to configs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jaxlayers._text import short_repr
from jaxlayers.composition import snake_case
from jaxlayers.functional import Functional
from jaxlayers.interop.errors import Problems
from jaxlayers.interop.keras import dtype_policies
from jaxlayers.interop.keras.config_reader import EXACT, Path
from jaxlayers.interop.keras.dtype_policies import unwrapped
from jaxlayers.interop.keras.layer_config import (
    OWN_MODULE,
    WITHOUT_TRAINABLE,
    keras_classes,
    own_classes,
    wraps_layer,
    write_layer,
    write_layer_exactly,
)
from jaxlayers.layer import Layer
from jaxlayers.layers.mixed_precision import InBfloat16
from jaxlayers.sequential import Sequential


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

    def entry(self, layer: Layer, path: Path, name: str, shape: Any, mixed: bool) -> dict[str, Any]:
        """Returns the class name and the config of a layer or a model.

        Args:
            layer: The layer, including any `InBfloat16` around it.
            path: The names of the models that contain the layer and of the layer; `()` for the
                whole model.
            name: The name in the config.
            shape: Input shape of a Sequential; `None` if unknown.
            mixed: Whether the layer is inside `InBfloat16`.
        """
        inside = unwrapped(layer)
        mixed = mixed or inside is not layer
        self._check_name(name, path, inside)
        if isinstance(inside, Sequential):
            entry, arguments = self._model(inside, name, shape, path, mixed)
        else:
            entry, arguments = self._single(inside, name, path or (name,), mixed)
        if not self.exact:
            return entry
        exact: dict[str, Any] = {}
        if inside is not layer:
            exact["in_bfloat16"] = _wrappers(layer)
        if arguments:
            exact["arguments"] = arguments
        # Always present in the outermost entry, where it marks the config as complete.
        return entry | ({EXACT: exact} if exact or not path else {})

    def _model(
        self, model: Sequential, name: str, shape: Any, path: Path, mixed: bool
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the entry of a Sequential, and the arguments that the entry cannot express."""
        entries = [] if shape is None else [_input(model, shape)]
        shapes = _shapes(model, shape)
        for (layer_name, layer), inner_shape in zip(model.items(), shapes, strict=True):
            where = (*path, layer_name)
            entries.append(self.entry(layer, where, layer_name, inner_shape, mixed))
        policy = dtype_policies.MIXED if mixed else "float32"
        config: dict[str, Any] = {
            "name": name,
            "trainable": True,
            "dtype": dtype_policies.write_policy(policy),
            "layers": entries,
        }
        entry = _entry("keras", "Sequential", config)
        if shape is not None:
            config["build_input_shape"] = [None, *shape]
            entry["build_config"] = {"input_shape": [None, *shape]}
        if self.exact and type(model) is not Sequential:
            what = "a user-defined class, which a config cannot represent"
            self.problems.add(what, "/".join(path) or name, type(model).__name__)
        arguments: dict[str, Any] = {}
        if model.name != name:
            arguments["name"] = model.name
        if model.input_shape != shape:
            arguments["input_shape"] = model.input_shape and list(model.input_shape)
        if not model.fuse:
            arguments["fuse"] = False
        return entry, arguments

    def _single(
        self, layer: Layer, name: str, path: Path, mixed: bool
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the entry of any other layer, and the arguments that it cannot express."""
        class_name = type(layer).__name__

        def report(what: str) -> None:
            self.problems.add(what, "/".join(path), class_name)

        config: dict[str, Any] = {
            "name": name,
            "trainable": True,
            "dtype": dtype_policies.write_policy(self._policy(path, mixed)),
        }
        if class_name in WITHOUT_TRAINABLE:
            del config["trainable"]
        known = keras_classes()
        own = own_classes() if self.exact else {}
        exact: dict[str, Any] = {}
        is_known = type(layer) in (known | own).values()
        if is_known and wraps_layer(type(layer)):
            config["layer"] = self._wrapped(getattr(layer, "layer", None), path, mixed)
        if isinstance(layer, Functional):
            report("graphs of layers cannot be written, only Sequential models")
        elif not is_known:
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
        return _entry("keras.layers", class_name, config), exact

    def _wrapped(self, layer: Any, path: Path, mixed: bool) -> dict[str, Any]:
        """Returns the entry of the layer inside another layer."""
        inside = unwrapped(layer)
        path = (*path, "layer")
        if inside is not layer and not mixed and not self.exact:
            what = "InBfloat16 must be around the layer that wraps it, as Keras's dtype policies"
            self.problems.add(what, "/".join(path), type(layer).__name__)
        return self.entry(layer, path, snake_case(type(inside).__name__), None, mixed)

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


def _wrappers(layer: Layer) -> int:
    return 1 + _wrappers(layer.layer) if isinstance(layer, InBfloat16) else 0


def _shapes(model: Sequential, shape: Any) -> Iterator[Any]:
    """Yields the input shape of each layer; `None` if it is unknown."""
    if shape is None or None in shape:
        yield from [None] * len(model)
        return
    yield shape
    yield from list(model.shapes(shape))[:-1]


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
