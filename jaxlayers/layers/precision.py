"""Dtypes in which layers compute."""

from typing import Any

import jax.numpy as jnp
from jax import Array


def floating(x: Array) -> Array:
    """Converts integers and booleans to floats; floats are returned unchanged."""
    return jnp.asarray(x, jnp.result_type(x, float))


def at_least_float32(x: Array) -> tuple[Array, Any]:
    """Returns `x` in float32 or a wider dtype, and the dtype of the output.

    The output has the dtype of `x` if that is a float, otherwise the dtype of the computation.
    """
    dtype = jnp.result_type(x, jnp.float32)
    is_float = jnp.issubdtype(x.dtype, jnp.floating)
    return jnp.asarray(x, dtype), jnp.result_type(x) if is_float else dtype
