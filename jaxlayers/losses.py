"""What models are trained to make small, computed from logits."""

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
