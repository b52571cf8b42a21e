"""Writing of models to safetensors files, with params, state and config in one file."""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from jaxlayers._files import as_path, write_atomically
from jaxlayers.interop.keras import serialize
from jaxlayers.layer import Layer, Params, State


def save(path: str | os.PathLike[str], model: Layer, params: Params, state: State) -> None:
    """Saves a model to a safetensors file.

    The arrays of params and state have names such as `conv2d.kernel`. The metadata of the file
    contains the config of the model as JSON under `keras_config`, which
    `jaxlayers.interop.keras.from_config` reads.

    Args:
        path: Path of the file, which must end in `.safetensors`.
        model: A model that `jaxlayers.interop.keras.serialize` supports.
        params: Params of the model.
        state: State of the model; activity penalties in it are not saved.

    Raises:
        FileExistsError: If the file exists.
        ValueError: If the path has another extension, the model cannot be serialized, or two
            arrays have the same name.
        ImportError: If safetensors is not installed.
        OSError: If the file cannot be written.
    """
    path = as_path(path, "save")
    if path.suffix != ".safetensors":
        raise ValueError(f"save: path must end in .safetensors, got {path}")
    if path.exists():
        raise FileExistsError(f"{path}: already exists; remove it or choose another name")
    try:
        from safetensors import numpy as safetensors
    except ImportError as error:
        raise ImportError(
            'safetensors files need safetensors: pip install "jaxlayers[keras]"'
        ) from error
    arrays: dict[str, Any] = {}
    for tree in (params, state):
        for name, array in _named(tree):
            if name in arrays:
                raise ValueError(f"{path}: two weights have the name {name}; rename a layer")
            arrays[name] = array
    metadata = {"format": "jaxlayers", "keras_config": json.dumps(serialize(model))}
    with write_atomically(path) as file:
        file.write(safetensors.save(arrays, metadata))


def _named(tree: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    for path, array in jax.tree.leaves_with_path(tree):
        names = [part.key for part in path]
        if names[-1] != "activity_penalty":
            yield ".".join(names), np.asarray(array)
