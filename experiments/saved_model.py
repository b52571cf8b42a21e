"""From the folder of a run to the model that is in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxlayers import Layer, train
from jaxlayers.interop import keras
from jaxlayers.models import cnn, dcgan

# What model.json may name beside "keras": a file cannot have anything else called.
MODELS = {"dcgan.generator": dcgan.generator, "cnn.lenet": cnn.lenet, "cnn.vgg": cnn.vgg}


def load(path: str | Path) -> tuple[Layer, Any, Any]:
    """Returns the model of a run, its params and its state.

    Args:
        path: the folder of a run that has ended, or of a converted Keras file.

    Raises:
        FileNotFoundError: this is no such folder.
        ValueError: it holds another kind of model.
    """
    folder = train.RunFolder(path)
    description = folder.model()
    model = _model(folder.path, description)
    params, state = folder.load_parameters()
    part = description.get("params")
    if part is None:
        return model, params, state
    return model, params[part], state[part]


def _model(path: Path, description: Mapping[str, Any]) -> Layer:
    name = description.get("model")
    if name == "keras":
        return keras.from_config(description["config"])
    if name not in MODELS:
        known = ["keras", *MODELS]
        raise ValueError(f"{path}: model.json names {name!r}, known are {known}")
    return MODELS[name](**description["arguments"])
