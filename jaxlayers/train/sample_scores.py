"""Scores of the images that a task generates, during training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers._structure import are_several_shapes
from jaxlayers.data import Dataset
from jaxlayers.layer import Layer, Params, State
from jaxlayers.metrics.features import Features
from jaxlayers.metrics.image_scores import ImageScores, ScoredImages, evenly_spaced
from jaxlayers.runs.latents import uniform
from jaxlayers.runs.scores import ScoreTable
from jaxlayers.train.images import to_unit
from jaxlayers.train.task import Samples, SamplesByClass, TrainState

_BATCH_SIZE = 250
# The fractions of more classes, such as the modes of Stacked-MNIST, are not listed.
_LISTED_CLASSES = 100


class Scores(Protocol):
    """The interface of scores that `fit` computes, such as `SampleScores`."""

    def names(self, task: Any) -> Sequence[str]:
        """Returns the names of the scores of a task.

        Args:
            task: The task to train.

        Raises:
            TypeError, ValueError: If the task cannot be scored.
        """
        ...

    def __call__(self, task: Any, train_state: TrainState) -> Mapping[str, float]:
        """Returns the scores by name.

        Args:
            task: The task.
            train_state: Its state after a step.
        """
        ...


class SampleScores:
    """Scores of generated images, for the argument `scores` of `fit`.

    The images are generated from the same latent vectors each time. Their scores are those of
    `metrics.ImageScores`. A task with classes generates images of the classes in the proportions of
    the real images if these have labels, and equally many of each class otherwise. If the features
    are those of a classifier of the same classes, `label_accuracy` is the fraction of images that
    are classified as the class that they were generated for.

    The Fréchet distance depends on the number of images. To see how close it can be to 0, pass
    validation images, which are scored like generated ones.

    Args:
        features: The features to compare, such as `train.classifier_features(dataset)`.
        real: Real images: a `Dataset`, or an array as in `metrics.ImageScores`. Usually these are
            the training images.
        validation: Other real images, in the same form. At most `samples` of them are scored; None
            for no scores of real images. If they have labels of the classes of the features,
            `label_accuracy` is the accuracy of the classifier.
        samples: Number of generated images.
        scores: The scores, as in `metrics.ImageScores`; None for the Fréchet distance and, if the
            features have logits, `"classes"`, and `"modes"` for images made by `data.stacked`. The
            others take more time.
        seed: Seed of the latent vectors, not negative.

    Raises:
        TypeError, ValueError: As in `metrics.ImageScores`.

    Example:
        >>> from jaxlayers.metrics import Features
        >>> mean = Features("mean_color", lambda _, images: (images.mean((1, 2)), None), size=1)
        >>> images = np.random.default_rng(0).random((50, 28, 28, 1))
        >>> scores = SampleScores(mean, images[:40], images[40:], samples=64)
        >>> list(scores.validation_scores())
        ['mean_color_frechet_distance']
    """

    def __init__(
        self,
        features: Features,
        real: Any,
        validation: Any = None,
        *,
        samples: int = 5000,
        scores: Sequence[str] | None = None,
        seed: int = 0,
    ) -> None:
        if scores is None and isinstance(features, Features):
            stacked = isinstance(real, Dataset) and real.channel_source is not None
            of_classes = ["classes", "modes"] if stacked else ["classes"]
            scores = ["frechet_distance", *(of_classes if features.classes else [])]
        images = _images(real)
        self.samples = fields.PositiveInteger().check("SampleScores", "samples", samples)
        self._image_scores = ImageScores(
            features, images, samples=samples, scores=scores, seed=seed
        )
        self._real_count, self._real_labels = len(images), _labels(real)
        self._validation = validation
        self._scored_validation: ScoredImages | None = None
        self._key = jax.random.key(seed)
        self._compiled: tuple[Any, Any] = (None, None)

    @property
    def features(self) -> Features:
        """The features that are compared."""
        return self._image_scores.features

    def names(self, task: Any) -> tuple[str, ...]:
        """Returns the names of the scores of a task.

        Args:
            task: A task that generates images.

        Raises:
            TypeError: If it does not.
        """
        if not isinstance(task, Samples):
            raise TypeError(
                "SampleScores: task must have a method sample(train_state, key, n), like GAN, got "
                f"{type(task).__name__}"
            )
        return self._image_scores.names(self._has_labels(task))

    def __call__(self, task: Any, train_state: TrainState) -> dict[str, float]:
        """Returns the scores of images that a task generates, by name.

        Args:
            task: A task that generates images.
            train_state: Its state.

        Raises:
            TypeError: If the task does not generate images.
            ValueError: If the images have another shape than the real ones.
        """
        return self.scored(task, train_state).scores

    def scored(self, task: Any, train_state: TrainState) -> ScoredImages:
        """Returns the scores of images that a task generates, and the fraction of each class.

        Args:
            task: As in `__call__`.
            train_state: As in `__call__`.

        Raises:
            TypeError, ValueError: As in `__call__`.
        """
        self.names(task)
        images, labels = self._generate(task, train_state)
        return self._image_scores(images, labels if self._has_labels(task) else None)

    def of_generator(
        self, generator: Layer, params: Params, state: State, classes: int | None = None
    ) -> ScoredImages:
        """Returns the scores of images of a trained generator, such as one from `runs.load`.

        Args:
            generator: A generator of a `GAN`.
            params: Its params.
            state: Its state.
            classes: The number of classes of the GAN; None for a GAN without labels.

        Raises:
            ValueError: If it does not map latent vectors, and labels if there are classes, to
                images of the shape of the real ones.
        """
        task = _TrainedGenerator(generator, classes)
        return self.scored(task, TrainState(params, state, {}, jnp.zeros((), jnp.int32), self._key))

    def validation_scores(self) -> dict[str, float]:
        """Returns the scores of the validation images; empty if there are none."""
        scored = self._of_validation()
        return {} if scored is None else scored.scores

    def table(
        self,
        scored: ScoredImages,
        step: int | None = None,
        class_names: Sequence[str] | None = None,
    ) -> ScoreTable:
        """Returns the content of `scores.json`.

        Args:
            scored: The scores of generated images.
            step: The step after which they were generated; None if it is not known.
            class_names: Names of the classes; None for their numbers.
        """
        validation = self._of_validation()
        return ScoreTable(
            features=self.features.name,
            samples=scored.images,
            scores=scored.scores,
            real=self._real_count,
            validation=0 if validation is None else validation.images,
            validation_scores={} if validation is None else validation.scores,
            step=step,
            class_fractions=_by_class(scored, class_names),
            validation_class_fractions=_by_class(validation, class_names),
        )

    def of_images(self, images: Any) -> ScoredImages:
        """Returns the scores of given images.

        Args:
            images: Generated images, as in `metrics.ImageScores`.

        Raises:
            TypeError, ValueError: As in `metrics.ImageScores`.
        """
        return self._image_scores(images)

    def _of_validation(self) -> ScoredImages | None:
        if self._validation is not None and self._scored_validation is None:
            images = evenly_spaced(_images(self._validation), self.samples)
            labels = _labels(self._validation).get(self.features.classes)
            self._scored_validation = self._image_scores(
                images, None if labels is None else evenly_spaced(labels, self.samples)
            )
        return self._scored_validation

    def _has_labels(self, task: Any) -> bool:
        """Returns whether the classes of a task are those of the features."""
        classes = task.classes if isinstance(task, SamplesByClass) else None
        return classes is not None and classes == self.features.classes

    def _generate(self, task: Any, train_state: TrainState) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns images and, for a task with classes, the class of each."""
        sample = self._sample_function(task)
        starts = range(0, self.samples, _BATCH_SIZE)
        keys = [jax.random.fold_in(self._key, number) for number in range(len(starts))]
        labels = None
        if isinstance(task, SamplesByClass) and task.classes is not None:
            labels = np.resize(self._classes(task.classes), len(starts) * _BATCH_SIZE)
        batches = []
        for start, key in zip(starts, keys, strict=True):
            batch = () if labels is None else (labels[start : start + _BATCH_SIZE],)
            batches.append(np.asarray(sample(train_state, key, _BATCH_SIZE, *batch)))
        images = np.concatenate(batches)[: self.samples]
        return images, None if labels is None else labels[: self.samples]

    def _classes(self, classes: int) -> np.ndarray:
        """Returns the class of each image to generate, in the proportions of the real images."""
        labels = self._real_labels.get(classes)
        if labels is None:
            return np.arange(self.samples) % classes
        positions = (np.arange(self.samples) + 0.5) * (len(labels) / self.samples)
        chosen: np.ndarray = np.sort(labels)[positions.astype(int)]
        return chosen

    def _sample_function(self, task: Any) -> Any:
        """Returns the compiled method of a task, which is compiled once per task."""
        if self._compiled[0] is not task:
            self._compiled = task, jax.jit(task.sample, static_argnums=2)
        return self._compiled[1]


@dataclass(frozen=True, eq=False)
class _TrainedGenerator:
    """A task that only generates images; the params and the state are those of the generator."""

    generator: Layer
    classes: int | None

    def __post_init__(self) -> None:
        shapes = self.generator.input_shape
        if shapes is None or are_several_shapes(shapes) != (self.classes is not None):
            inputs = "a latent vector" + ("" if self.classes is None else " and a label")
            raise ValueError(
                f"SampleScores: the generator must accept {inputs} per image, for "
                f"classes={self.classes}, got a model with the input shape {shapes}"
            )

    def sample(self, train_state: TrainState, key: Array, n: int, labels: Any = None) -> Array:
        shapes: Any = self.generator.input_shape
        latent_shape = shapes if labels is None else shapes[0]
        latents = uniform(key, n, latent_shape)
        inputs: Any = latents if labels is None else (latents, labels)
        images, _ = self.generator.apply(train_state.params, train_state.state, inputs)
        return to_unit(self.generator, images)


def _labels(data: Any) -> dict[int | None, np.ndarray]:
    """Returns the labels of a data set by its number of classes; empty for other data."""
    if not isinstance(data, Dataset) or data.labels is None:
        return {}
    names = data.class_names
    return {int(data.labels.max()) + 1 if names is None else len(names): data.labels}


def _images(data: Any) -> Any:
    return data.images if isinstance(data, Dataset) else data


def _by_class(scored: ScoredImages | None, names: Sequence[str] | None) -> dict[str, float]:
    if scored is None or scored.class_fractions is None:
        return {}
    fractions: list[float] = scored.class_fractions.tolist()
    if len(fractions) > _LISTED_CLASSES:
        return {}
    if names is None or len(names) != len(fractions):
        names = [str(number) for number in range(len(fractions))]
    return dict(zip(names, fractions, strict=True))
