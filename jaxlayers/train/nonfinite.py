"""NaN and infinity: whether there are any, and at which step and where they came first."""

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
        message: at which step, and in which.
        train_state: the state after the last step that was good.
    """

    def __init__(self, message: str, train_state: TrainState) -> None:
        super().__init__(message)
        self.train_state = train_state


def are_finite(tree: Any) -> Array:
    """Returns a bool for each array of a tree, [arrays]; integers are finite."""
    leaves = jax.tree.leaves(tree)
    return jnp.stack([_is_finite(leaf) for leaf in leaves]) if leaves else jnp.ones((0,), bool)


def names_of_not_finite(finite: np.ndarray, tree: Any) -> list[str]:
    """Returns which arrays of a tree are not finite, of what `are_finite` said of it."""
    return [name for name, good in zip(named(tree), finite, strict=True) if not good]


def first_not_finite(
    take: Callable[[TrainState, int], Any], train_state: TrainState, step: int, count: int
) -> NotFiniteError:
    """Takes steps again, one by one, and returns the error for the first that is not finite.

    Args:
        take: takes one step, given the state and how many steps were taken before; returns what
            has `train_state` and `finite`.
        train_state: a state that is good.
        step: how many steps led to it.
        count: among how many steps more there is one that is not finite.
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
        f"step {step + 1}: not finite in {', '.join(names) or 'what did not come again'}. "
        f"The state after step {step} is kept; try a lower learning rate or clipped gradients",
        train_state,
    )


def _is_finite(array: Array) -> Array:
    array = jnp.asarray(array)
    if not jnp.issubdtype(array.dtype, jnp.inexact):
        return jnp.ones((), bool)
    return jnp.isfinite(array).all()
