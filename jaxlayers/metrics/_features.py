"""The check of features, the argument of most scores."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


def check_features(
    owner: str, name: str, value: Any, *, samples: int = 1, axis: str = "features"
) -> Array | np.ndarray:
    """Returns an array of real numbers, [samples, features].

    Args:
        owner: The name of the function, for the error message.
        name: The name of the argument.
        value: The argument.
        samples: The smallest number of samples that is allowed.
        axis: The name of the second axis.

    Raises:
        ValueError: If it has another number of axes, another dtype, or fewer samples.
    """
    array = value if isinstance(value, jax.Array) else np.asarray(value)
    real = any(jnp.issubdtype(array.dtype, kind) for kind in (np.integer, np.floating))
    if not real or array.ndim != 2 or array.shape[0] < samples or array.shape[1] < 1:
        raise ValueError(
            f"{owner}: {name} must be an array of real numbers of shape [samples, {axis}] with at "
            f"least {samples} samples, got {array.dtype} of shape {array.shape}"
        )
    return array


def check_same_features(owner: str, names: tuple[str, str], first: int, second: int) -> None:
    """Raises a ValueError if two arguments have different numbers of features."""
    if first != second:
        raise ValueError(
            f"{owner}: {names[0]} and {names[1]} must have the same number of features, "
            f"got {first} and {second}"
        )
