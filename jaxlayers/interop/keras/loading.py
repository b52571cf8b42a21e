"""Reading of models and weights from Keras files."""

import os
from collections.abc import Sequence
from pathlib import Path

import jax.numpy as jnp

from jaxlayers._files import as_path
from jaxlayers.composition import Composition
from jaxlayers.interop.errors import Problems, prefix_errors
from jaxlayers.interop.keras import archive, hdf5, serialization, weights
from jaxlayers.interop.keras.dtype_policies import model_of
from jaxlayers.interop.keras.keras2_weights import is_keras2, read_keras2_weights
from jaxlayers.interop.keras.keras3_weights import read_keras3_weights
from jaxlayers.interop.keras.values import example_shapes
from jaxlayers.layer import Layer, Params, State
from jaxlayers.layers.wrapper import unwrapped

_ZIP = b"PK"


def load(path: str | os.PathLike[str]) -> tuple[Layer, Params, State]:
    """Loads a model that Keras has saved, without Keras or TensorFlow.

    The optimizer, the loss and the metrics of the model are ignored. Layers with `trainable=False`
    are in `Frozen`; `jaxlayers.trainable(model, params)` returns the mask of the trainable weights.

    Args:
        path: A `.keras` archive, or an `.h5` file with a model.

    Returns:
        The model, its params and its state. The model is a `Sequential` or a `Functional`, in
        `InBfloat16` if the dtype policy is `mixed_bfloat16`.

    Raises:
        FileNotFoundError: If the file does not exist.
        IsADirectoryError: If it is a folder.
        ValueError: If the file has another format or is damaged, the model is not supported, or
            weights are missing, unknown, or have other shapes or dtypes. The message lists all
            problems.
        TypeError: If `path` is not a path.

    Reference:
        https://keras.io/guides/serialization_and_saving/

    Example:
        >>> load("x.keras")
        Traceback (most recent call last):
        FileNotFoundError: x.keras: there is no such file; path of load must be a .keras or .h5 file
    """
    path = _existing(path, "load")
    with prefix_errors(path):
        if _is_zip(path):
            members = archive.read_members(path)
            metadata = serialization.parse(members.get(archive.METADATA, b"{}"))
            version = metadata.get("keras_version") if isinstance(metadata, dict) else None
            read = serialization.read(serialization.parse(members[archive.CONFIG]), version)
            root, by_name = hdf5.File(members[archive.WEIGHTS]).root, False
        else:
            file = hdf5.File(path.read_bytes())
            texts = file.root.strings("model_config")
            if not texts:
                raise ValueError(
                    "contains no model, only weights: construct the model and call "
                    "load_weights(path, model)"
                )
            version = (file.root.strings("keras_version") or ["2"])[0]
            read = serialization.read(serialization.parse(texts[0]), version)
            weights_group = file.root.children.get("model_weights")
            if weights_group is None:
                raise ValueError("contains no model_weights")
            root, by_name = weights_group, True
        if not isinstance(unwrapped(read.model), Composition):
            raise ValueError("contains the config of a single layer, not of a model")
        params, state = _weights(root, by_name, read)
    return read.model, params, state


def load_weights(
    path: str | os.PathLike[str], model: Layer, *, input_shape: Sequence[int] | None = None
) -> tuple[Params, State]:
    """Loads the weights of a model from a Keras file.

    Args:
        path: A `.weights.h5` file of Keras 3, an `.h5` file of Keras 2 with weights or a model,
            or a `.keras` archive.
        model: A `Sequential` or `Functional` with the layers of these weights, also in wrappers
            such as `InBfloat16`. The names of the layers must match only if there are nested
            models.
        input_shape: Shape of one example; required if the model was constructed without one.

    Returns:
        Params and state of the model, with the dtypes in the file.

    Raises:
        FileNotFoundError: If the file does not exist.
        IsADirectoryError: If it is a folder.
        ValueError: As in `load`, or if there is no `input_shape`.
        TypeError: If `model` is not a `Sequential` or `Functional`, or `path` is not a path.
    """
    inside = model_of(model, "load_weights")
    given = inside.input_shape if input_shape is None else input_shape
    if given is None:
        raise ValueError(
            f"load_weights: model {inside.name!r} was constructed without input_shape: "
            "input_shape must be the shape of one example, a tuple of integers, got None"
        )
    shape = example_shapes(given, "load_weights")
    path = _existing(path, "load_weights")
    with prefix_errors(path):
        if _is_zip(path):
            data = archive.read_members(path)[archive.WEIGHTS]
        else:
            data = path.read_bytes()
        root = hdf5.File(data).root
        whole = root.children.get("model_weights")
        by_name = whole is not None or is_keras2(root)
        read = serialization.ParsedModel(model, shape, None)
        return _weights(whole or root, by_name, read)


def _existing(path: str | os.PathLike[str], caller: str) -> Path:
    found = as_path(path, caller)
    allowed = f"path of {caller} must be a .keras or .h5 file"
    if found.is_dir():
        raise IsADirectoryError(f"{found}: is a folder; {allowed}")
    if not found.is_file():
        what = "not a regular file" if found.exists() else "there is no such file"
        raise FileNotFoundError(f"{found}: {what}; {allowed}")
    return found


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP


def _weights(
    root: hdf5.Node, by_name: bool, read: serialization.ParsedModel
) -> tuple[Params, State]:
    """Returns params and state of the model, with the values in a file."""
    if read.input_shape is None:
        raise ValueError("contains a model without an input shape, which has not been built")
    wanted = weights.weights_of(read.model, read.input_shape)
    problems = Problems()
    if by_name:
        found = read_keras2_weights(root, wanted, problems)
    else:
        found = read_keras3_weights(root, read.model, wanted, problems)
    arrays = weights.read_values(wanted, found, read.dtypes, problems)
    problems.raise_if_any("contains other weights than the model; layers and shapes must match:")
    params: Params = {}
    state: State = {}
    for weight, array in arrays.items():
        tree = params if weight.trainable else state
        weights.subtree(tree, weight.layer)[weight.name] = jnp.asarray(array)
    for path, layer in weights.leaves(read.model):
        inside = getattr(layer, "layer", layer)  # of spectral normalization
        if getattr(inside, "activity_regularizer", None) is not None:
            weights.subtree(state, path)["activity_penalty"] = jnp.zeros(())
    return params, state
