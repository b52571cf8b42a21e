"""Names of the arrays in a tree, and of metrics."""

from typing import Any

import jax

VALIDATION = "val_"
"""What the names of means over held-out data begin with."""


def name_of(path: tuple[Any, ...]) -> str:
    """Returns `params.generator.dense.kernel` for the path that JAX gives such an array."""
    return ".".join(
        str(next(getattr(part, field) for field in ("key", "name", "idx") if hasattr(part, field)))
        for part in path
    )


def named(tree: Any) -> dict[str, Any]:
    """Returns the arrays of a tree by name, in the order of `jax.tree.leaves`."""
    return {name_of(path): leaf for path, leaf in jax.tree.leaves_with_path(tree)}
