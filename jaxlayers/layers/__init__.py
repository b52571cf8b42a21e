"""Keras's layers as pure functions, one file per family."""

from jaxlayers.layer import Layer
from jaxlayers.layers.activation import Activation, LeakyReLU, ReLU, Softmax
from jaxlayers.layers.convolution import Conv2D, Conv2DTranspose
from jaxlayers.layers.dense import Dense
from jaxlayers.layers.dropout import Dropout
from jaxlayers.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
)
from jaxlayers.layers.mixed_precision import InBfloat16
from jaxlayers.layers.normalization import BatchNormalization
from jaxlayers.layers.padding import ZeroPadding2D
from jaxlayers.layers.pooling import (
    AveragePooling2D,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    MaxPooling2D,
    SumPooling2D,
)
from jaxlayers.layers.reshaping import Flatten, Reshape
from jaxlayers.layers.upsampling import UpSampling2D

# Keras's aliases.
AvgPool2D, MaxPool2D = AveragePooling2D, MaxPooling2D
GlobalAvgPool2D, GlobalMaxPool2D = GlobalAveragePooling2D, GlobalMaxPooling2D
Convolution2D, Convolution2DTranspose = Conv2D, Conv2DTranspose

__all__ = [
    "Activation",
    "Add",
    "Average",
    "AveragePooling2D",
    "BatchNormalization",
    "Concatenate",
    "Conv2D",
    "Conv2DTranspose",
    "Dense",
    "Dot",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "InBfloat16",
    "Layer",
    "LeakyReLU",
    "MaxPooling2D",
    "Maximum",
    "Minimum",
    "Multiply",
    "ReLU",
    "Reshape",
    "Softmax",
    "Subtract",
    "SumPooling2D",
    "UpSampling2D",
    "ZeroPadding2D",
]
