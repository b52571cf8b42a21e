"""The trained model in the folder of a run."""

from typing import Any

from jaxlayers import Sequential, train
from jaxlayers.models import cnn, dcgan

# What model.json may name: a file cannot have anything else called.
MODELS = {"dcgan.generator": dcgan.generator, "cnn.lenet": cnn.lenet, "cnn.vgg": cnn.vgg}


def load(folder: train.RunFolder) -> tuple[Sequential, Any, Any]:
    """Returns the model, its params and its state.

    Raises:
        FileNotFoundError: this is no folder of a run that has ended.
        ValueError: `model.json` names a model that is not known.
    """
    description = folder.model()
    name = description.get("model")
    if name not in MODELS:
        raise ValueError(f"{folder.path}: model.json names {name!r}, known are {list(MODELS)}")
    model = MODELS[name](**description["arguments"])
    params, state = folder.load_parameters()
    # A run of several models keeps them by name.
    part = description.get("params")
    return (model, params, state) if part is None else (model, params[part], state[part])
