"""The modes of a distribution that generated images cover, counted by a classifier."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers._fields import PositiveInteger
from jaxlayers.metrics._float64 import in_float64, nan_unless


def captured_modes(
    predictions: Array | np.ndarray,
    *,
    classes: int,
    probabilities: Array | np.ndarray | None = None,
) -> tuple[Array, Array]:
    """Returns the number of modes that samples cover, and how unevenly they cover them.

    A mode is a combination of the classes of all channels: with three channels of digits, as in
    `data.stacked`, there are 1,000. It is captured if at least one sample is classified as this
    combination.

    The second result is the reverse Kullback-Leibler divergence, `sum(p * log(p / q))`, of the
    fraction `p` of samples of each mode from its probability `q` in the data. Also samples of the
    data itself have a divergence above 0, in expectation approximately `(modes - 1) / (2 *
    samples)`: 0.019 for 26,000 samples and 1,000 modes. Of so many samples of the data, all modes
    are expected to be captured.

    Args:
        predictions: The class of each channel of each sample, integers [samples, channels] from 0
            to `classes - 1`, such as those that `channel_predictions` returns; or [samples].
        classes: Number of classes of one channel.
        probabilities: The probability of each mode in the data, [classes ** channels], with the
            last channel varying fastest. They are normalized to a sum of 1. By default, all modes
            are equally probable.

    Returns:
        The number of captured modes and the divergence in nats, two scalars, computed in float64.
        They are NaN if a prediction is out of range inside of `jit`, where values are not known, or
        if a probability is negative or not finite. The divergence is infinite if a mode with
        probability 0 is captured.

    Raises:
        ValueError: If the predictions are not integers of this shape, one of them is out of range,
            `classes` is not a positive integer, there are 2**31 modes or more, or the probabilities
            are not one per mode.

    Reference:
        Srivastava et al., 2017, https://arxiv.org/abs/1705.07761; Lin et al., 2018,
        https://arxiv.org/abs/1712.04086

    Example:
        >>> predictions = np.array([[0, 0], [0, 0], [0, 1], [1, 1]])
        >>> count, divergence = captured_modes(predictions, classes=2)
        >>> int(count), round(float(divergence), 4)  # log(4) - 1.5 * log(2)
        (3, 0.3466)
    """
    owner = "captured_modes"
    classes = PositiveInteger().check(owner, "classes", classes)
    predictions = _check_predictions(owner, predictions, classes)
    modes = classes ** predictions.shape[1]
    if modes >= 2**31:
        raise ValueError(
            f"{owner}: classes ** channels must be below 2**31, got {classes} classes and "
            f"{predictions.shape[1]} channels"
        )
    weights = np.ones(modes) if probabilities is None else probabilities
    weights = weights if isinstance(weights, jax.Array) else np.asarray(weights)
    real = any(jnp.issubdtype(weights.dtype, kind) for kind in (np.integer, np.floating))
    if not real or weights.shape != (modes,):
        raise ValueError(
            f"{owner}: probabilities must be real numbers of shape [{modes}], one per mode, "
            f"got {weights.dtype} of shape {weights.shape}"
        )
    count, divergence = in_float64(
        owner, functools.partial(_captured, classes=classes), predictions, weights
    )
    return count, divergence


def channel_predictions(
    logits: Callable[[np.ndarray], Array | np.ndarray], images: Array | np.ndarray
) -> np.ndarray:
    """Returns the class of each channel of images, predicted by a classifier of one channel.

    Args:
        logits: A function from images with one channel, [samples, height, width, 1], to the outputs
            of the classifier, [samples, classes]. It is called once per channel.
        images: [samples, height, width, channels].

    Returns:
        int32 [samples, channels].

    Raises:
        ValueError: If the images do not have four axes, or the function does not return one row per
            image.

    Example:
        >>> images = np.array([0.0, 1.0, 1.0]).reshape(1, 1, 1, 3)
        >>> channel_predictions(lambda x: np.stack([1 - x, x], -1).reshape(-1, 2), images).tolist()
        [[0, 1, 1]]
    """
    images = np.asarray(images)
    if images.ndim != 4:
        raise ValueError(
            "channel_predictions: images must be [samples, height, width, channels], got an array "
            f"of shape {images.shape}"
        )
    columns = []
    for channel in range(images.shape[-1]):
        outputs = np.asarray(logits(images[..., channel : channel + 1]))
        if outputs.ndim != 2 or len(outputs) != len(images):
            raise ValueError(
                f"channel_predictions: logits must return [samples, classes] for {len(images)} "
                f"images, got an array of shape {outputs.shape}"
            )
        columns.append(outputs.argmax(-1).astype(np.int32))
    return np.stack(columns, axis=-1)


def _check_predictions(owner: str, value: Array | np.ndarray, classes: int) -> Array | np.ndarray:
    """Returns predictions as [samples, channels]."""
    array = value if isinstance(value, jax.Array) else np.asarray(value)
    if array.ndim == 1:
        array = array[:, None]
    allowed = f"{owner}: predictions must be integers of shape [samples, channels]"
    if array.ndim != 2 or 0 in array.shape or not jnp.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{allowed}, got {array.dtype} of shape {array.shape}")
    if not isinstance(array, jax.core.Tracer):
        least, most = int(array.min()), int(array.max())
        if least < 0 or most >= classes:
            wrong = least if least < 0 else most
            raise ValueError(f"{allowed} from 0 to {classes - 1}, got {wrong}")
    return array


@functools.partial(jax.jit, static_argnames="classes")
def _captured(predictions: Array, weights: Array, *, classes: int) -> tuple[Array, ...]:
    channels = predictions.shape[1]
    valid = ((predictions >= 0) & (predictions < classes)).all()
    places = jnp.asarray([classes**place for place in reversed(range(channels))], jnp.int32)
    index = (predictions.astype(jnp.int32) * places).sum(1, dtype=jnp.int32)
    counts = jnp.zeros(classes**channels, jnp.int32).at[index].add(jnp.int32(1))
    real = weights.astype(jnp.float64)
    valid &= (jnp.isfinite(real) & (real >= 0)).all()
    real = real / real.sum()
    fake = counts.astype(jnp.float64) / predictions.shape[0]
    captured = counts > 0
    # Logarithms of 0 are multiplied by 0.
    terms = jnp.where(captured, fake * (jnp.log(fake) - jnp.log(real)), 0.0)
    return nan_unless(valid, captured.sum(dtype=jnp.int32).astype(jnp.float64), terms.sum())
