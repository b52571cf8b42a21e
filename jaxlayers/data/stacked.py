"""Images whose channels are images of another data set, such as Stacked-MNIST."""

import functools
import itertools
from collections.abc import Callable

import numpy as np

from jaxlayers.data.batches import check_integer
from jaxlayers.data.dataset import Dataset, Splits

_CHANNELS = 3
# Images that are copied at a time, so that little memory is needed besides the result.
_CHUNK = 4096


def stacked(dataset: Dataset, n: int = 128_000, seed: int = 0) -> Dataset:
    """Stacks random images of a data set as the three channels of color images.

    The three images are drawn independently and with replacement. With ten classes there are 1,000
    combinations of classes, which are nearly equally frequent if the classes are. They are the
    modes of the distribution, which `metrics.captured_modes` counts in generated images.

    Args:
        dataset: Images with one channel.
        n: Number of images to return. In papers, a GAN is trained on 128,000 images and evaluated
            with 26,000 samples.
        seed: Seed of the random numbers, not negative.

    Returns:
        Images `[n, height, width, 3]`. The label of the classes `a`, `b` and `c` of the red, green
        and blue channel is `(a * classes + b) * classes + c`: of digits, the number with these
        three digits. There are no labels if `dataset` has none. Its `channel_source` is `dataset`.

    Raises:
        TypeError: If `dataset` is not a `Dataset`, or a number is not an integer.
        ValueError: If the images do not have one channel, or a number is out of range.

    Reference:
        Metz et al., 2017, https://arxiv.org/abs/1611.02163; 128,000 images: Srivastava et al.,
        2017, https://arxiv.org/abs/1705.07761

    Example:
        >>> images = np.zeros((2, 28, 28, 1), np.uint8)
        >>> digits = Dataset(images, [3, 7], tuple("0123456789"), "two")
        >>> stacked(digits, n=100)
        Dataset('stacked-two': 100 images of 28 x 28 x 3, 1000 classes)
        >>> np.unique(stacked(digits, n=100).labels).tolist()
        [333, 337, 373, 377, 733, 737, 773, 777]
    """
    if not isinstance(dataset, Dataset):
        raise TypeError(f"stacked: dataset must be a Dataset, got {type(dataset).__name__}")
    if dataset.image_shape[-1] != 1:
        raise ValueError(f"stacked: dataset must be images with one channel, got {dataset}")
    n = check_integer("n", n, least=1, where="stacked")
    seed = check_integer("seed", seed, least=0, where="stacked")
    rows = np.random.default_rng(seed).integers(len(dataset), size=(n, _CHANNELS))
    images = np.empty((n, *dataset.image_shape[:-1], _CHANNELS), np.uint8)
    for start in range(0, n, _CHUNK):
        chunk = slice(start, start + _CHUNK)
        for channel in range(_CHANNELS):
            images[chunk, ..., channel] = dataset.images[rows[chunk, channel], ..., 0]
    labels, class_names = None, None
    if dataset.labels is not None:
        names = dataset.class_names
        classes = len(names) if names else int(dataset.labels.max()) + 1
        digits = classes ** np.arange(_CHANNELS)[::-1]
        labels = dataset.labels[rows] @ digits
        class_names = None if names is None else _combinations(names)
    name = f"stacked-{dataset.name}"
    return Dataset(images, labels, class_names, name, dataset.background, dataset)


def stacked_splits(splits: Splits, train: int, test: int) -> Splits:
    """Returns training and test images that are stacked from those of another source.

    Args:
        splits: The splits of the source, which include `train` and `test`.
        train: Number of training images.
        test: Number of test images.
    """

    def load(split: Callable[[], Dataset], n: int) -> Dataset:
        return stacked(split(), n)

    sizes = {"train": train, "test": test}
    return {name: functools.partial(load, splits[name], n) for name, n in sizes.items()}


def _combinations(names: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the names of all combinations of classes: 000 to 999 for digits."""
    separator = "" if all(len(name) == 1 for name in names) else ", "
    return tuple(map(separator.join, itertools.product(names, repeat=_CHANNELS)))
