"""Detection of NaN and infinity, and of the step and the arrays in which they first occur."""

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
        message: The error message, which names the step and the metrics or parameters.
        train_state: The state after the last step in which everything was finite.
    """

    def __init__(self, message: str, train_state: TrainState) -> None:
        super().__init__(message)
        self.train_state = train_state


def are_finite(tree: Any) -> Array:
    """Returns whether each array of a tree is finite, [arrays]; integers are finite."""
    leaves = jax.tree.leaves(tree)
    return jnp.stack([_is_finite(leaf) for leaf in leaves]) if leaves else jnp.ones((0,), bool)


def names_of_not_finite(finite: np.ndarray, tree: Any) -> list[str]:
    """Returns the names of the arrays of a tree that are not finite.

    Args:
        finite: The result of `are_finite` for the tree.
        tree: A pytree of arrays.
    """
    return [name for name, is_finite in zip(named(tree), finite, strict=True) if not is_finite]


def first_not_finite(
    take: Callable[[TrainState, int], Any], train_state: TrainState, step: int, count: int
) -> NotFiniteError:
    """Repeats steps one by one and returns the error for the first one that is not finite.

    Args:
        take: Takes one step, given the state and the number of previous steps; returns a
            `StepResult`.
        train_state: A finite state.
        step: Number of steps taken before `train_state`.
        count: Number of steps to repeat, one of which is not finite.
    """
    names: list[str] = []
    for number in range(step, step + count):
        result = take(train_state, number)
        names = names_of_not_finite(np.asarray(result.finite), result.checked)
        if names:
            step = number
            break
        train_state = result.train_state
    return NotFiniteError(
        f"step {step + 1}: not finite in "
        f"{', '.join(names) or 'arrays that were finite when the step was repeated'}. "
        f"The state after step {step} is kept; try a lower learning rate or gradient clipping",
        train_state,
    )


def _is_finite(array: Array) -> Array:
    array = jnp.asarray(array)
    if not jnp.issubdtype(array.dtype, jnp.inexact):
        return jnp.ones((), bool)
    return jnp.isfinite(array).all()
