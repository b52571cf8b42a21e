"""Metrics of predictions and targets, with Keras's names and results."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from jaxlayers import losses
from jaxlayers._lookup import resolve

Metric = Callable[[Array, Array], Array]
"""(predictions [batch, ...], targets) -> [batch, ...], to be averaged; or a scalar."""


def root_mean_squared_error(predictions: Array, targets: Array) -> Array:
    """Returns the square root of the mean of `(target - prediction)**2` over the whole batch.

    Args:
        predictions: [batch, ..., n].
        targets: Targets of the same shape.

    Returns:
        A scalar.

    Raises:
        ValueError: If the shapes differ.
    """
    return jnp.sqrt(losses.mean_squared_error(predictions, targets).mean())


def cosine_similarity(predictions: Array, targets: Array) -> Array:
    """Returns the cosine similarity of predictions and targets along the last axis.

    Args:
        predictions: [batch, ..., n].
        targets: Targets of the same shape.

    Returns:
        [batch, ...].

    Raises:
        ValueError: If the shapes differ.
    """
    return -losses.cosine_similarity(predictions, targets)


def binary_accuracy(predictions: Array, targets: Array) -> Array:
    """Returns the fraction of correct predictions over the last axis, with a threshold of 0.5.

    Args:
        predictions: Probabilities, [batch, ..., n].
        targets: 0 or 1, [batch, ..., n].

    Returns:
        [batch, ...].

    Raises:
        ValueError: If the shapes differ.
    """
    _check_same(predictions, targets, "binary_accuracy")
    return ((predictions > 0.5) == targets).mean(-1, dtype=float)


def categorical_accuracy(predictions: Array, targets: Array) -> Array:
    """Returns whether the class with the largest prediction has the largest target.

    Args:
        predictions: [batch, ..., classes].
        targets: One-hot labels or probabilities, [batch, ..., classes].

    Returns:
        0 or 1, [batch, ...].

    Raises:
        ValueError: If the shapes differ.
    """
    _check_same(predictions, targets, "categorical_accuracy")
    return (predictions.argmax(-1) == targets.argmax(-1)).astype(float)


def sparse_categorical_accuracy(predictions: Array, targets: Array) -> Array:
    """Returns whether the class with the largest prediction is the target.

    Args:
        predictions: [batch, ..., classes].
        targets: Integers, [batch, ...].

    Returns:
        0 or 1, [batch, ...].

    Raises:
        ValueError: If the targets have another shape.
    """
    return (predictions.argmax(-1) == _classes(predictions, targets)).astype(float)


def top_k_categorical_accuracy(predictions: Array, targets: Array, k: int = 5) -> Array:
    """Returns whether the class with the largest target is among the top `k` predictions.

    Args:
        predictions: [batch, ..., classes].
        targets: One-hot labels or probabilities, [batch, ..., classes].
        k: Number of predictions to consider.

    Returns:
        0 or 1, [batch, ...].

    Raises:
        ValueError: If the shapes differ.
    """
    _check_same(predictions, targets, "top_k_categorical_accuracy")
    return sparse_top_k_categorical_accuracy(predictions, targets.argmax(-1), k)


def sparse_top_k_categorical_accuracy(predictions: Array, targets: Array, k: int = 5) -> Array:
    """Returns whether the target is among the top `k` predictions.

    Args:
        predictions: [batch, ..., classes].
        targets: Integers, [batch, ...].
        k: Number of predictions to consider.

    Returns:
        0 or 1, [batch, ...].

    Raises:
        ValueError: If the targets have another shape.
    """
    labels = _classes(predictions, targets)
    true_class = jnp.take_along_axis(predictions, labels[..., None], axis=-1)
    return ((predictions > true_class).sum(-1) < k).astype(float)


def accuracy(predictions: Array, targets: Array) -> Array:
    """Returns the binary, categorical or sparse categorical accuracy, depending on the shapes.

    Args:
        predictions: [batch, ..., n]; for n = 1 the binary accuracy is returned.
        targets: [batch, ..., n]; for n > 1 also integers, [batch, ...].

    Returns:
        [batch, ...].

    Raises:
        ValueError: If the targets have another shape.
    """
    if predictions.shape[-1] == 1:
        return binary_accuracy(predictions, targets)
    if targets.shape == predictions.shape:
        return categorical_accuracy(predictions, targets)
    return sparse_categorical_accuracy(predictions, targets)


BY_NAME: dict[str, Metric] = {
    "acc": accuracy,
    "accuracy": accuracy,
    "binary_accuracy": binary_accuracy,
    "categorical_accuracy": categorical_accuracy,
    "cosine_similarity": cosine_similarity,
    "mae": losses.mean_absolute_error,
    "mape": losses.mean_absolute_percentage_error,
    "mean_absolute_error": losses.mean_absolute_error,
    "mean_absolute_percentage_error": losses.mean_absolute_percentage_error,
    "mean_squared_error": losses.mean_squared_error,
    "mean_squared_logarithmic_error": losses.mean_squared_logarithmic_error,
    "mse": losses.mean_squared_error,
    "msle": losses.mean_squared_logarithmic_error,
    "root_mean_squared_error": root_mean_squared_error,
    "sparse_categorical_accuracy": sparse_categorical_accuracy,
    "sparse_top_k_categorical_accuracy": sparse_top_k_categorical_accuracy,
    "top_k_categorical_accuracy": top_k_categorical_accuracy,
}

# Metrics that are the square root of a mean.
ROOTS: frozenset[Metric] = frozenset({root_mean_squared_error})


def get(identifier: str | Metric) -> Metric:
    """Returns the metric with the given identifier.

    Args:
        identifier: One of Keras's names, or a function of predictions and targets.

    Returns:
        A function of predictions and targets.

    Raises:
        ValueError: If the name is unknown.
        TypeError: If it is neither a name nor a function.

    Example:
        >>> get("binary_accuracy")(jnp.array([[0.9, 0.2]]), jnp.array([[1, 1]])).tolist()
        [0.5]
    """
    return resolve("metric", BY_NAME, identifier)


def _check_same(predictions: Array, targets: Array, metric: str) -> None:
    if predictions.shape != targets.shape:
        raise ValueError(
            f"{metric}: targets must have the shape of the predictions, {predictions.shape}, "
            f"got {targets.shape}"
        )


def _classes(predictions: Array, targets: Array) -> Array:
    """Returns integer targets, [batch, ...], for predictions [batch, ..., classes]."""
    if targets.shape != predictions.shape[:-1]:
        raise ValueError(
            f"sparse metrics: targets must be integers of shape {predictions.shape[:-1]}, "
            f"got {targets.dtype} of shape {targets.shape}"
        )
    return targets.astype(int)
