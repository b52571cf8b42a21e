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
    "score",
    "confidence",
    "class_entropy",
    "smallest_class",
    "modes",
)
# The name of the features, in front of these, may contain one of the words above.
_SMALLER_IS_BETTER = ("loss", "distance", "divergence")

FRECHET_DISTANCE = "Fréchet distance"
"""The group of Fréchet distances."""

# The groups of the scores of generated images that are shown together, by the ends of their names.
_SCORES = {
    FRECHET_DISTANCE: ("_frechet_distance", "fid"),
    "Kernel distance": ("_kernel_distance", "kid"),
    "Precision and recall": ("_precision", "_recall", "_density", "_coverage"),
    "Classes of samples": ("_confidence", "_class_entropy", "_smallest_class", "_label_accuracy"),
    "Score": ("_score",),
    "Captured modes": ("_modes",),
    "Divergence of modes": ("_mode_divergence",),
}


def larger_is_better(metric: str) -> bool:
    """Returns whether larger values of a metric are better, determined by its name."""
    name = metric.lower()
    return not name.endswith(_SMALLER_IS_BETTER) and any(word in name for word in _LARGER_IS_BETTER)


def score_group(metric: str) -> str | None:
    """Returns the group of a score of generated images; `None` for any other metric.

    Example:
        >>> score_group("classifier_recall"), score_group("val_loss")
        ('Precision and recall', None)
    """
    if metric.startswith(VALIDATION):
        return None
    return next((group for group, ends in _SCORES.items() if metric.endswith(ends)), None)


def name_of(path: tuple[Any, ...]) -> str:
    """Returns the dotted name of a JAX key path, such as `params.generator.dense.kernel`."""
    return ".".join(
        str(next(getattr(part, field) for field in ("key", "name", "idx") if hasattr(part, field)))
        for part in path
    )


def named(tree: Any) -> dict[str, Any]:
    """Returns the arrays of a tree by name, in the order of `jax.tree.leaves`."""
    return {name_of(path): leaf for path, leaf in jax.tree.leaves_with_path(tree)}
