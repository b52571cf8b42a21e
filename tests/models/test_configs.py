"""Models are read back from their configs, as from the folder of a run."""

import json

import pytest

from jaxlayers.interop import keras as keras_files
from jaxlayers.models import cnn, dcgan, mobilenet_v2, resnet, unet

MODELS = [
    cnn.lenet,
    cnn.vgg,
    dcgan.generator,
    dcgan.discriminator,
    mobilenet_v2.mobilenet_v2,
    resnet.resnet18,
    resnet.resnet50,
    unet.unet,
]


@pytest.mark.parametrize("make", MODELS)
def test_models_are_read_back_from_their_configs(make) -> None:
    model = make()
    config = json.loads(json.dumps(keras_files.serialize(model)))
    assert keras_files.from_config(config) == model
