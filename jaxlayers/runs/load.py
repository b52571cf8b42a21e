"""A trained model in the folder of a run: written, and read back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxlayers.interop import keras
from jaxlayers.layer import Layer, Params, State
from jaxlayers.runs.folder import RunFolder

def load(path: str | Path) -> tuple[Layer, Any, Any]:
    """Returns the model of a run, its params and its state.

    Args:
        path: the folder of a run that has ended, or of a converted Keras file.

    Raises:
        FileNotFoundError: this is no such folder.
        ValueError: it holds another kind of model.
    """
    folder = RunFolder(path)
    description = folder.model()
    model = _model(folder.path, description)
    params, state = folder.load_parameters()
    part = description.get("params")
    if part is None:
        return model, params, state
    return model, params[part], state[part]


def save(path: str | Path, model: Layer, params: Params, state: State) -> None:
    """Writes a model."""


def _model(path: Path, description: Mapping[str, Any]) -> Layer:
    from jaxlayers.models import cnn, dcgan

    models: dict[str, Any] = {
        "dcgan.generator": dcgan.generator,
        "cnn.lenet": cnn.lenet,
        "cnn.vgg": cnn.vgg,
    }
    name = description.get("model")
    if name == "keras":
        return keras.from_config(description["config"])
    if name not in models:
        known = ["keras", *models]
        raise ValueError(f"{path}: model.json names {name!r}, known are {known}")
    return models[str(name)](**description["arguments"])
