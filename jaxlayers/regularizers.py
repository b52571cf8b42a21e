"""Keras's regularizers: functions from a weight to the scalar penalty added to the loss.

Each is a frozen dataclass: hashable, equal by value, and its repr is the call that constructs it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers._lookup import resolve

Regularizer = Callable[[Array], Array]


@dataclass(frozen=True)
class L1:
    """The L1 penalty, `l1 * sum(|x|)`.

    Args:
        l1: Factor, not negative.

    Raises:
        ValueError: If a factor is negative, infinite or not a number.

    Example:
        >>> float(L1(0.5)(jnp.array([1.0, -2.0])))
        1.5
    """

    l1: fields.Number = fields.Number(at_least=0, default=0.01)

    def __call__(self, x: Array) -> Array:
        return self.l1 * jnp.sum(jnp.abs(x))


@dataclass(frozen=True)
class L2:
    """The L2 penalty, `l2 * sum(x ** 2)`.

    Args:
        l2: Factor, not negative.

    Raises:
        ValueError: If a factor is negative, infinite or not a number.
    """

    l2: fields.Number = fields.Number(at_least=0, default=0.01)

    def __call__(self, x: Array) -> Array:
        return self.l2 * jnp.sum(jnp.square(x))


@dataclass(frozen=True)
class L1L2:
    """The sum of both penalties, `l1 * sum(|x|) + l2 * sum(x ** 2)`.

    With the name `"l1l2"`, both factors are 0, as in Keras.

    Args:
        l1: Factor of the magnitudes, not negative.
        l2: Factor of the squares, not negative.

    Raises:
        ValueError: If a factor is negative, infinite or not a number.
    """

    l1: fields.Number = fields.Number(at_least=0, default=0.0)
    l2: fields.Number = fields.Number(at_least=0, default=0.0)

    def __call__(self, x: Array) -> Array:
        return self.l1 * jnp.sum(jnp.abs(x)) + self.l2 * jnp.sum(jnp.square(x))


@dataclass(frozen=True)
class OrthogonalRegularizer:
    """Penalizes the cosine similarities of the rows (or columns) of a matrix.

    The penalty is `factor` times the mean absolute cosine similarity over all pairs of rows.

    Args:
        factor: Factor of the penalty, not negative.
        mode: `"rows"` or `"columns"`.

    Raises:
        ValueError: If an argument is out of range; when called, if `x` is not a matrix.
    """

    factor: fields.Number = fields.Number(at_least=0, default=0.01)
    mode: fields.Choice = fields.Choice("rows", "columns", default="rows")

    def __call__(self, x: Array) -> Array:
        if x.ndim != 2:
            raise ValueError(
                f"OrthogonalRegularizer: x must be a matrix, got an array of shape {x.shape}"
            )
        rows = x if self.mode == "rows" else x.T
        # Keras bounds the norm below by 1e-7, so that a row of zeros is orthogonal to every other.
        squares = jnp.sum(jnp.square(rows), axis=1, keepdims=True)
        rows = rows / jnp.sqrt(jnp.maximum(squares, 1e-14))
        cosines = jnp.abs(rows @ rows.T) * (1 - jnp.eye(len(rows), dtype=x.dtype))
        pairs = max(len(rows) * (len(rows) - 1) / 2, 1)
        return self.factor * 0.5 * jnp.sum(cosines) / pairs


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

BY_NAME: dict[str, type] = {
    "L1": L1,
    "L1L2": L1L2,
    "L2": L2,
    "OrthogonalRegularizer": OrthogonalRegularizer,
    "l1": L1,
    "l1l2": L1L2,
    "l2": L2,
    "orthogonal_regularizer": OrthogonalRegularizer,
}


def get(identifier: str | Regularizer | type | None) -> Regularizer | None:
    """Returns the regularizer with the given identifier.

    Args:
        identifier: One of Keras's names, a class of this module, any function from an array to a
            scalar, or `None` for no penalty.

    Returns:
        A function from an array to a scalar, or `None`.

    Raises:
        ValueError: If the name is unknown.
        TypeError: If it is none of these.

    Example:
        >>> get("l2")
        L2(l2=0.01)
    """
    return None if identifier is None else resolve("regularizer", BY_NAME, identifier)
