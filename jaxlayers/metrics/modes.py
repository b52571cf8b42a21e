"""The modes of a distribution that generated images cover, counted by a classifier."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers._fields import PositiveInteger
from jaxlayers.metrics._float64 import in_float64, nan_unless
from jaxlayers.metrics.features import Features


def captured_modes(
    predictions: Array | np.ndarray,
    *,
    classes: int,
    probabilities: Array | np.ndarray | None = None,
) -> tuple[Array, Array]:
    """Returns the number of modes that samples cover, and how unevenly they cover them.

    Each class is a mode of the distribution. It is captured if at least one sample is classified as
    this class. Stacked-MNIST, `data.stacked` of digits, has 1,000 modes, the combinations of three
    digits; `stacked_features` of a classifier of digits predicts them.

    The second result is the reverse Kullback-Leibler divergence, `sum(p * log(p / q))`, of the
    fraction `p` of samples of each mode from its probability `q` in the data. Samples of the data
    itself have a divergence above 0 as well, in expectation approximately `(modes - 1) / (2 *
    samples)`: 0.019 for 26,000 samples and 1,000 modes. With so many samples, all modes are
    expected to be captured.

    Args:
        predictions: The predicted class of each sample, integers [samples] from 0 to
            `classes - 1`.
        classes: Number of classes, that is of modes.
        probabilities: The probability of each mode in the data, [classes]. They are normalized to a
            sum of 1. By default, all modes are equally probable.

    Returns:
        The number of captured modes and the divergence in nats, two scalars, computed in float64.
        They are NaN if a prediction is out of range inside of `jit`, where values are not known, or
        if a probability is negative or not finite. The divergence is infinite if a mode with
        probability 0 is captured.

    Raises:
        ValueError: If the predictions are not integers of this shape, one of them is out of range,
            `classes` is not a positive integer, or the probabilities are not one per class.

    Reference:
        Srivastava et al., 2017, https://arxiv.org/abs/1705.07761; Lin et al., 2018,
        https://arxiv.org/abs/1712.04086

    Example:
        >>> predictions = np.array([0, 0, 1, 3])
        >>> count, divergence = captured_modes(predictions, classes=4)
        >>> int(count), round(float(divergence), 4)  # log(4) - 1.5 * log(2)
        (3, 0.3466)
    """
    owner = "captured_modes"
    classes = PositiveInteger().check(owner, "classes", classes)
    predictions = _check_predictions(owner, predictions, classes)
    weights = np.ones(classes) if probabilities is None else probabilities
    weights = weights if isinstance(weights, jax.Array) else np.asarray(weights)
    real = any(jnp.issubdtype(weights.dtype, kind) for kind in (np.integer, np.floating))
    if not real or weights.shape != (classes,):
        raise ValueError(
            f"{owner}: probabilities must be real numbers of shape [{classes}], one per class, "
            f"got {weights.dtype} of shape {weights.shape}"
        )
    count, divergence = in_float64(owner, _captured, predictions, weights)
    return count, divergence


def stacked_features(features: Features, channels: int = 3) -> Features:
    """Returns the features of images whose channels are the images that other features are of.

    They are the features of all channels, one after the other. If there are classes, the classes of
    an image are the combinations of those of its channels, with the last channel varying fastest,
    as the labels of `data.stacked`. Their logits are the sums of the logarithms of the predicted
    probabilities of the channels.

    Args:
        features: Features of images with one channel, such as those of a classifier of digits.
        channels: Number of channels.

    Raises:
        ValueError: If the features are of images with several channels, or an argument has the
            wrong type.

    Example:
        >>> def digit(_, images):
        ...     brightness = images.mean((1, 2))
        ...     return brightness, jnp.concatenate([1 - brightness, brightness], 1)
        >>> two = stacked_features(Features("two", digit, size=1, classes=2))
        >>> images = np.array([0, 255, 255], np.uint8).reshape(1, 1, 1, 3)
        >>> two(images).tolist(), two.classes, int(two.logits(images).argmax())
        ([[0.0, 1.0, 1.0]], 8, 3)
    """
    owner = "stacked_features"
    if not isinstance(features, Features):
        raise ValueError(f"{owner}: features must be a Features, got {features!r:.100}")
    channels = PositiveInteger().check(owner, "channels", channels)
    shape, classes = features.image_shape, features.classes
    if shape is not None and shape[-1] != 1:
        raise ValueError(
            f"{owner}: features must be of images with one channel, got those of images of shape "
            f"{shape}"
        )

    def of_channels(weights: Any, images: Array) -> tuple[Array, Array | None]:
        outputs = [
            features.function(weights, images[..., channel : channel + 1])
            for channel in range(channels)
        ]
        together = jnp.concatenate([output[0] for output in outputs], axis=1)
        if classes is None:
            return together, None
        logits = jnp.zeros((images.shape[0], 1))
        for output in outputs:
            logits = logits[:, :, None] + jax.nn.log_softmax(output[1])[:, None, :]
            logits = logits.reshape(images.shape[0], -1)
        return together, logits

    return Features(
        features.name,
        of_channels,
        size=channels * features.size,
        classes=None if classes is None else classes**channels,
        weights=features.weights,
        image_shape=None if shape is None else (*shape[:2], channels),
        batch_size=features.batch_size,
    )


def _check_predictions(owner: str, value: Any, classes: int) -> Array | np.ndarray:
    array = value if isinstance(value, jax.Array) else np.asarray(value)
    allowed = f"{owner}: predictions must be integers of shape [samples]"
    if array.ndim != 1 or not len(array) or not jnp.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{allowed}, got {array.dtype} of shape {array.shape}")
    if not isinstance(array, jax.core.Tracer):
        least, most = int(array.min()), int(array.max())
        if least < 0 or most >= classes:
            wrong = least if least < 0 else most
            raise ValueError(f"{allowed} from 0 to {classes - 1}, got {wrong}")
    return array


@jax.jit
def _captured(predictions: Array, weights: Array) -> tuple[Array, ...]:
    valid = ((predictions >= 0) & (predictions < len(weights))).all()
    counts = jnp.zeros(len(weights), jnp.int32).at[predictions.astype(jnp.int32)].add(jnp.int32(1))
    real = weights.astype(jnp.float64)
    valid &= (jnp.isfinite(real) & (real >= 0)).all()
    real = real / real.sum()
    fake = counts.astype(jnp.float64) / len(predictions)
    captured = counts > 0
    # Logarithms of 0 are multiplied by 0.
    terms = jnp.where(captured, fake * (jnp.log(fake) - jnp.log(real)), 0.0)
    return nan_unless(valid, captured.sum(dtype=jnp.int32).astype(jnp.float64), terms.sum())
