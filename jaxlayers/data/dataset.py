"""The class of data sets in memory."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from jaxlayers.data.arrays import as_images, as_labels


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images in memory, with optional labels.

    Args:
        images: Uint8, `[N, height, width, channels]`, N at least 1, values 0 to 255. Integers that
            `as_images` accepts are converted: JAX arrays, lists, other integer dtypes.
        labels: Int32, `[N]`, from 0; None for no labels. Anything that `as_labels` accepts is
            converted.
        class_names: Names of the classes 0, 1, ...; None if they are not known.
        name: Short name of the source, for logs and plots.
        background: The color, (red, green, blue) from 0 to 255, that `load` blended transparent
            pixels with; None if the images are not from image files. Pass the same to `read_image`
            for a model that is trained on these images.
        channel_source: The images with one channel, and their labels, that the channels of these
            images are, if they were made by `stacked`; otherwise None.

    Raises:
        TypeError: If a field has the wrong type, or images are floating point.
        ValueError: If a shape, a length, a range of values or a label does not fit the rest.

    Example:
        >>> import numpy as np
        >>> Dataset(np.zeros((2, 28, 28, 1), np.uint8), None, None, "blank")
        Dataset('blank': 2 images of 28 x 28 x 1, no labels)
    """

    images: np.ndarray
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None
    name: str
    background: tuple[int, int, int] | None = None
    channel_source: "Dataset | None" = None

    def __post_init__(self) -> None:
        images = as_images(self.images, "Dataset")
        if images.dtype != np.uint8:
            raise TypeError(
                f"Dataset: images must be uint8, 0 to 255, got {images.dtype}; convert them "
                "by np.rint(images * 255).astype(np.uint8), or train on the arrays themselves: "
                "fit takes (images, labels)"
            )
        object.__setattr__(self, "images", images)
        names = self.class_names
        if names is not None and not (
            isinstance(names, tuple) and all(isinstance(name, str) for name in names)
        ):
            raise TypeError(f"Dataset: class_names must be a tuple of str or None, got {names!r}")
        if not isinstance(self.name, str):
            raise TypeError(f"Dataset: name must be a str, got {self.name!r}")
        if self.labels is not None:
            labels = as_labels(self.labels, "Dataset")
            _check_labels(labels, len(images), names)
            object.__setattr__(self, "labels", labels)

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
"""The splits of a source by name, each loaded on demand."""


def concatenate(first: Dataset, second: Dataset) -> Dataset:
    """Concatenates two data sets under the name of the first.

    Raises:
        ValueError: If the images differ in size, only one of the two has labels, or the labels
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
    return replace(first, images=images, labels=labels)


def split_validation(dataset: Dataset, every: int = 5) -> tuple[Dataset, Dataset]:
    """Splits a data set into training and validation data, by default 4/5 and 1/5 of each class.

    The split is deterministic: every fifth image of each class is used for validation.

    Args:
        dataset: A data set with labels.
        every: Number of images of a class per validation image; at least 2.

    Raises:
        TypeError: If `dataset` is not a `Dataset`, or `every` is not an integer.
        ValueError: If `every` is below 2, there are no labels, or a class has fewer than `every`
            images.
    """
    if not isinstance(dataset, Dataset):
        raise TypeError(
            f"split_validation: dataset must be a Dataset, got {type(dataset).__name__}"
        )
    try:
        every = operator.index(every)
    except TypeError:
        raise TypeError(f"split_validation: every must be an integer, got {every!r}") from None
    if every < 2:
        raise ValueError(f"split_validation: every must be at least 2, got {every}")
    if dataset.labels is None:
        raise ValueError(
            f"split_validation: dataset {dataset.name!r} has no labels; a folder with a sub-folder "
            "of images for each class has them, and so has an .npz with labels"
        )
    is_validation = np.zeros(len(dataset), bool)
    for label in np.unique(dataset.labels):
        rows = np.flatnonzero(dataset.labels == label)
        if len(rows) < every:
            name = dataset.class_names[label] if dataset.class_names else label
            raise ValueError(
                f"split_validation: class {name} of dataset {dataset.name!r} has {len(rows)} "
                f"images; one of {every} is used for validation, so that each class needs at least "
                f"{every}"
            )
        is_validation[rows[every - 1 :: every]] = True
    training, validation = (
        replace(dataset, images=dataset.images[rows], labels=dataset.labels[rows])
        for rows in (~is_validation, is_validation)
    )
    return training, validation


def _check_labels(labels: np.ndarray, count: int, class_names: tuple[str, ...] | None) -> None:
    if labels.shape != (count,):
        raise ValueError(
            f"Dataset: labels must be one per image, shape ({count},), got shape {labels.shape}"
        )
    if class_names is not None and labels.max() >= len(class_names):
        raise ValueError(
            f"Dataset: labels must be from 0 to {len(class_names) - 1}, because there are "
            f"{len(class_names)} class_names, got {labels.max()}"
        )
