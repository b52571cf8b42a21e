"""The score of generated images by the predictions of a classifier."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers._fields import PositiveInteger
from jaxlayers.metrics._features import check_features
from jaxlayers.metrics._float64 import in_float64, nan_unless


def inception_score(logits: Array | np.ndarray, *, splits: int = 10) -> tuple[Array, Array]:
    """Returns how certain and how varied the predictions for generated images are.

    The score of a set of images is the exponential of the mean Kullback-Leibler divergence of the
    predicted probabilities from their mean. It is 1 if all predictions are equal, and the number of
    classes if all images are classified with certainty and all classes are equally frequent. Real
    images are not compared with.

    Scores of different classifiers cannot be compared with each other. In papers, the score is that
    of the published Inception network.

    Args:
        logits: Predictions of a classifier before the softmax, [samples, classes]. A logit may be
            minus infinity, for a probability of 0.
        splits: Number of parts of consecutive samples, of nearly equal size, that are scored
            separately. In papers it is 10, with 50,000 samples.

    Returns:
        Mean and standard deviation over the parts, two scalars, computed in float64. They are NaN
        if a logit is NaN or infinity, or if all logits of a sample are minus infinity.

    Raises:
        ValueError: If the logits are not of shape [samples, classes], if there are fewer samples
            than splits, or if `splits` is not a positive integer.
        TypeError: If it is differentiated.

    Reference:
        [Salimans et al., 2016](https://arxiv.org/abs/1606.03498): Improved techniques for training
        GANs.

    Example:
        >>> logits = np.log(np.array([[0.5, 0.5], [0.5, 0.5], [1e-9, 1.0], [1.0, 1e-9]]))
        >>> mean, std = inception_score(logits, splits=2)  # 1 and 2
        >>> round(float(mean), 4), round(float(std), 4)
        (1.5, 0.5)
    """
    owner = "inception_score"
    splits = PositiveInteger().check(owner, "splits", splits)
    logits = check_features(owner, "logits", logits, samples=splits, axis="classes")
    mean, std = in_float64(owner, functools.partial(_score, splits=splits), logits)
    return mean, std


@functools.partial(jax.jit, static_argnames="splits")
def _score(logits: Array, *, splits: int) -> tuple[Array, ...]:
    log_probabilities = jax.nn.log_softmax(logits.astype(jnp.float64))
    samples = logits.shape[0]
    bounds = [split * samples // splits for split in range(splits + 1)]
    scores = jnp.stack(
        [
            _score_of_part(log_probabilities[start:stop])
            for start, stop in itertools.pairwise(bounds)
        ]
    )
    return nan_unless(~jnp.isnan(log_probabilities).any(), scores.mean(), scores.std())


def _score_of_part(log_probabilities: Array) -> Array:
    probabilities = jnp.exp(log_probabilities)
    # Logarithms of 0 are multiplied by 0.
    log_mean = jnp.log(probabilities.mean(0))
    terms = probabilities * (log_probabilities - log_mean)
    divergences = jnp.where(probabilities > 0.0, terms, 0.0).sum(1)
    return jnp.exp(divergences.mean())
