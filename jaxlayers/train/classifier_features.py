"""Features of a classifier that is trained once per data set."""

import hashlib
import io
import itertools
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from jax import Array

from jaxlayers._files import cache_folder, write_atomically
from jaxlayers.data import Dataset, batches
from jaxlayers.layer import Layer, Params, State
from jaxlayers.metrics.features import Features
from jaxlayers.metrics.modes import stacked_features
from jaxlayers.models import cnn
from jaxlayers.runs.names import named
from jaxlayers.runs.terminal import print_line
from jaxlayers.train.augmentation import Shift
from jaxlayers.train.classifier import Classifier

_BATCH_SIZE = 64
_EPOCHS = 20
# One minute to two minutes on two CPU cores for images of 28 x 28 pixels.
_MAX_STEPS = 4000
_LEARNING_RATE = 2e-3
_WIDTH, _HIDDEN = 16, 128
# Changed whenever the same data, model and versions would give another classifier.
_RECIPE = 1


def classifier_features(
    dataset: Dataset,
    *,
    cache: str | Path | None = None,
    steps: int | None = None,
    verbose: bool = True,
) -> Features:
    """Returns the features of a convolutional classifier that is trained on a data set.

    The classifier is `models.cnn.lenet`; its features are the inputs of the last layer. It is
    trained once per data set, with a fixed seed, and stored in a file. The name of the file depends
    on the images, the labels, the model and the version of this package and of JAX. A file that is
    damaged is replaced. Several processes may call this function at the same time.

    For images made by `data.stacked`, it is the classifier of the images that their channels are,
    applied to each channel, as in `metrics.stacked_features`.

    Args:
        dataset: Images with labels, such as the training images of a GAN.
        cache: The folder of the file; None for `classifiers` in the cache folder, which is
            `~/.cache/jaxlayers` unless the environment variable `JAXLAYERS_CACHE` names another.
        steps: Number of training steps of 64 images; None for 20 epochs, at most 4,000 steps.
        verbose: Whether to print a line before a training.

    Returns:
        The features `"classifier"`, 128 per image, with the logits of the classes.

    Raises:
        TypeError: If `dataset` is not a `Dataset`.
        ValueError: If the data set has no labels, or fewer than two classes; or if the images are
            smaller than 4 x 4.
        OSError: If the cache cannot be written.

    Example:
        >>> from jaxlayers import data
        >>> digits = data.load("mnist-5k")  # doctest: +SKIP
        >>> features = classifier_features(digits)  # doctest: +SKIP
        >>> features(digits.images[:3]).shape  # doctest: +SKIP
        (3, 128)
    """
    classes = _classes(dataset)
    if dataset.channel_source is not None:
        channel = classifier_features(
            dataset.channel_source, cache=cache, steps=steps, verbose=verbose
        )
        return stacked_features(channel, dataset.image_shape[-1])
    model = cnn.lenet(dataset.image_shape, classes, _WIDTH, _HIDDEN)
    count = len(dataset)
    if steps is None:
        steps = min(_MAX_STEPS, -(-_EPOCHS * count // _BATCH_SIZE))
    folder = cache_folder() / "classifiers" if cache is None else Path(cache)
    path = folder / f"{_digest(dataset, model, steps)}.npz"
    weights = read_weights(path, model)
    if weights is None:
        _make(folder)
        if verbose:
            print_line(
                f"training a classifier of {dataset.name} for the scores, {steps} steps; "
                f"it is stored in {folder}"
            )
        weights = _train(model, dataset, steps)
        _write(path, weights)
    body, head = model[:-1], model[-1:].logits()

    def outputs(weights: tuple[Params, State], images: Array) -> tuple[Array, Array]:
        features, _ = body.apply(*weights, images)
        logits, _ = head.apply(*weights, features)
        return features, logits

    return Features(
        "classifier", outputs, _HIDDEN, classes, weights, image_shape=dataset.image_shape
    )


def _classes(dataset: Any) -> int:
    """Returns the number of classes of a data set, after checking that it has labels."""
    if not isinstance(dataset, Dataset):
        raise TypeError(
            f"classifier_features: dataset must be a Dataset, got {type(dataset).__name__}"
        )
    others = (
        "use the features of another network instead: interop.keras.features(path), or "
        "interop.keras.inception_features(path) for color images"
    )
    if dataset.labels is None:
        raise ValueError(f"classifier_features: dataset {dataset.name!r} has no labels; {others}")
    classes = len(dataset.class_names or range(int(dataset.labels.max()) + 1))
    if classes < 2:
        raise ValueError(
            f"classifier_features: dataset {dataset.name!r} must have at least two classes, got "
            f"{classes}; {others}"
        )
    return classes


def _digest(dataset: Dataset, model: Any, steps: int) -> str:
    from jaxlayers import __version__

    digest = hashlib.sha256()
    described = (_RECIPE, __version__, jax.__version__, model, steps, dataset.images.shape)
    digest.update(repr(described).encode())
    digest.update(np.ascontiguousarray(dataset.images).data)
    assert dataset.labels is not None
    digest.update(np.ascontiguousarray(dataset.labels).data)
    return digest.hexdigest()[:32]


def _train(model: Any, dataset: Dataset, steps: int) -> tuple[Params, State]:
    """Trains the classifier; on one device, so that every process can do it alone."""
    schedule = optax.cosine_decay_schedule(_LEARNING_RATE, steps)
    shift = Shift(max(1, round(min(dataset.image_shape[:2]) / 14)))
    task = Classifier(model, optax.adam(schedule), augmentations=(shift,))
    train_state = task.init(jax.random.key(0))
    step = jax.jit(task.step, donate_argnums=0)
    images, labels = task.rows(dataset)
    batch_size = min(_BATCH_SIZE, len(images))
    for batch in itertools.islice(batches((images, labels), batch_size, seed=0), steps):
        train_state, _ = step(train_state, batch)
    params, state = jax.device_get((train_state.params, train_state.state))
    return params, state


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"the cache folder {folder} cannot be created ({error}); "
            "set JAXLAYERS_CACHE to a writable one"
        ) from error


def _write(path: Path, weights: tuple[Params, State]) -> None:
    """Writes weights, followed by their checksum."""
    content = io.BytesIO()
    np.savez(content, **named(weights))
    with write_atomically(path) as file:
        file.write(content.getvalue() + hashlib.sha256(content.getvalue()).digest())


def read_weights(path: Path, model: Layer) -> tuple[Params, State] | None:
    """Returns the weights in a file of the cache.

    Args:
        path: The file.
        model: The classifier, whose weights they are.

    Returns:
        The params and the state; None if there is no file, or it is damaged.
    """
    if not path.is_file():
        return None
    content = path.read_bytes()
    size = hashlib.sha256().digest_size
    if hashlib.sha256(content[:-size]).digest() != content[-size:]:
        return None
    like = jax.eval_shape(lambda: model.init(jax.random.key(0), model.input_shape or ()))
    with np.load(io.BytesIO(content[:-size]), allow_pickle=False) as arrays:
        leaves = [arrays[name] for name in named(like)]
    weights: tuple[Params, State] = jax.tree.unflatten(jax.tree.structure(like), leaves)
    return weights
