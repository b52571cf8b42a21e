"""Keras's dtype policies: what weights are kept in, and what is computed in."""

from collections.abc import Mapping
from typing import Any

MIXED = "mixed_bfloat16"

# What the weights are kept in.
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
        ValueError: a policy that this library has no counterpart of.
    """
    if isinstance(value, Mapping):
        config = value.get("config")
        value = config.get("name") if isinstance(config, Mapping) else None
        if not isinstance(value, str):
            raise ValueError("dtype is a policy without a name")
    name = "float32" if value is None else value
    if not isinstance(name, str) or name not in VARIABLES:
        raise ValueError(f"dtype policy {name!r} is not supported, only {', '.join(VARIABLES)}")
    return name


def write_policy(name: str) -> dict[str, Any]:
    """Returns what Keras's config holds for a policy."""
    return {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": name},
        "registered_name": None,
    }
