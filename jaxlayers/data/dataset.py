"""What every source of images becomes: one array of images and what is known about them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images in memory, with their labels where there are any.

    Args:
        images: uint8, `[N, height, width, channels]`, N at least 1, values 0 to 255.
        labels: int32, `[N]`, or None where the source has none.
        class_names: What label 0, 1, ... stands for, or None where the source does not say.
        name: Short name of the source, for logs and pictures.

    Raises:
        TypeError: A field has the wrong type or dtype.
        ValueError: A shape, a length or a label does not fit the rest.

    Example:
        >>> import numpy as np
        >>> Dataset(np.zeros((2, 28, 28, 1), np.uint8), None, None, "blank")
        Dataset('blank': 2 images of 28 x 28 x 1, no labels)
    """

    images: np.ndarray
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None
    name: str

    def __post_init__(self) -> None:
        _check_images(self.images)
        if self.class_names is not None and not isinstance(self.class_names, tuple):
            raise TypeError(
                f"Dataset: class_names must be a tuple of str or None, got {self.class_names!r}"
            )
        if self.labels is not None:
            _check_labels(self.labels, len(self.images), self.class_names)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """`(height, width, channels)` of every image."""
        return self.images.shape[1:]

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.images.shape[1:]))
        if self.labels is None:
            labels = "no labels"
        elif self.class_names is None:
            labels = f"labels {self.labels.min()} to {self.labels.max()}"
        else:
            labels = f"{len(self.class_names)} classes"
        return f"Dataset({self.name!r}: {len(self)} images of {size}, {labels})"


Splits = Mapping[str, Callable[[], Dataset]]
"""The splits that a source has by name, each loaded only when it is asked for."""


def concatenate(first: Dataset, second: Dataset) -> Dataset:
    """Returns the rows of `first`, then those of `second`, under the name of `first`.

    Raises:
        ValueError: The images differ in size, or only one of the two has labels, or the labels
            stand for different classes.
    """
    if first.images.shape[1:] != second.images.shape[1:]:
        raise ValueError(
            f"{first.name}: images of shape {first.images.shape[1:]} and {second.images.shape[1:]} "
            "do not make one data set; load one split at a time, or give a size"
        )
    if first.class_names != second.class_names:
        raise ValueError(
            f"{first.name}: classes {first.class_names} and {second.class_names} differ; "
            "load one split at a time"
        )
    if first.labels is None and second.labels is None:
        labels = None
    elif first.labels is not None and second.labels is not None:
        labels = np.concatenate([first.labels, second.labels])
    else:
        raise ValueError(
            f"{first.name}: one split has labels, the other has none; load one split at a time"
        )
    images = np.concatenate([first.images, second.images])
    return Dataset(images, labels, first.class_names, first.name)


def hold_out(dataset: Dataset, every: int = 5) -> tuple[Dataset, Dataset]:
    """Returns a data set without every fifth image of each class, and these.

    Which they are is fixed by their order alone.

    Args:
        dataset: with labels.
        every: one of how many is held out.

    Raises:
        ValueError: There are no labels, or there is a class of so few images that none would be
            held out.
    """
    if dataset.labels is None:
        raise ValueError(
            f"{dataset.name}: has no labels; a folder with a sub-folder of images for each class "
            "has them, and so has an .npz with labels"
        )
    held_out = np.zeros(len(dataset), bool)
    for label in np.unique(dataset.labels):
        rows = np.flatnonzero(dataset.labels == label)
        if len(rows) < every:
            name = dataset.class_names[label] if dataset.class_names else label
            raise ValueError(
                f"{dataset.name}: class {name} has {len(rows)} images; one of {every} is held out "
                f"for testing, so that each class needs at least {every}"
            )
        held_out[rows[every - 1 :: every]] = True
    kept, out = (
        Dataset(dataset.images[rows], dataset.labels[rows], dataset.class_names, dataset.name)
        for rows in (~held_out, held_out)
    )
    return kept, out


def _check_images(images: np.ndarray) -> None:
    if not isinstance(images, np.ndarray):
        raise TypeError(f"Dataset: images must be a NumPy array, got {type(images).__name__}")
    if images.dtype != np.uint8:
        raise TypeError(f"Dataset: images must be uint8, got {images.dtype}")
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(
            "Dataset: images must be [N, height, width, channels], none of them zero, "
            f"got shape {images.shape}"
        )


def _check_labels(labels: np.ndarray, count: int, class_names: tuple[str, ...] | None) -> None:
    if not isinstance(labels, np.ndarray):
        raise TypeError(f"Dataset: labels must be a NumPy array, got {type(labels).__name__}")
    if labels.dtype != np.int32:
        raise TypeError(f"Dataset: labels must be int32, got {labels.dtype}")
    if labels.shape != (count,):
        raise ValueError(
            f"Dataset: {count} images need labels of shape ({count},), got {labels.shape}"
        )
    if class_names is not None and not (labels.min() >= 0 and labels.max() < len(class_names)):
        raise ValueError(
            f"Dataset: labels run from {labels.min()} to {labels.max()}, "
            f"but {len(class_names)} class names allow 0 to {len(class_names) - 1}"
        )
