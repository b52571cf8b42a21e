"""Names of the arrays in a pytree, and of metrics."""

from typing import Any

import jax

VALIDATION = "val_"
"""Prefix of the names of validation metrics, as in Keras."""

_LARGER_IS_BETTER = (
    "accuracy",
    "precision",
    "recall",
    "auc",
    "f1",
    "density",
    "coverage",
    "inception",
)


def larger_is_better(metric: str) -> bool:
    """Returns whether larger values of a metric are better, determined by its name."""
    return any(word in metric.lower() for word in _LARGER_IS_BETTER)


def name_of(path: tuple[Any, ...]) -> str:
    """Returns the dotted name of a JAX key path, such as `params.generator.dense.kernel`."""
    return ".".join(
        str(next(getattr(part, field) for field in ("key", "name", "idx") if hasattr(part, field)))
        for part in path
    )


def named(tree: Any) -> dict[str, Any]:
    """Returns the arrays of a tree by name, in the order of `jax.tree.leaves`."""
    return {name_of(path): leaf for path, leaf in jax.tree.leaves_with_path(tree)}
