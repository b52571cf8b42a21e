"""Saving and loading of trained models."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from jaxlayers._text import short_repr
from jaxlayers.composition import Composition
from jaxlayers.interop import keras
from jaxlayers.interop.keras.weights import abstract_init
from jaxlayers.layer import Layer, Params, State
from jaxlayers.runs.arrays import array_names, flat_names, read_arrays
from jaxlayers.runs.folder import RunFolder
from jaxlayers.runs.names import named

# Maximum size in bytes of parameters.npz for models whose weights have unknown shapes.
_MAX_BYTES = 2**32

Models = Mapping[str, tuple[Layer, Params, State]]
"""Models by name, each with its params and state; the main model first."""


def load(path: str | Path, name: str | None = None) -> tuple[Layer, Params, State]:
    """Loads a trained model from the folder of a run, or from a folder written by `save`.

    Args:
        path: The folder.
        name: Name of the model if there are several, such as `"generator"` or `"discriminator"` of
            a GAN; `None` for the main model, such as the generator.

    Returns:
        The model, its params and its state, with NumPy arrays. The params are those after the last
        step, or the averaged params if the task computes them.

    Raises:
        FileNotFoundError: If it is not the folder of a run, or the run has not finished.
        ValueError: If a file is damaged, the arrays are not those of the model or not finite, or
            the model has custom layers or functions, which a config cannot represent.

    Example:
        >>> from jaxlayers import layers
        >>> model = layers.Dense(2)
        >>> save("dense", model, *model.init(jax.random.key(0), (3,)))
        >>> load("dense")[0]
        Dense(units=2)
    """
    folder = RunFolder(path)
    where = folder.path / "model.json"
    configs = folder.model().get("models")
    if not isinstance(configs, dict) or not configs:
        raise ValueError(f"{where}: has no models; it was not written by this version of jaxlayers")
    if name is None:
        name = next(iter(configs))
    if name not in configs:
        raise ValueError(f"{where}: has no model {name!r}, only {', '.join(map(repr, configs))}")
    model = _model(where, name, configs[name])
    params, state = _arrays(folder.existing("parameters.npz"), model, name, list(configs))
    return model, params, state


def save(path: str | Path, model: Layer, params: Params, state: State) -> None:
    """Saves a model to a folder, from which `load` loads it.

    Args:
        path: The folder; it must be empty or not exist.
        model: Any layer of this package, such as a `Sequential`.
        params: Params of the model.
        state: State of the model.

    Raises:
        FileExistsError: If the folder is not empty.
        NotSerializableError: If the model has custom layers or functions.
    """
    models = {"model": (model, params, state)}
    config = keras.serialize(model)
    folder = RunFolder(path)
    with folder.open():
        folder.write_config({})
        folder.write_model(describe(models) | {"models": {"model": config}})
        save_models(folder, models)


def describe(models: Models) -> dict[str, Any]:
    """Returns the content of `model.json`: the configs and summaries of models."""
    return {
        "models": {name: _config(model) for name, (model, *_) in models.items()},
        "summaries": {
            name: str(model.summary())
            for name, (model, *_) in models.items()
            if isinstance(model, Composition) and model.input_shape is not None
        },
    }


def save_models(folder: RunFolder, models: Models) -> None:
    """Writes the params and the state of models to the folder of a run."""
    trees = {name: (params, state) for name, (_, params, state) in models.items()}
    by_name = _by_name(trees, several=len(trees) > 1)
    folder.save_parameters(by_name["params"], by_name["state"])


def _config(model: Layer) -> dict[str, Any]:
    """Returns the config of a model, or the reason why it cannot be serialized."""
    try:
        return keras.serialize(model)
    except keras.NotSerializableError as error:
        return {"unsupported": str(error)}


def _model(where: Path, name: str, config: Any) -> Layer:
    if not isinstance(config, dict):
        raise ValueError(f"{where}: the config of {name!r} must be an object, got {config!r:.60}")
    if "unsupported" in config:
        raise ValueError(
            f"{where}: {name!r} could not be serialized: {config['unsupported']}. Construct the "
            "model in Python, and read its arrays with RunFolder(path).load_parameters()"
        )
    try:
        return keras.from_config(config)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {name!r}: {error}") from error


def _arrays(where: Path, model: Layer, name: str, names: list[str]) -> tuple[Params, State]:
    """Returns the params and the state of a model, after checking the names of the arrays."""
    shapes = None
    if model.input_shape is not None:
        params, state = abstract_init(model, tuple(model.input_shape))
        shapes = _by_name({name: (params, state)}, several=len(names) > 1)
        extra = set(array_names(where)) - set(flat_names(shapes))
        others = tuple(
            f"{part}/{quote(o, safe='')}/" for part in shapes for o in names if o != name
        )
        unknown = sorted(array for array in extra if not (others and array.startswith(others)))
        if unknown:
            raise ValueError(f"{where}: has {short_repr(unknown)}, which the model does not have")
    elif where.stat().st_size > _MAX_BYTES:
        raise ValueError(
            f"{where}: has {where.stat().st_size} bytes, more than the {_MAX_BYTES} that are read "
            "for a model without an input shape"
        )
    tree = read_arrays(where, shapes)
    params, state = tree.get("params", {}), tree.get("state", {})
    if len(names) > 1:
        params, state = params.get(name, {}), state.get(name, {})
    for array, value in named({"params": params, "state": state}).items():
        if not np.isfinite(value).all():
            raise ValueError(f"{where}: {array} contains NaN or infinity")
    return params, state


def _by_name(trees: Mapping[str, tuple[Any, Any]], several: bool) -> dict[str, Any]:
    """Returns the params and the state of models in the structure of `parameters.npz`."""
    if not several:
        ((params, state),) = trees.values()
        return {"params": params, "state": state}
    return {
        "params": {name: params for name, (params, _) in trees.items()},
        "state": {name: state for name, (_, state) in trees.items()},
    }
