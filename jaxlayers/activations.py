"""Keras's activations by name.

Functions that `jax.nn` has are those of `jax.nn`. Each takes an array of any shape and returns an
array of the same shape and dtype (`glu` halves the size of its axis).
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array, nn

from jaxlayers._lookup import resolve

Activation = Callable[[Array], Array]


def linear(x: Array) -> Array:
    """Returns `x` unchanged."""
    return x


def relu(
    x: Array, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Array:
    """Rectified linear unit, with the arguments of Keras's `relu`.

    Args:
        x: An array of any shape.
        negative_slope: Slope below `threshold`.
        max_value: Largest value of the output; `None` for no limit.
        threshold: Value of `x` below which the output is `negative_slope * (x - threshold)`.

    Returns:
        An array of the shape and dtype of `x`.
    """
    if max_value is None and threshold == 0:
        # Keras calls the same function, so the derivative at 0 is the same.
        return nn.leaky_relu(x, negative_slope) if negative_slope else nn.relu(x)
    positive = nn.relu(x) if threshold == 0 else jnp.where(x > threshold, x, 0)
    if (max_value, threshold) == (6, 0):
        positive = nn.relu6(x)
    elif max_value is not None:
        positive = jnp.clip(positive, 0, max_value)
    return positive - negative_slope * nn.relu(threshold - x) if negative_slope else positive


def leaky_relu(x: Array, negative_slope: float = 0.2) -> Array:
    """Leaky ReLU: `x` where it is positive, `negative_slope * x` elsewhere.

    Args:
        x: An array of any shape.
        negative_slope: Slope where `x` is negative. The default is Keras's 0.2.

    Returns:
        An array of the shape and dtype of `x`.
    """
    return nn.leaky_relu(x, negative_slope)


def gelu(x: Array, approximate: bool = False) -> Array:
    """Gaussian error linear unit.

    Args:
        x: An array of any shape.
        approximate: Whether to use the tanh approximation. The default is False, as in Keras;
            that of `jax.nn.gelu` is True.

    Returns:
        An array of the shape and dtype of `x`.
    """
    return nn.gelu(x, approximate)


def tanh_shrink(x: Array) -> Array:
    """Tanh shrink: `x - tanh(x)`."""
    return x - jnp.tanh(x)


def soft_shrink(x: Array, threshold: float = 0.5) -> Array:
    """Soft shrink: `x` moved towards 0 by `threshold`; 0 where `|x| <= threshold`.

    Args:
        x: An array of any shape.
        threshold: Threshold of the magnitude, and the distance by which values are moved.

    Returns:
        An array of the shape and dtype of `x`.
    """
    return jnp.where(x > threshold, x - threshold, jnp.where(x < -threshold, x + threshold, 0))


def hard_shrink(x: Array, threshold: float = 0.5) -> Array:
    """Hard shrink: `x` where `|x| > threshold`, 0 elsewhere.

    Args:
        x: An array of any shape.
        threshold: Threshold of the magnitude.

    Returns:
        An array of the shape and dtype of `x`.
    """
    return jnp.where(jnp.abs(x) > threshold, x, 0)


def threshold(x: Array, threshold: float, default_value: float) -> Array:
    """Threshold: `x` where `x > threshold`, `default_value` elsewhere.

    Args:
        x: An array of any shape.
        threshold: Threshold of `x`.
        default_value: Value of the output where `x` does not exceed the threshold.

    Returns:
        An array of the shape and dtype of `x`.
    """
    return jnp.where(x > threshold, x, default_value)


def sparsemax(x: Array, axis: int = -1) -> Array:
    """Sparsemax along an axis, with the results of Keras.

    Martins and Astudillo project onto the probability simplex with the threshold
    `(sum of the support - 1) / size of the support`. Keras 3.15 adds the cumulative sums of the
    support instead, so that the result sums to 1 only if the support is a single value. This
    function returns the same results as Keras.

    Args:
        x: An array of at least one axis.
        axis: The axis to normalize over.

    Returns:
        An array of the shape and dtype of `x`.

    Reference:
        Martins and Astudillo, 2016, https://arxiv.org/abs/1602.02068
    """
    ordered = -jnp.sort(-x, axis=axis)
    cumulative = jnp.cumsum(ordered, axis=axis)
    others = [a for a in range(x.ndim) if a != axis % x.ndim]
    rank = jnp.expand_dims(jnp.arange(1, x.shape[axis] + 1, dtype=x.dtype), others)
    support = ordered - (cumulative - 1) / rank > 0
    size = jnp.sum(support, axis=axis, keepdims=True)
    total = jnp.sum(jnp.where(support, cumulative, 0), axis=axis, keepdims=True)
    return jnp.maximum(x - (total - 1) / size.astype(x.dtype), 0)


celu = nn.celu
elu = nn.elu
exponential = jnp.exp
glu = nn.glu
hard_sigmoid = nn.hard_sigmoid
hard_silu = hard_swish = nn.hard_silu
hard_tanh = nn.hard_tanh
log_sigmoid = nn.log_sigmoid
log_softmax = nn.log_softmax
mish = nn.mish
relu6 = nn.relu6
selu = nn.selu
sigmoid = nn.sigmoid
silu = swish = nn.silu
softmax = nn.softmax
softplus = nn.softplus
softsign = nn.soft_sign
sparse_plus = nn.sparse_plus
sparse_sigmoid = nn.sparse_sigmoid
squareplus = nn.squareplus
tanh = jnp.tanh

BY_NAME: dict[str, Callable[..., Array]] = {
    "celu": celu,
    "elu": elu,
    "exponential": exponential,
    "gelu": gelu,
    "glu": glu,
    "hard_shrink": hard_shrink,
    "hard_sigmoid": hard_sigmoid,
    "hard_silu": hard_silu,
    "hard_swish": hard_swish,
    "hard_tanh": hard_tanh,
    "leaky_relu": leaky_relu,
    "linear": linear,
    "log_sigmoid": log_sigmoid,
    "log_softmax": log_softmax,
    "mish": mish,
    "relu": relu,
    "relu6": relu6,
    "selu": selu,
    "sigmoid": sigmoid,
    "silu": silu,
    "soft_shrink": soft_shrink,
    "softmax": softmax,
    "softplus": softplus,
    "softsign": softsign,
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": sparse_sigmoid,
    "sparsemax": sparsemax,
    "squareplus": squareplus,
    "swish": swish,
    "tanh": tanh,
    "tanh_shrink": tanh_shrink,
    "threshold": threshold,
}


def get(identifier: str | Activation | None) -> Callable[..., Array]:
    """Returns the activation with the given identifier.

    Args:
        identifier: One of Keras's names, any function from an array to an array, or `None` for
            `linear`.

    Returns:
        A function from an array to an array.

    Raises:
        ValueError: If the name is unknown.
        TypeError: If it is neither a name, a function nor `None`.

    Example:
        >>> get("relu")(jnp.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    return linear if identifier is None else resolve("activation", BY_NAME, identifier)
