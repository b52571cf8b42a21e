"""Keras's layers as pure functions, one file per family."""

from jaxlayers.layer import Layer
from jaxlayers.layers.activation import ELU, Activation, LeakyReLU, ReLU, Softmax
from jaxlayers.layers.batch_normalization import BatchNormalization
from jaxlayers.layers.convolution import Conv2D, Conv2DTranspose
from jaxlayers.layers.dense import Dense
from jaxlayers.layers.dropout import (
    Dropout,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from jaxlayers.layers.embedding import Embedding
from jaxlayers.layers.group_normalization import GroupNormalization
from jaxlayers.layers.identity import ActivityRegularization, Identity
from jaxlayers.layers.layer_normalization import (
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
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
from jaxlayers.layers.noise import AlphaDropout, GaussianDropout, GaussianNoise
from jaxlayers.layers.padding import ZeroPadding2D
from jaxlayers.layers.pooling import (
    AveragePooling2D,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    MaxPooling2D,
    SumPooling2D,
)
from jaxlayers.layers.prelu import PReLU
from jaxlayers.layers.preprocessing import Normalization, Rescaling
from jaxlayers.layers.reshaping import Flatten, Permute, RepeatVector, Reshape
from jaxlayers.layers.spectral_normalization import SpectralNormalization
from jaxlayers.layers.upsampling import UpSampling2D

# Keras's aliases.
AvgPool2D, MaxPool2D = AveragePooling2D, MaxPooling2D
GlobalAvgPool2D, GlobalMaxPool2D = GlobalAveragePooling2D, GlobalMaxPooling2D
Convolution2D, Convolution2DTranspose = Conv2D, Conv2DTranspose

__all__ = [
    "ELU",
    "Activation",
    "ActivityRegularization",
    "Add",
    "AlphaDropout",
    "Average",
    "AveragePooling2D",
    "BatchNormalization",
    "Concatenate",
    "Conv2D",
    "Conv2DTranspose",
    "Dense",
    "Dot",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "GroupNormalization",
    "Identity",
    "InBfloat16",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "MaxPooling2D",
    "Maximum",
    "Minimum",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "RMSNormalization",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "SpectralNormalization",
    "Subtract",
    "SumPooling2D",
    "UnitNormalization",
    "UpSampling2D",
    "ZeroPadding2D",
]
