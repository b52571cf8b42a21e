"""Keras's layers as pure functions for JAX, and the models they were written for."""

import importlib
from typing import TYPE_CHECKING, Any

from jaxlayers import (
    activations,
    config,
    constraints,
    initializers,
    layers,
    losses,
    regularizers,
)
from jaxlayers.freezing import freeze, trainable, unfreeze
from jaxlayers.functional import Functional
from jaxlayers.input_layer import Input
from jaxlayers.layer import Layer
from jaxlayers.sequential import Sequential

if TYPE_CHECKING:
    from jaxlayers import data, interop, metrics, models, runs, train
    from jaxlayers.interop.stablehlo import ExportedModel, export, load_exported

__version__ = "0.1.0"

__all__ = [
    "ExportedModel",
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

# Imported when they are first used, since they take as long to import as the layers.
_LAZY_MODULES = ("data", "interop", "metrics", "models", "runs", "train")
_LAZY_NAMES = ("ExportedModel", "export", "load_exported")


def __getattr__(name: str) -> Any:
    if name in _LAZY_MODULES:
        return importlib.import_module(f"jaxlayers.{name}")
    if name in _LAZY_NAMES:
        return getattr(importlib.import_module("jaxlayers.interop.stablehlo"), name)
    raise AttributeError(f"module 'jaxlayers' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
