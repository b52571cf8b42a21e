"""Detection of NaN and infinity, and of the step and the arrays in which they first occurred."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers.runs.names import named
from jaxlayers.train.task import TrainState


class NotFiniteError(FloatingPointError):
    """A metric or a parameter became NaN or infinite.

    Args:
        message: The step, and the metrics or parameters.
        train_state: The state after the last step in which everything was finite.
    """

    def __init__(self, message: str, train_state: TrainState) -> None:
        super().__init__(message)
        self.train_state = train_state


def are_finite(tree: Any) -> Array:
    """Returns a bool for each array of a tree, [arrays]; integers are finite."""
    leaves = jax.tree.leaves(tree)
    return jnp.stack([_is_finite(leaf) for leaf in leaves]) if leaves else jnp.ones((0,), bool)


def names_of_not_finite(finite: np.ndarray, tree: Any) -> list[str]:
    """Returns the paths of the arrays of a tree that are not finite by `are_finite`."""
    return [name for name, good in zip(named(tree), finite, strict=True) if not good]


def first_not_finite(
    take: Callable[[TrainState, int], Any], train_state: TrainState, step: int, count: int
) -> NotFiniteError:
    """Repeats steps one by one and returns the error for the first one that is not finite.

    Args:
        take: Takes one step, given the state and the number of previous steps; returns an object
            with `train_state` and `finite`.
        train_state: A finite state.
        step: The number of steps before it.
        count: The number of further steps, one of which is not finite.
    """
    names: list[str] = []
    for number in range(step, step + count):
        taken = take(train_state, number)
        names = names_of_not_finite(np.asarray(taken.finite), taken.checked)
        if names:
            step = number
            break
        train_state = taken.train_state
    return NotFiniteError(
        f"step {step + 1}: not finite in "
        f"{', '.join(names) or 'arrays that were finite when repeated'}. "
        f"The state after step {step} is kept; try a lower learning rate or gradient clipping",
        train_state,
    )


def _is_finite(array: Array) -> Array:
    array = jnp.asarray(array)
    if not jnp.issubdtype(array.dtype, jnp.inexact):
        return jnp.ones((), bool)
    return jnp.isfinite(array).all()
