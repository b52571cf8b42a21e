"""Models and weights in Keras's files."""

import io
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlayers.interop.keras import archive, hdf5, named, numbered, reading, weights, writing
from jaxlayers.interop.keras.bare import sequential_of
from jaxlayers.interop.keras.problems import Problems, about
from jaxlayers.interop.keras.weights import Weight
from jaxlayers.layer import Layer, Params, Shape, State

_ZIP = b"PK"
# Extents to try where the config leaves those of the images open; the weights do not depend on
# them, only that every window fits.
_EXTENTS = (64, 256, 1024)


def load(path: str | Path) -> tuple[Layer, Params, State]:
    """Reads a model that Keras has saved; needs neither Keras nor TensorFlow.

    How the model was compiled, its optimizer and its metrics are not looked at. A layer that was
    not trained in Keras (`trainable=False`) is read as any other, with a warning that names it.

    Args:
        path: a `.keras` archive, or a whole model in Keras 2's `.h5`.

    Returns:
        The model, its params and its state: a `Sequential`, in `InBfloat16` where its dtype
        policy is `mixed_bfloat16`, and what `init` would give of it, with the numbers of the
        file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file that is none of these, or damaged; a model with anything that this
            library does not have; weights that are missing, that the model does not have, or of
            other shapes or types. The message lists all of it.

    Reference:
        https://keras.io/guides/serialization_and_saving/

    Example:
        >>> load("nowhere.keras")
        Traceback (most recent call last):
        FileNotFoundError: nowhere.keras: there is no such file
    """
    path = _existing(path)
    with about(path):
        if _is_zip(path):
            members = archive.read_members(path)
            metadata = reading.parse(members.get(archive.METADATA, b"{}"))
            version = metadata.get("keras_version") if isinstance(metadata, dict) else None
            read = reading.read(reading.parse(members[archive.CONFIG]), version)
            root, by_name = hdf5.File(members[archive.WEIGHTS]).root, False
        else:
            file = hdf5.File(path.read_bytes())
            texts = file.root.strings("model_config")
            if not texts:
                raise ValueError(
                    "holds no model, only weights: make the model and call load_weights(path, "
                    "model)"
                )
            version = (file.root.strings("keras_version") or ["2"])[0]
            read = reading.read(reading.parse(texts[0]), version)
            weights_group = file.root.children.get("model_weights")
            if weights_group is None:
                raise ValueError("holds no model_weights")
            root, by_name = weights_group, True
        params, state = _weights(root, by_name, read)
    if read.frozen:
        names = ", ".join("/".join(layer) for layer in read.frozen[:20])
        warnings.warn(
            f"{path}: Keras does not train {names}; params have no such flag here, so leave "
            "these out of the optimizer, for example with optax.masked",
            stacklevel=2,
        )
    return read.model, params, state


def load_weights(
    path: str | Path, model: Layer, *, input_shape: Sequence[int] | None = None
) -> tuple[Params, State]:
    """Reads the weights of a model from a file of Keras.

    Args:
        path: a `.weights.h5` of Keras 3, an `.h5` of weights or of a whole model of Keras 2, or a
            `.keras` archive.
        model: a `Sequential` with the layers whose weights these are, or one in `InBfloat16`.
            Their names matter only where models are inside it.
        input_shape: shape of one example; where the model was constructed without.

    Returns:
        Params and state of the model, in the types of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: as in `load`.
        TypeError: no `Sequential`.
    """
    sequential = sequential_of(model, "load_weights")
    shape = sequential.input_shape if input_shape is None else tuple(input_shape)
    if shape is None:
        raise ValueError(
            f"Sequential {sequential.name!r}: needs input_shape, the shape of one example, at "
            "construction or here"
        )
    path = _existing(path)
    with about(path):
        if _is_zip(path):
            data = archive.read_members(path)[archive.WEIGHTS]
        else:
            data = path.read_bytes()
        root = hdf5.File(data).root
        whole = root.children.get("model_weights")
        by_name = whole is not None or named.has_names(root)
        read = reading.Read(model, tuple(shape), None, [], None)
        return _weights(whole or root, by_name, read)


def save(
    path: str | Path,
    model: Layer,
    params: Params,
    state: State,
    *,
    input_shape: Sequence[int | None] | None = None,
) -> None:
    """Writes a `.keras` archive, which `keras.models.load_model` opens, with every number equal.

    The dtype policy of a layer is the type of its weights, `mixed_bfloat16` in `InBfloat16`.

    Args:
        path: where to; ends in `.keras`.
        model: a `Sequential`, or one in `InBfloat16`.
        params: of the model.
        state: of the model; penalties of activities in it are left out.
        input_shape: shape of one example, `None` in it for any extent; where the model was
            constructed without.

    Raises:
        ValueError: another name, a model with anything that Keras does not have, or arrays that
            are not the model's.
        TypeError: no `Sequential`.
        ImportError: h5py is missing.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise ValueError(f"{path}: the name must end in .keras, or Keras will not open it")
    given = sequential_of(model, "save").input_shape if input_shape is None else input_shape
    shape: Any = None if given is None else tuple(given)
    config = writing.write(model, _dtypes(model, params, state), shape)
    if shape is None:
        raise ValueError(f"{path}: needs input_shape, the shape of one example, to build the model")
    arrays = _arrays_of(model, params, state, _wanted(model, shape))
    archive.write_members(
        {
            # Keras 3.0 reads this config as well; how the file came about is nobody's business.
            archive.METADATA: json.dumps({"keras_version": "3.0.0"}).encode(),
            archive.CONFIG: json.dumps(config).encode(),
            archive.WEIGHTS: _hdf5_bytes(model, arrays),
        },
        path,
    )


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        what = "is a folder or a device" if path.exists() else "there is no such file"
        raise FileNotFoundError(f"{path}: {what}")
    return path


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP


def _weights(root: hdf5.Node, by_name: bool, read: reading.Read) -> tuple[Params, State]:
    """Returns params and state of the model, with the numbers of a file."""
    if read.input_shape is None:
        raise ValueError("holds a model that has never been built: it has no shape of an input")
    model, dtypes = read.model, read.dtypes
    wanted = _wanted(model, read.input_shape)
    problems = Problems()
    if by_name:
        found = named.read_named(root, wanted, problems)
    else:
        found = numbered.read_numbered(root, model, wanted, problems, read.functional)
    arrays, wrong = weights.numbers(wanted, found, dtypes)
    problems.found += wrong
    problems.refuse("holds other weights than the model has:")
    params: Params = {}
    state: State = {}
    for weight, array in arrays.items():
        tree = params if weight.trained else state
        for name in weight.layer:
            tree = tree.setdefault(name, {})
        tree[weight.name] = jnp.asarray(array)
    for path, layer in weights.leaves(model):
        if getattr(layer, "activity_regularizer", None) is not None:
            tree = state
            for name in path:
                tree = tree.setdefault(name, {})
            tree["activity_penalty"] = jnp.zeros(())
    return params, state


def _wanted(model: Any, input_shape: Sequence[int | None]) -> list[Weight]:
    """Returns the weights of a model for inputs of which some extents may be open."""
    error = ValueError("")
    for extent in _EXTENTS if None in input_shape else (0,):
        shape: Shape = tuple(extent if d is None else d for d in input_shape)
        try:
            return weights.weights_of(model, shape)
        except ValueError as this:
            error = this
    raise error


def _dtypes(model: Any, params: Params, state: State) -> dict[weights.Path, str]:
    """Returns what the weights of each layer are kept in."""
    problems, dtypes = Problems(), {}
    for path, layer in weights.leaves(model):
        own: dict[str, Any] = {}
        for tree in (params, state):
            for name in path:
                tree = tree.get(name, {}) if isinstance(tree, Mapping) else {}
            own |= tree
        own.pop("activity_penalty", None)
        kinds = sorted({str(np.asarray(array).dtype) for array in own.values()})
        if len(kinds) > 1 or not set(kinds) <= set(weights.FLOATS):
            problems.add(
                f"weights of {kinds}, not of one type of floats",
                "/".join(path),
                type(layer).__name__,
            )
        elif kinds:
            dtypes[path] = kinds[0]
    problems.refuse("save: Keras has one type for the weights of a layer:")
    return dtypes


def _arrays_of(
    model: Any, params: Params, state: State, wanted: list[Weight]
) -> dict[Weight, np.ndarray]:
    """Returns the arrays of the weights, having checked that they are those of the model."""
    problems, arrays = Problems(), {}
    given = {
        (tuple(part.key for part in path)): leaf
        for tree in (params, state)
        for path, leaf in jax.tree.leaves_with_path(tree)
        if path[-1].key != "activity_penalty"
    }
    for weight in wanted:
        array = given.pop((*weight.layer, weight.name), None)
        if array is None:
            problems.add(f"{weight}: missing")
        elif tuple(array.shape) != weight.shape:
            problems.add(f"{weight}: shape {tuple(array.shape)}, the model has {weight.shape}")
        else:
            arrays[weight] = np.asarray(array)
    for path in given:
        problems.add(f"{'/'.join(path)}: the model has no such weight")
    problems.refuse("save: params and state are not those of the model:")
    return arrays


def _hdf5_bytes(model: Any, arrays: Mapping[Weight, np.ndarray]) -> bytes:
    """Returns the file `model.weights.h5` of an archive."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            'Keras files are written with h5py: pip install "jaxlayers[keras]"'
        ) from error
    content = io.BytesIO()
    with h5py.File(content, "w", libver="earliest") as file:
        for path, place in numbered.numbered(model):
            group = file.create_group(f"{place}/vars")
            group.attrs["name"] = path[-1]
            own = [array for weight, array in arrays.items() if weight.layer == path]
            for position, array in enumerate(own):
                stored = group.create_dataset(str(position), data=array)
                if str(array.dtype) == "bfloat16":
                    stored.attrs["dtype"] = "bfloat16"
    return content.getvalue()
