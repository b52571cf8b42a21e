"""Keras's dtype policies, which define the dtypes of weights and of computations.

`mixed_bfloat16`, with float32 weights, corresponds to `InBfloat16`.
"""

from collections.abc import Mapping
from typing import Any

from jaxlayers._text import short_repr
from jaxlayers.functional import Functional
from jaxlayers.layer import Layer
from jaxlayers.layers.wrapper import unwrapped
from jaxlayers.sequential import Sequential

MIXED = "mixed_bfloat16"

# The dtype of the weights under each policy.
VARIABLES = {
    "float32": "float32",
    "float64": "float64",
    "float16": "float16",
    "bfloat16": "bfloat16",
    MIXED: "float32",
}


def read_policy(value: Any) -> str:
    """Returns the name of the policy in the `dtype` of a layer's config.

    Raises:
        ValueError: If this library does not support the policy.
    """
    if isinstance(value, Mapping):
        config = value.get("config")
        value = config.get("name") if isinstance(config, Mapping) else None
        if not isinstance(value, str):
            raise ValueError("dtype: a policy must have a name, got none")
    name = "float32" if value is None else value
    if not isinstance(name, str) or name not in VARIABLES:
        raise ValueError(
            f"dtype policy {short_repr(name)} is not supported, only {', '.join(VARIABLES)}"
        )
    return name


def write_policy(name: str) -> dict[str, Any]:
    """Returns the config of a policy."""
    return {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": name},
        "registered_name": None,
    }


def model_of(model: Layer, caller: str) -> Sequential | Functional:
    """Returns a model, or the model inside `InBfloat16` and other wrappers.

    Args:
        model: A `Sequential` or `Functional`, also in wrappers.
        caller: The name of the function, for the error message.

    Raises:
        TypeError: If it is any other layer.
    """
    found = unwrapped(model)
    if not isinstance(found, Sequential | Functional):
        raise TypeError(
            f"{caller}: model must be a Sequential or a Functional, got {short_repr(model)} "
            f"({type(model).__name__})"
        )
    return found
