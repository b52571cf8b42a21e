"""Keras's layers as pure functions for JAX, and the models they were written for."""

from jaxlayers import (
    activations,
    config,
    constraints,
    data,
    initializers,
    interop,
    layers,
    losses,
    metrics,
    models,
    regularizers,
    runs,
    train,
)
from jaxlayers.freezing import freeze, trainable, unfreeze
from jaxlayers.functional import Functional
from jaxlayers.input_layer import Input
from jaxlayers.interop.stablehlo import export, load_exported
from jaxlayers.layer import Layer
from jaxlayers.sequential import Sequential

__version__ = "0.1.0"

__all__ = [
    "Functional",
    "Input",
    "Layer",
    "Sequential",
    "activations",
    "config",
    "constraints",
    "data",
    "export",
    "freeze",
    "initializers",
    "interop",
    "layers",
    "load_exported",
    "losses",
    "metrics",
    "models",
    "regularizers",
    "runs",
    "train",
    "trainable",
    "unfreeze",
]
