"""Writing of models to `.keras` archives."""

import io
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxlayers._files import as_path
from jaxlayers._text import short_repr
from jaxlayers.interop.errors import Problems
from jaxlayers.interop.keras import archive, serialization, weights
from jaxlayers.interop.keras.dtype_policies import model_of
from jaxlayers.interop.keras.keras3_weights import array_paths, group_paths
from jaxlayers.interop.keras.values import example_shapes
from jaxlayers.interop.keras.weights import Weight
from jaxlayers.layer import Layer, Params, State


def save(
    path: str | os.PathLike[str],
    model: Layer,
    params: Params,
    state: State,
    *,
    input_shape: Sequence[int | None] | None = None,
) -> None:
    """Saves a model to a `.keras` archive, which `keras.models.load_model` loads.

    The dtype policy of a layer is the dtype of its weights, or `mixed_bfloat16` in `InBfloat16`.

    Args:
        path: Path of the file, which must end in `.keras`.
        model: A `Sequential` or `Functional`, also in `InBfloat16` or `Frozen`.
        params: Params of the model.
        state: State of the model; activity penalties in it are not saved.
        input_shape: Shape of one example, in which `None` is any size; required if the model was
            constructed without one.

    Raises:
        ValueError: If the path has another extension, the model has anything that Keras does not
            have, or the arrays are not those of the model. The message lists all problems.
        TypeError: If `model` is not a `Sequential` or `Functional`, `params` or `state` is not a
            dictionary, or `path` is not a path.
        ImportError: If h5py is not installed.
        OSError: If the file cannot be written.
    """
    path = as_path(path, "save")
    if path.suffix != ".keras":
        raise ValueError(f"save: path must end in .keras, which Keras requires, got {path}")
    given = model_of(model, "save").input_shape if input_shape is None else input_shape
    shape = None if given is None else example_shapes(given, "save")
    for name, tree in (("params", params), ("state", state)):
        if not isinstance(tree, Mapping):
            raise TypeError(
                f"save: {name} must be a dictionary, as returned by init, "
                f"got {short_repr(tree)} ({type(tree).__name__})"
            )
    config = serialization.write(model, _dtypes(model, params, state), shape, "save")
    if shape is None:
        raise ValueError(
            "save: the model was constructed without input_shape: input_shape must be the shape "
            "of one example, a tuple of integers, got None"
        )
    arrays = _arrays_of(params, state, weights.weights_of(model, shape))
    archive.write_members(
        {
            # The config is also valid for Keras 3.0.
            archive.METADATA: json.dumps({"keras_version": "3.0.0"}).encode(),
            archive.CONFIG: json.dumps(config).encode(),
            archive.WEIGHTS: _hdf5_bytes(model, arrays),
        },
        path,
    )


def _dtypes(model: Layer, params: Params, state: State) -> dict[weights.Path, str]:
    """Returns the dtype of the weights of each layer."""
    problems, dtypes = Problems(), {}
    for path, layer in weights.leaves(model):
        own: dict[str, Any] = {}
        for tree in (params, state):
            for name in path:
                tree = tree.get(name, {}) if isinstance(tree, Mapping) else {}
            own |= tree if isinstance(tree, Mapping) else {}
        own.pop("activity_penalty", None)
        kinds = sorted({str(np.asarray(array).dtype) for array in own.values()})
        if len(kinds) > 1 or not set(kinds) <= set(weights.FLOATS):
            problems.add(
                f"weights of dtypes {', '.join(kinds)}; they must have a single dtype, one of "
                f"{', '.join(weights.FLOATS)}",
                "/".join(path),
                type(layer).__name__,
            )
        elif kinds:
            dtypes[path] = kinds[0]
    problems.raise_if_any(
        "save: params and state must have one float dtype per layer, as in Keras:"
    )
    return dtypes


def _arrays_of(params: Params, state: State, wanted: list[Weight]) -> dict[Weight, np.ndarray]:
    """Returns the arrays of the weights, after checking that they are those of the model."""
    problems, arrays = Problems(), {}
    given = {
        (tuple(str(getattr(part, "key", part)) for part in path)): leaf
        for tree in (params, state)
        for path, leaf in jax.tree.leaves_with_path(tree)
    }
    for weight in wanted:
        if weight.only_in_keras:
            arrays[weight] = np.zeros(weight.shape, np.int32)
            continue
        array = given.pop((*weight.layer, weight.name), None)
        if array is None:
            problems.add(f"{weight}: missing, the model has shape {weight.shape}")
        elif np.shape(array) != weight.shape:
            problems.add(f"{weight}: shape {np.shape(array)}, the model has {weight.shape}")
        else:
            arrays[weight] = np.asarray(array)
    for path in given:
        if path[-1] != "activity_penalty":
            problems.add(f"{'/'.join(path)}: the model has no such weight")
    problems.raise_if_any("save: params and state must be those that init returns for the model:")
    return arrays


def _hdf5_bytes(model: Layer, arrays: Mapping[Weight, np.ndarray]) -> bytes:
    """Returns the file `model.weights.h5` of an archive."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            'Keras files are written with h5py: pip install "jaxlayers[keras]"'
        ) from error
    content = io.BytesIO()
    with h5py.File(content, "w", libver="earliest") as file:
        for path, place in group_paths(model):
            group = file.create_group(f"{place}/vars")
            group.attrs["name"] = path[-1]
            own = [weight for weight in arrays if weight.layer == path]
            for below, weight in array_paths(own):
                stored = file.create_dataset(f"{place}/{below}", data=arrays[weight])
                if str(arrays[weight].dtype) == "bfloat16":
                    stored.attrs["dtype"] = "bfloat16"
    return content.getvalue()
