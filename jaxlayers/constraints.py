"""Keras's constraints: projections of a weight, applied after each update of the optimizer.

Each is a frozen dataclass: hashable, equal by value, and its repr is the call that constructs it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers._lookup import resolve

Constraint = Callable[[Array], Array]

# Keras's `backend.epsilon()`, which avoids a division by a norm of 0.
_EPSILON = 1e-7


@dataclass(frozen=True)
class MaxNorm:
    """Scales weights to a norm of at most `max_value`.

    Args:
        max_value: The largest norm, not negative.
        axis: The axis or axes to compute norms over: 0 for the incoming weights of a unit of
            `Dense`, (0, 1, 2) for the weights of a filter of `Conv2D`.

    Raises:
        ValueError: If an argument is out of range.
    """

    max_value: fields.Number = fields.Number(at_least=0, at_most=math.inf, default=2.0)
    axis: fields.Axes = fields.Axes(default=0)

    def __call__(self, w: Array) -> Array:
        norms = _norms(w, self.axis)
        return w * (jnp.clip(norms, 0, self.max_value) / (_EPSILON + norms))


@dataclass(frozen=True)
class NonNeg:
    """Replaces negative weights by zero."""

    def __call__(self, w: Array) -> Array:
        return jnp.maximum(w, 0)


@dataclass(frozen=True)
class UnitNorm:
    """Scales weights to norm 1.

    Args:
        axis: The axis or axes that norms are computed over, as in `MaxNorm`.
    """

    axis: fields.Axes = fields.Axes(default=0)

    def __call__(self, w: Array) -> Array:
        return w / (_EPSILON + _norms(w, self.axis))


@dataclass(frozen=True)
class MinMaxNorm:
    """Scales weights to a norm between `min_value` and `max_value`.

    Args:
        min_value: The smallest norm, not negative.
        max_value: The largest norm, at least `min_value`.
        rate: Weight of the constrained norm: 1 enforces the interval, less than 1 moves the norm
            towards it.
        axis: The axis or axes that norms are computed over, as in `MaxNorm`.

    Raises:
        ValueError: If an argument is out of range.
    """

    min_value: fields.Number = fields.Number(at_least=0, default=0.0)
    max_value: fields.Number = fields.Number(at_least=0, at_most=math.inf, default=1.0)
    rate: fields.Number = fields.Number(at_least=0, at_most=1, default=1.0)
    axis: fields.Axes = fields.Axes(default=0)

    def __post_init__(self) -> None:
        if self.min_value > self.max_value:
            raise ValueError(
                "MinMaxNorm: min_value must be at most max_value, "
                f"got min_value={self.min_value}, max_value={self.max_value}"
            )

    def __call__(self, w: Array) -> Array:
        norms = _norms(w, self.axis)
        clipped = jnp.clip(norms, self.min_value, self.max_value)
        target = self.rate * clipped + (1 - self.rate) * norms
        return w * (target / (_EPSILON + norms))


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm

BY_NAME: dict[str, type] = {
    "MaxNorm": MaxNorm,
    "MinMaxNorm": MinMaxNorm,
    "NonNeg": NonNeg,
    "UnitNorm": UnitNorm,
    "max_norm": MaxNorm,
    "min_max_norm": MinMaxNorm,
    "non_neg": NonNeg,
    "unit_norm": UnitNorm,
}


def get(identifier: str | Constraint | type | None) -> Constraint | None:
    """Returns the constraint with the given identifier.

    Args:
        identifier: One of Keras's names, a class of this module, any function from an array to
            an array of its shape, or `None` for no constraint.

    Returns:
        A function from an array to an array, or `None`.

    Raises:
        ValueError: If the name is unknown.
        TypeError: If it is none of these.

    Example:
        >>> get("non_neg")(jnp.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    return None if identifier is None else resolve("constraint", BY_NAME, identifier)


def _norms(w: Array, axis: int | Sequence[int]) -> Array:
    squares = jnp.sum(jnp.square(w), axis=axis, keepdims=True)
    # The derivative of the square root is infinite at 0 and would make all gradients NaN.
    zero = squares == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, squares)))
