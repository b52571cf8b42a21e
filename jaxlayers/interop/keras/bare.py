"""What is inside of a layer that computes in bfloat16."""

from typing import Any

from jaxlayers.precision import InBfloat16
from jaxlayers.sequential import Sequential


def bare(layer: Any) -> Any:
    """Returns the layer itself, where it is one in `InBfloat16` that one."""
    return layer.layer if isinstance(layer, InBfloat16) else layer


def sequential_of(model: Any, caller: str) -> Sequential:
    """Returns the Sequential that a model is, or that is in its `InBfloat16`.

    Raises:
        TypeError: a model that is none; the message begins with the `caller`.
    """
    found = bare(model)
    if not isinstance(found, Sequential):
        raise TypeError(f"{caller}: the model must be a Sequential, got {type(model).__name__}")
    return found
