"""The dtypes of inputs."""

from typing import Any

import jax.numpy as jnp


def dtype_in_file(dtype: Any) -> str:
    """Returns the dtype in which arrays of a dtype are written: integers as they are, else float32.

    Raises:
        TypeError: If it is not the dtype of real numbers.
    """
    found = jnp.dtype(dtype)
    if jnp.issubdtype(found, jnp.integer) or jnp.issubdtype(found, jnp.bool_):
        return str(found)
    if dtype is None or not jnp.issubdtype(found, jnp.floating):
        raise TypeError(f"not a dtype of real numbers: {dtype!r}")
    return "float32"
