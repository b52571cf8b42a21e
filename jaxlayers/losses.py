"""What models are trained to make small, computed from logits."""

import jax
import jax.numpy as jnp
import optax
from jax import Array


def binary_cross_entropy(logits: Array, labels: Array | float) -> Array:
    """Returns the mean cross-entropy between labels and the sigmoid of logits, a scalar.

    Computed from the logits, so that it neither saturates nor overflows.

    Args:
        logits: any shape.
        labels: 1 for true, 0 for false, or a probability; broadcast to the logits.

    Example:
        >>> float(binary_cross_entropy(jnp.zeros((2, 1)), 1.0))
        0.6931471824645996
    """
    labels = jnp.broadcast_to(jnp.asarray(labels, logits.dtype), logits.shape)
    return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, labels))


def cross_entropy(logits: Array, targets: Array) -> Array:
    """Returns the cross-entropy between targets and the softmax of logits, [batch].

    Computed from the logits, so that it neither saturates nor overflows.

    Args:
        logits: [batch, classes].
        targets: [batch, classes], a probability for each class: one-hot, or smoothed.

    Example:
        >>> float(cross_entropy(jnp.zeros((1, 4)), jnp.array([[0.0, 0.0, 1.0, 0.0]]))[0])
        1.3862943649291992
    """
    return optax.softmax_cross_entropy(logits, targets)


def squared_error(logits: Array, targets: Array) -> Array:
    """Returns the sum of `1/2 (target - output)**2` over the softmax of logits, [batch].

    Args:
        logits: [batch, classes].
        targets: [batch, classes], what the softmax should be.

    Example:
        >>> float(squared_error(jnp.zeros((1, 4)), jnp.array([[0.0, 0.0, 1.0, 0.0]]))[0])
        0.375
    """
    return optax.l2_loss(jax.nn.softmax(logits), targets).sum(-1)
