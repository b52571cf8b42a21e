"""Names of the arrays in a pytree, and of metrics."""

from typing import Any

import jax

VALIDATION = "val_"
"""What the names of metrics of validation data begin with, as in Keras."""

_LARGER = ("accuracy", "precision", "recall", "auc", "f1", "density", "coverage", "inception")


def larger_is_better(metric: str) -> bool:
    """Whether a metric improves when it grows, by its name: accuracies do, losses do not."""
    return any(word in metric.lower() for word in _LARGER)


def name_of(path: tuple[Any, ...]) -> str:
    """Returns `params.generator.dense.kernel` for the path that JAX gives such an array."""
    return ".".join(
        str(next(getattr(part, field) for field in ("key", "name", "idx") if hasattr(part, field)))
        for part in path
    )


def named(tree: Any) -> dict[str, Any]:
    """Returns the arrays of a tree by name, in the order of `jax.tree.leaves`."""
    return {name_of(path): leaf for path, leaf in jax.tree.leaves_with_path(tree)}
