"""Computation in float64 within programs that do not enable x64."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

# In a program that is compiled without x64, the lowering rules of some operations truncate int64.
# Functions that are computed in float64 therefore have integers of 32 bits only.


def in_float64(owner: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function with x64 enabled, also inside of `jit`, `vmap` and `scan`.

    Args:
        owner: The name of the public function, for the error message.
        function: A function of pytrees of arrays. It has to convert them to float64 itself.
        *arguments: Its arguments. NumPy arrays in float64 are passed on without rounding.

    Returns:
        The outputs of the function; those in float64 are converted to JAX's default float type,
        which is float32 unless x64 is enabled.

    Raises:
        TypeError: If the outputs are differentiated. JAX transposes operations with the settings
            that apply outside of this function, and would compute the derivative of float64
            operations in float32.
    """
    default = jnp.result_type(float)

    def refuse(primals: Any, tangents: Any) -> Any:
        raise TypeError(
            f"{owner} cannot be differentiated; its arguments must be constants: "
            "apply jax.lax.stop_gradient to them"
        )

    call = jax.custom_jvp(function)
    call.defjvp(refuse)
    with jax.enable_x64(True):
        outputs = call(*jax.tree.map(jnp.asarray, arguments))
        return jax.tree.map(lambda y: y.astype(default) if y.dtype == np.float64 else y, outputs)


def all_finite(*arrays: Array) -> Array:
    """Returns whether no element is NaN or infinite."""
    return jnp.stack([jnp.isfinite(array).all() for array in arrays]).all()


def nan_unless(condition: Array, *scores: Array) -> tuple[Array, ...]:
    """Returns float64 scores, or NaN if the condition is false."""
    nan = jnp.full((), np.nan, jnp.float64)
    return tuple(jnp.where(condition, score, nan) for score in scores)
