"""All scores of generated images in one call."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.metrics.feature_statistics import FeatureStatistics
from jaxlayers.metrics.features import Features, Outputs
from jaxlayers.metrics.frechet import frechet_distance
from jaxlayers.metrics.inception import inception_score
from jaxlayers.metrics.kernel import kernel_distance
from jaxlayers.metrics.modes import captured_modes
from jaxlayers.metrics.neighbors import density_coverage, precision_recall

# Images whose features are in memory at a time, for the statistics of a data set.
_CHUNK = 8192
# As in papers, if there are as many images.
_SUBSETS, _SUBSET_SIZE = 100, 1000
_SPLITS = 10
_PRECISION_NEIGHBORS, _DENSITY_NEIGHBORS = 3, 5

LEAST_IMAGES = 1 + max(_PRECISION_NEIGHBORS, _DENSITY_NEIGHBORS)
"""Number of images that all scores can be computed for."""

Scores = dict[str, float]


class ScoredImages(NamedTuple):
    """The scores of a set of images."""

    scores: Scores  # by name
    images: int  # number of images
    class_fractions: np.ndarray | None  # fraction of images of each predicted class, [classes]


class ImageScores:
    """Scores of generated images compared with real ones, in given features.

    | choice | names of the scores, after the name of the features |
    | --- | --- |
    | `"frechet_distance"` | `frechet_distance` |
    | `"kernel_distance"` | `kernel_distance`: the mean over subsets of at most 1,000 images |
    | `"precision_recall"` | `precision`, `recall` |
    | `"density_coverage"` | `density`, `coverage` |
    | `"inception_score"` | `score`: the inception score, with the logits of the features |
    | `"classes"` | `confidence`, `class_entropy`, `smallest_class` |
    | `"modes"` | `modes`, `mode_divergence`: see `captured_modes` |

    The confidence is the mean of the largest predicted probability. The entropy is that of the
    predicted classes, and 1 if all classes are equally frequent; the smallest class is the fraction
    of images of the least frequent one.

    With features called `"classifier"`, a name is `classifier_frechet_distance`. With features
    called `"inception"`, the distances are `fid` and `kid`. If there are labels,
    `label_accuracy` is the fraction of images that are classified as their label.

    Floating-point images are rounded to 256 levels first, like images in files.

    Args:
        features: The features to compare.
        real: Real images, [N, height, width, channels], uint8 from 0 to 255 or floating-point
            numbers from 0 to 1. All of them are used for the statistics of the Fréchet distance,
            and `samples` of them, evenly spaced, for the other scores.
        samples: Number of real images for scores other than the Fréchet distance.
        scores: The choices; None for all but `"modes"`, without those that require logits if there
            are none.
        seed: Seed of the random subsets of the kernel distance, not negative.

    Raises:
        TypeError: If `features` is not a `Features`.
        ValueError: If a choice is unknown or requires logits, there are too few images, or they
            have another shape.

    Example:
        >>> mean = Features("mean_color", lambda _, images: (images.mean((1, 2)), None), size=3)
        >>> real, fake = np.random.default_rng(0).random((2, 50, 8, 8, 3))
        >>> scores = ImageScores(mean, real, scores=["frechet_distance", "precision_recall"])
        >>> scores.names()
        ('mean_color_frechet_distance', 'mean_color_precision', 'mean_color_recall')
        >>> scores(fake).scores["mean_color_recall"] > 0.5
        True
    """

    def __init__(
        self,
        features: Features,
        real: Any,
        *,
        samples: int = 5000,
        scores: Sequence[str] | None = None,
        seed: int = 0,
    ) -> None:
        if not isinstance(features, Features):
            raise TypeError(
                f"ImageScores: features must be a Features, such as train.classifier_features("
                f"dataset), got {type(features).__name__}"
            )
        self.features = features
        self.choices = _check_choices(scores, features)
        samples = fields.Integer(at_least=LEAST_IMAGES).check("ImageScores", "samples", samples)
        seed = fields.Integer(at_least=0).check("ImageScores", "seed", seed)
        if np.ndim(real) != 4 or len(real) < LEAST_IMAGES:
            raise ValueError(
                f"ImageScores: real must be at least {LEAST_IMAGES} images, [N, height, width, "
                f"channels], got an array of shape {np.shape(real)}"
            )
        statistics = FeatureStatistics.init(features.size)
        if "frechet_distance" in self.choices:
            for start in range(0, len(real), _CHUNK):
                part = features(as_bytes(real[start : start + _CHUNK]))
                statistics = statistics.update(part)
        some = features(as_bytes(evenly_spaced(real, samples)))
        self._reference = _Reference(statistics, some, jax.random.key(seed))

    def names(self, labels: bool = False) -> tuple[str, ...]:
        """Returns the names of the scores.

        Args:
            labels: Whether the images have labels.
        """
        parts = [part for choice in self.choices for part in _CHOICES[choice][0]]
        if labels and self.features.classes is not None:
            parts.append("label_accuracy")
        return tuple(map(self._name, parts))

    def __call__(self, images: Any, labels: Any = None) -> ScoredImages:
        """Returns the scores of images.

        Args:
            images: At least six images, like the real ones.
            labels: The classes that the images were generated for, integers [N]; None if there are
                none. They must be classes of the features.

        Returns:
            The scores by name, and the fraction of each class if the features have classes. All
            scores are NaN if a value of the images is not finite.

        Raises:
            TypeError: If it is not an array of images.
            ValueError: If there are too few images, they have another shape, or there is not one
                label per image.
        """
        if len(images) < LEAST_IMAGES:
            raise ValueError(
                f"ImageScores: images must be at least {LEAST_IMAGES} images, got {len(images)}"
            )
        if labels is not None and np.shape(labels) != (len(images),):
            raise ValueError(
                f"ImageScores: labels must be one per image, of shape ({len(images)},), got shape "
                f"{np.shape(labels)}"
            )
        names = self.names(labels is not None)
        if not np.isfinite(images).all():
            return ScoredImages(dict.fromkeys(names, float("nan")), len(images), None)
        outputs = self.features.outputs(as_bytes(images))
        scores: list[float] = []
        for choice in self.choices:
            scores += map(float, _CHOICES[choice][1](self._reference, outputs))
        fractions = None
        if outputs.logits is not None:
            fractions = class_fractions(outputs.logits)
            if labels is not None:
                accuracy = (outputs.logits.argmax(1) == np.asarray(labels)).mean()
                scores.append(float(accuracy))
        return ScoredImages(dict(zip(names, scores, strict=True)), len(images), fractions)

    def _name(self, part: str) -> str:
        name = self.features.name
        if name == "inception" and part in _PUBLISHED:
            return _PUBLISHED[part]
        return f"{name}_{part}"


class _Reference(NamedTuple):
    """What images are compared with."""

    statistics: FeatureStatistics  # of all real images
    features: np.ndarray  # of some real images
    key: Array


def _frechet_distance(reference: _Reference, outputs: Outputs) -> Sequence[Any]:
    return [frechet_distance(reference.statistics, outputs.features)]


def _kernel_distance(reference: _Reference, outputs: Outputs) -> Sequence[Any]:
    x, y = reference.features, outputs.features
    size = min(_SUBSET_SIZE, len(x), len(y))
    return kernel_distance(x, y, subsets=_SUBSETS, subset_size=size, key=reference.key)[:1]


def _precision_recall(reference: _Reference, outputs: Outputs) -> Sequence[Any]:
    return precision_recall(reference.features, outputs.features, k=_PRECISION_NEIGHBORS)


def _density_coverage(reference: _Reference, outputs: Outputs) -> Sequence[Any]:
    return density_coverage(reference.features, outputs.features, k=_DENSITY_NEIGHBORS)


def _inception_score(reference: _Reference, outputs: Outputs) -> Sequence[Any]:
    assert outputs.logits is not None  # checked by _check_choices
    # Parts of consecutive images would contain few classes if the images are sorted by class.
    shuffled = jax.random.permutation(reference.key, outputs.logits)
    return inception_score(shuffled, splits=min(_SPLITS, len(shuffled)))[:1]


def _classes(_: _Reference, outputs: Outputs) -> Sequence[Any]:
    assert outputs.logits is not None
    logits = outputs.logits.astype(np.float64)
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    confidence = (1 / exponentials.sum(1)).mean()
    fractions = class_fractions(logits)
    present = fractions[fractions > 0]
    entropy = -(present * np.log(present)).sum() / np.log(max(2, len(fractions)))
    return [confidence, entropy + 0.0, fractions.min()]


def _modes(_: _Reference, outputs: Outputs) -> Sequence[Any]:
    assert outputs.logits is not None
    return captured_modes(outputs.logits.argmax(1), classes=outputs.logits.shape[1])


_CHOICES: dict[str, tuple[tuple[str, ...], Callable[[_Reference, Outputs], Sequence[Any]]]] = {
    "frechet_distance": (("frechet_distance",), _frechet_distance),
    "kernel_distance": (("kernel_distance",), _kernel_distance),
    "precision_recall": (("precision", "recall"), _precision_recall),
    "density_coverage": (("density", "coverage"), _density_coverage),
    "inception_score": (("score",), _inception_score),
    "classes": (("confidence", "class_entropy", "smallest_class"), _classes),
    "modes": (("modes", "mode_divergence"), _modes),
}
_REQUIRE_LOGITS = ("inception_score", "classes", "modes")
# The names of the distances in the features of the published Inception network.
_PUBLISHED = {"frechet_distance": "fid", "kernel_distance": "kid"}


def class_fractions(logits: np.ndarray) -> np.ndarray:
    """Returns the fraction of rows whose largest logit is that of each class, [classes]."""
    counts = np.bincount(logits.argmax(1), minlength=logits.shape[1])
    fractions: np.ndarray = counts / len(logits)
    return fractions


def evenly_spaced(images: Any, count: int) -> Any:
    """Returns at most `count` images, evenly spaced.

    They are of all classes, also if the images are sorted by class.
    """
    if len(images) <= count:
        return images
    return images[np.linspace(0, len(images) - 1, count).round().astype(int)]


def as_bytes(images: Any) -> Any:
    """Rounds floating-point images with values from 0 to 1 to 256 levels, as uint8."""
    images = np.asarray(images)
    if not np.issubdtype(images.dtype, np.floating):
        return images
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)


def possible_scores(features: Features) -> tuple[str, ...]:
    """Returns the choices of `ImageScores` that features allow; some require logits."""
    has_logits = features.classes is not None
    return tuple(name for name in _CHOICES if has_logits or name not in _REQUIRE_LOGITS)


def _check_choices(scores: Sequence[str] | None, features: Features) -> tuple[str, ...]:
    possible = possible_scores(features)
    if scores is None:
        return tuple(name for name in possible if name != "modes")
    if isinstance(scores, str) or not len(scores):
        raise ValueError(
            f"ImageScores: scores must be a list of names, such as {list(possible)}, got {scores!r}"
        )
    for name in scores:
        if name not in possible:
            why = " for features without classes" if name in _REQUIRE_LOGITS else ""
            raise ValueError(
                f"ImageScores: scores must be among {', '.join(map(repr, possible))}{why}, got "
                f"{name!r}"
            )
    return tuple(dict.fromkeys(scores))
