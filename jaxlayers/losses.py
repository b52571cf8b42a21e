"""Losses of logits, for models that end in a sigmoid or softmax, and of predictions.

Each is a function of outputs and targets, in this order. `get` returns the losses by Keras's names.
The results are Keras's; functions of Optax are used where there are any.
"""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from jax import Array

from jaxlayers._lookup import resolve

Loss = Callable[[Array, Array], Array]
"""(outputs [batch, ...], targets) -> [batch] or [batch, ...], to be averaged."""

_EPSILON = 1e-7  # as in Keras


def binary_cross_entropy(logits: Array, labels: Array | float) -> Array:
    """Returns the mean cross-entropy between labels and the sigmoid of logits, a scalar.

    It is computed from the logits, so that it neither saturates nor overflows.

    Args:
        logits: Logits of any shape.
        labels: 1 for true, 0 for false, or a probability; an array of the shape of the logits, or a
            scalar.

    Returns:
        A scalar.

    Raises:
        ValueError: If the labels have another shape.

    Example:
        >>> float(binary_cross_entropy(jnp.zeros((2, 1)), 1.0))
        0.6931471824645996
    """
    labels = jnp.asarray(labels, logits.dtype)
    if labels.ndim:
        _check_shapes("binary_cross_entropy", logits, labels, "labels")
    return jnp.mean(
        optax.sigmoid_binary_cross_entropy(logits, jnp.broadcast_to(labels, logits.shape))
    )


def sigmoid_cross_entropy(logits: Array, targets: Array) -> Array:
    """Returns the mean cross-entropy between targets and the sigmoid of logits.

    It is Keras's `binary_crossentropy` with `from_logits=True`.

    Args:
        logits: [batch, ..., n].
        targets: [batch, ..., n], 1 for true, 0 for false, or a probability.

    Returns:
        [batch, ...], the mean over the last axis.

    Raises:
        ValueError: If the targets have another shape.
    """
    _check_shapes("binary_crossentropy", logits, targets)
    losses: Array = optax.sigmoid_binary_cross_entropy(logits, _cast(logits, targets))
    return losses.mean(-1)


def cross_entropy(logits: Array, targets: Array) -> Array:
    """Returns the cross-entropy between targets and the softmax of logits.

    It is computed from the logits, so that it neither saturates nor overflows: Keras's
    `categorical_crossentropy` and `sparse_categorical_crossentropy` with `from_logits=True`.

    Args:
        logits: [batch, ..., classes].
        targets: Probabilities, [batch, ..., classes], such as one-hot or smoothed labels; or
            integers, [batch, ...]. The loss of an integer that is out of range is NaN.

    Returns:
        [batch, ...].

    Raises:
        ValueError: If the targets have another shape.

    Example:
        >>> float(cross_entropy(jnp.zeros((1, 4)), jnp.array([[0.0, 0.0, 1.0, 0.0]]))[0])
        1.3862943649291992
    """
    targets = _probabilities("cross_entropy", logits, targets)
    losses: Array = optax.softmax_cross_entropy(logits, targets)
    return losses


def squared_error(logits: Array, targets: Array) -> Array:
    """Returns the sum of `1/2 (target - output)**2` for the softmax of logits.

    Args:
        logits: [batch, classes].
        targets: Probabilities, [batch, classes]; or integers, [batch]. The loss of an integer that
            is out of range is NaN.

    Returns:
        [batch].

    Raises:
        ValueError: If the targets have another shape.

    Example:
        >>> float(squared_error(jnp.zeros((1, 4)), jnp.array([[0.0, 0.0, 1.0, 0.0]]))[0])
        0.375
    """
    targets = _probabilities("squared_error", logits, targets)
    losses: Array = optax.l2_loss(jax.nn.softmax(logits), targets)
    return losses.sum(-1)


def one_hot(labels: Array, classes: int) -> Array:
    """Returns the one-hot encoding of integer labels, with NaN for labels that are out of range.

    `jax.nn.one_hot` encodes a label that is out of range as zeros, so that its loss is 0.

    Args:
        labels: Integers, [...].
        classes: Number of classes.

    Returns:
        [..., classes].
    """
    labels = jnp.asarray(labels)
    in_range = (labels >= 0) & (labels < classes)
    # The square root of -1 rather than jnp.where with NaN, for which jax_debug_nans would raise an
    # error even if the NaN is not selected. 0 and 1 are equal to their square roots.
    return jnp.sqrt(jax.nn.one_hot(labels, classes) - ~in_range[..., None])


def mean_squared_error(outputs: Array, targets: Array) -> Array:
    """Returns the mean of `(target - output)**2` over the last axis.

    Args:
        outputs: Predictions, [batch, ..., n].
        targets: Targets of the same shape.

    Returns:
        [batch, ...].

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes("mean_squared_error", outputs, targets)
    losses: Array = optax.squared_error(outputs, _cast(outputs, targets))
    return losses.mean(-1)


def mean_absolute_error(outputs: Array, targets: Array) -> Array:
    """Returns the mean of `|target - output|` over the last axis.

    Args:
        outputs: Predictions, [batch, ..., n].
        targets: Targets of the same shape.

    Returns:
        [batch, ...].

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes("mean_absolute_error", outputs, targets)
    return jnp.abs(_cast(outputs, targets) - outputs).mean(-1)


def mean_absolute_percentage_error(outputs: Array, targets: Array) -> Array:
    """Returns the mean of `100 |target - output| / |target|` over the last axis.

    Args:
        outputs: Predictions, [batch, ..., n].
        targets: Targets of the same shape.

    Returns:
        [batch, ...].

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes("mean_absolute_percentage_error", outputs, targets)
    targets = _cast(outputs, targets)
    return 100 * jnp.abs((targets - outputs) / jnp.maximum(jnp.abs(targets), _EPSILON)).mean(-1)


def mean_squared_logarithmic_error(outputs: Array, targets: Array) -> Array:
    """Returns the mean of `(log(1 + target) - log(1 + output))**2` over the last axis.

    Args:
        outputs: Predictions, [batch, ..., n].
        targets: Targets of the same shape.

    Returns:
        [batch, ...].

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes("mean_squared_logarithmic_error", outputs, targets)
    logarithms = [
        jnp.log(jnp.maximum(array, _EPSILON) + 1) for array in (outputs, _cast(outputs, targets))
    ]
    losses: Array = optax.squared_error(*logarithms)
    return losses.mean(-1)


def huber(outputs: Array, targets: Array, delta: float = 1.0) -> Array:
    """Returns the mean Huber loss over the last axis.

    Args:
        outputs: Predictions, [batch, ..., n].
        targets: Targets of the same shape.
        delta: The error up to which the loss is quadratic; beyond, it is linear.

    Returns:
        [batch, ...].

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes("huber", outputs, targets)
    losses: Array = optax.huber_loss(outputs, _cast(outputs, targets), delta=delta)
    return losses.mean(-1)


def log_cosh(outputs: Array, targets: Array) -> Array:
    """Returns the mean of `log(cosh(output - target))` over the last axis.

    Args:
        outputs: Predictions, [batch, ..., n].
        targets: Targets of the same shape.

    Returns:
        [batch, ...].

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes("log_cosh", outputs, targets)
    losses: Array = optax.log_cosh(outputs, _cast(outputs, targets))
    return losses.mean(-1)


def cosine_similarity(outputs: Array, targets: Array) -> Array:
    """Returns the negative cosine similarity of outputs and targets over the last axis.

    Args:
        outputs: Predictions, [batch, ..., n].
        targets: Targets of the same shape.

    Returns:
        [batch, ...].

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes("cosine_similarity", outputs, targets)
    # As in Keras, the sum of squares is bounded below by 1e-12.
    unit = [
        array * jax.lax.rsqrt(jnp.maximum(jnp.sum(array**2, -1, keepdims=True), 1e-12))
        for array in (outputs, _cast(outputs, targets))
    ]
    return -(unit[0] * unit[1]).sum(-1)


def poisson(outputs: Array, targets: Array) -> Array:
    """Returns the mean of `output - target * log(output)` over the last axis.

    Args:
        outputs: Predictions, [batch, ..., n].
        targets: Targets of the same shape.

    Returns:
        [batch, ...].

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes("poisson", outputs, targets)
    return (outputs - _cast(outputs, targets) * jnp.log(outputs + _EPSILON)).mean(-1)


def kl_divergence(outputs: Array, targets: Array) -> Array:
    """Returns the sum of `target * log(target / output)` over the last axis.

    Args:
        outputs: Predictions, [batch, ..., n].
        targets: Targets of the same shape.

    Returns:
        [batch, ...].

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes("kl_divergence", outputs, targets)
    outputs, targets = (
        jnp.clip(array, _EPSILON, 1) for array in (outputs, _cast(outputs, targets))
    )
    return (targets * jnp.log(targets / outputs)).sum(-1)


def hinge(outputs: Array, targets: Array) -> Array:
    """Returns the mean of `max(1 - target * output, 0)` over the last axis.

    Args:
        outputs: Predictions, [batch, ..., n].
        targets: Targets of the same shape, -1 and 1, or 0 and 1.

    Returns:
        [batch, ...].

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes("hinge", outputs, targets)
    return jnp.maximum(1 - _signs(_cast(outputs, targets)) * outputs, 0).mean(-1)


def squared_hinge(outputs: Array, targets: Array) -> Array:
    """Returns the mean of `max(1 - target * output, 0)**2` over the last axis.

    Args:
        outputs: Predictions, [batch, ..., n].
        targets: Targets of the same shape, -1 and 1, or 0 and 1.

    Returns:
        [batch, ...].

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes("squared_hinge", outputs, targets)
    return (jnp.maximum(1 - _signs(_cast(outputs, targets)) * outputs, 0) ** 2).mean(-1)


def categorical_hinge(outputs: Array, targets: Array) -> Array:
    """Returns `max(1 + largest output of the other classes - output of the true class, 0)`.

    Args:
        outputs: Predictions, [batch, ..., classes].
        targets: One-hot labels of the same shape.

    Returns:
        [batch, ...].

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes("categorical_hinge", outputs, targets)
    targets = _cast(outputs, targets)
    true_output, largest_other = (targets * outputs).sum(-1), ((1 - targets) * outputs).max(-1)
    return jnp.maximum(largest_other - true_output + 1, 0)


BY_NAME: dict[str, Loss] = {
    "binary_crossentropy": sigmoid_cross_entropy,
    "categorical_crossentropy": cross_entropy,
    "categorical_hinge": categorical_hinge,
    "cosine_similarity": cosine_similarity,
    "hinge": hinge,
    "huber": huber,
    "kl_divergence": kl_divergence,
    "log_cosh": log_cosh,
    "mae": mean_absolute_error,
    "mape": mean_absolute_percentage_error,
    "mean_absolute_error": mean_absolute_error,
    "mean_absolute_percentage_error": mean_absolute_percentage_error,
    "mean_squared_error": mean_squared_error,
    "mean_squared_logarithmic_error": mean_squared_logarithmic_error,
    "mse": mean_squared_error,
    "msle": mean_squared_logarithmic_error,
    "poisson": poisson,
    "sparse_categorical_crossentropy": cross_entropy,
    "squared_hinge": squared_hinge,
}

_ACTIVATIONS: dict[Any, Literal["sigmoid", "softmax"]] = {
    binary_cross_entropy: "sigmoid",
    sigmoid_cross_entropy: "sigmoid",
    optax.sigmoid_binary_cross_entropy: "sigmoid",
    optax.sigmoid_focal_loss: "sigmoid",
    cross_entropy: "softmax",
    squared_error: "softmax",
    optax.softmax_cross_entropy: "softmax",
    optax.softmax_cross_entropy_with_integer_labels: "softmax",
}


def get(identifier: str | Loss) -> Loss:
    """Returns the loss with the given identifier.

    Args:
        identifier: One of Keras's names, or a function of outputs and targets. The functions of
            `binary_crossentropy`, `categorical_crossentropy` and
            `sparse_categorical_crossentropy` take logits.

    Returns:
        A function of outputs and targets.

    Raises:
        ValueError: If the name is unknown.
        TypeError: If it is neither a name nor a function.

    Example:
        >>> get("mse")(jnp.array([[1.0, 2.0]]), jnp.array([[0.0, 0.0]])).tolist()
        [2.5]
    """
    return resolve("loss", BY_NAME, identifier)


def activation_of(loss: Loss) -> Literal["sigmoid", "softmax"] | None:
    """Returns the activation that a loss applies to `outputs`, if it takes logits.

    Args:
        loss: A loss function. The functions of this module and of Optax that take logits are known;
            all others are assumed to take the outputs of the model.

    Returns:
        `"sigmoid"`, `"softmax"` or `None`.
    """
    try:
        return _ACTIVATIONS.get(loss)
    except TypeError:  # a callable that is not hashable
        return None


def _check_shapes(loss: str, outputs: Array, targets: Array, name: str = "targets") -> None:
    if jnp.shape(outputs) != jnp.shape(targets):
        raise ValueError(
            f"{loss}: {name} must have the shape of the outputs, {jnp.shape(outputs)}, because "
            f"they are not broadcast; got {jnp.shape(targets)}"
        )


def _probabilities(loss: str, logits: Array, targets: Array) -> Array:
    """Returns targets as probabilities of the classes, [batch, ..., classes]."""
    shape = jnp.shape(targets)
    if shape == jnp.shape(logits):
        return targets
    integers = jnp.issubdtype(jnp.result_type(targets), jnp.integer)
    if integers and shape == jnp.shape(logits)[:-1]:
        return one_hot(targets, logits.shape[-1]).astype(logits.dtype)
    raise ValueError(
        f"{loss}: targets must be probabilities of the shape of the logits, {jnp.shape(logits)}, "
        f"or integers of shape {jnp.shape(logits)[:-1]}, because they are not broadcast; "
        f"got {jnp.result_type(targets)} of shape {shape}"
    )


def _cast(outputs: Array, targets: Array) -> Array:
    return jnp.asarray(targets, outputs.dtype)


def _signs(targets: Array) -> Array:
    """Converts targets of 0 and 1 to -1 and 1, as Keras does; others are unchanged."""
    binary = ((targets == 0) | (targets == 1)).all()
    return jnp.where(binary, 2 * targets - 1, targets)
