"""Models are read back from their configs, as from the folder of a run."""

import json

import pytest

from jaxlayers.interop import keras as keras_files
from jaxlayers.models import (
    cnn,
    conditional_dcgan,
    dcgan,
    dcgan64,
    mobilenet_v2,
    residual_gan,
    resnet,
    unet,
)

MODELS = [
    cnn.lenet,
    cnn.vgg,
    conditional_dcgan.generator,
    conditional_dcgan.discriminator,
    dcgan.generator,
    dcgan.discriminator,
    dcgan64.generator,
    dcgan64.discriminator,
    mobilenet_v2.mobilenet_v2,
    residual_gan.generator,
    residual_gan.discriminator,
    resnet.resnet18,
    resnet.resnet50,
    unet.unet,
]


@pytest.mark.parametrize("make", MODELS)
def test_models_are_read_back_from_their_configs(make) -> None:
    model = make()
    config = json.loads(json.dumps(keras_files.serialize(model)))
    assert keras_files.from_config(config) == model
