"""From a Keras file to a run's folder, or to safetensors."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxlayers.interop.keras.bare import sequential_of
from jaxlayers.interop.keras.files import load
from jaxlayers.interop.keras.writing import to_config
from jaxlayers.layer import Params, State


def convert(file: str | Path, out: str | Path) -> None:
    """Writes a model in a Keras file in another format.

    Args:
        file: what `load` reads.
        out: a name that ends in `.safetensors`, for one file with params and state under names
            such as `conv2d.kernel` and the config in its metadata; or a folder that is empty or
            not there, for what a run of this library leaves, which `experiments.sample` and
            `experiments.classify` open.

    Raises:
        FileExistsError: the folder holds something, or there is a file of this name.
        ValueError: as in `load`.
        ImportError: safetensors is missing.
    """
    out = Path(out)
    if out.suffix == ".safetensors" and out.exists():
        raise FileExistsError(f"{out}: is there already; remove it or give another name")
    model, params, state = load(file)
    # A model whose images may have any size keeps that: its config has no input.
    config = to_config(model)
    if out.suffix == ".safetensors":
        _write_safetensors(out, config, params, state)
    else:
        _write_run_folder(out, Path(file), model, config, params, state)


def _write_run_folder(
    out: Path, file: Path, model: Any, config: Any, params: Params, state: State
) -> None:
    from jaxlayers.runs import RunFolder

    folder = RunFolder(out)
    sequential = sequential_of(model, "convert")
    # Images of any size have no shapes to tell.
    known = sequential.input_shape is not None
    summaries = {sequential.name: sequential.summary()} if known else {}
    folder.create(
        config={"keras_file": file.name},
        model={"model": "keras", "config": config, "summaries": summaries},
    )
    folder.save_parameters(params, state)


def _write_safetensors(out: Path, config: Any, params: Params, state: State) -> None:
    try:
        from safetensors.numpy import save_file
    except ImportError as error:
        raise ImportError(
            'safetensors files need a package: pip install "jaxlayers[keras]"'
        ) from error
    arrays: dict[str, Any] = {}
    for tree in (params, state):
        for name, array in _named(tree):
            if name in arrays:
                raise ValueError(f"{out}: two weights are called {name}; rename a layer")
            arrays[name] = array
    save_file(arrays, str(out), {"format": "jaxlayers", "keras_config": json.dumps(config)})


def _named(tree: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    for path, array in jax.tree.leaves_with_path(tree):
        names = [part.key for part in path]
        if names[-1] != "activity_penalty":
            yield ".".join(names), np.asarray(array)
