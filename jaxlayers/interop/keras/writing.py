"""From a model to Keras's config of it."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jaxlayers.interop.keras import objects, policies, spellings
from jaxlayers.interop.keras.bare import bare, sequential_of
from jaxlayers.interop.keras.problems import Problems
from jaxlayers.layer import Layer
from jaxlayers.precision import InBfloat16
from jaxlayers.sequential import Sequential

Path = tuple[str, ...]

# Keras learnt these later than Keras 3.0; they are written only where they say something.
_NEWER = ("renorm", "renorm_clipping", "renorm_momentum")


def to_config(model: Layer, *, input_shape: Sequence[int | None] | None = None) -> dict[str, Any]:
    """Returns Keras's config of a model, as `keras.models.model_from_json` takes it.

    Args:
        model: a `Sequential`, or one in `InBfloat16`, whose dtype policy is `mixed_bfloat16`.
        input_shape: shape of one example, `None` in it for any extent; where the model was
            constructed without. Without either, Keras's model is not built.

    Returns:
        A dictionary of what JSON has: class name, config and so on.

    Raises:
        ValueError: a model with anything that Keras does not have or has no name for: SumPooling2D,
            layers of other classes, functions; the message lists all of it.
        TypeError: no `Sequential`.

    Example:
        >>> from jaxlayers import layers
        >>> config = to_config(Sequential([layers.Dense(2)], input_shape=(4,)))
        >>> [layer["class_name"] for layer in config["config"]["layers"]]
        ['InputLayer', 'Dense']
    """
    return write(model, {}, input_shape)


def write(
    model: Any, dtypes: Mapping[Path, str], input_shape: Sequence[int | None] | None = None
) -> dict[str, Any]:
    """Returns Keras's config of a model; see `to_config`.

    Args:
        model: as there.
        dtypes: what the weights of each layer are kept in; float32 where it is not said.
        input_shape: as there.
    """
    mixed = isinstance(model, InBfloat16)
    sequential = sequential_of(model, "to_config")
    problems = Problems()
    shape = sequential.input_shape if input_shape is None else tuple(input_shape)
    entry = _model(sequential, sequential.name, shape, _Writer(problems, dtypes), (), mixed)
    problems.refuse(f"{sequential.name}: holds what Keras does not have:")
    return entry


@dataclasses.dataclass
class _Writer:
    problems: Problems
    dtypes: Mapping[Path, str]
    # Layers without weights have the policy of the layer before them.
    last: str | None = None

    def policy(self, path: Path, mixed: bool) -> str:
        """Returns the name of the dtype policy of a layer."""
        if self.last is None:
            self.last = next(iter(self.dtypes.values()), "float32")
        self.last = self.dtypes.get(path, self.last)
        if mixed and self.dtypes.get(path, "float32") != "float32":
            self.problems.add(
                f"weights in {self.dtypes[path]} inside InBfloat16; Keras keeps them in float32",
                "/".join(path),
            )
        return policies.MIXED if mixed else self.last


def _model(
    model: Sequential, name: str, shape: Any, writer: _Writer, path: Path, mixed: bool
) -> dict[str, Any]:
    entries = []
    if shape is not None:
        entries.append(_input(model, shape))
    for (layer_name, layer), inner_shape in zip(model.items(), _shapes(model, shape), strict=True):
        inside = bare(layer)
        within = mixed or isinstance(layer, InBfloat16)
        where = (*path, layer_name)
        if "/" in layer_name:
            writer.problems.add("a name with '/', which Keras refuses", layer_name, "layer")
        if isinstance(inside, Sequential):
            entries.append(_model(inside, layer_name, inner_shape, writer, where, within))
        else:
            entries.append(_layer(inside, where, writer, within))
    config: dict[str, Any] = {
        "name": name,
        "trainable": True,
        "dtype": policies.write_policy(policies.MIXED if mixed else "float32"),
        "layers": entries,
    }
    entry: dict[str, Any] = {
        "module": "keras",
        "class_name": "Sequential",
        "config": config,
        "registered_name": None,
    }
    if shape is not None:
        config["build_input_shape"] = [None, *shape]
        entry["build_config"] = {"input_shape": [None, *shape]}
    return entry


def _shapes(model: Sequential, shape: Any) -> Iterator[Any]:
    """Yields the shape of the input of each layer, `None` where it is not known."""
    if shape is None or None in shape:
        yield from [None] * len(model)
        return
    yield shape
    yield from list(model.shapes(shape))[:-1]


def _input(model: Sequential, shape: Sequence[int | None]) -> dict[str, Any]:
    name = "input_layer"
    while name in (model.names or ()):
        name += "_"
    return {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {"batch_shape": [None, *shape], "dtype": "float32", "name": name},
        "registered_name": None,
    }


def _layer(layer: Any, path: Path, writer: _Writer, mixed: bool) -> dict[str, Any]:
    class_name = type(layer).__name__
    where = "/".join(path)
    config: dict[str, Any] = {
        "name": path[-1],
        "trainable": True,
        "dtype": policies.write_policy(writer.policy(path, mixed)),
    }
    known: Any = spellings.known_classes().get(class_name)
    if known is None or type(layer).__module__ != known.__module__:
        writer.problems.add("Keras has no layer of this class", where, class_name)
    else:
        for field in dataclasses.fields(layer):
            value = getattr(layer, field.name)
            if field.name in _NEWER and not layer.renorm:
                continue
            try:
                config[field.name] = _argument(field.name, value)
            except (ValueError, TypeError) as error:
                writer.problems.add(f"{field.name}: {error}", where, class_name)
    return {
        "module": "keras.layers",
        "class_name": class_name,
        "config": config,
        "registered_name": None,
    }


def _argument(name: str, value: Any) -> Any:
    if name == "activation":
        return objects.write_activation(value)
    ending = objects.kind_of(name)
    if ending is not None:
        return objects.write_object(ending, value)
    if name == "renorm_clipping" and value is not None:
        return dict(value)
    return objects.as_json(value)
