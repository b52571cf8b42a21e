"""What every source of images becomes: one array of images and what is known about them."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from jaxlayers.data.arrays import as_images, as_labels


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images in memory, with their labels where there are any.

    Args:
        images: Uint8, `[N, height, width, channels]`, N at least 1, values 0 to 255. What
            `as_images` makes of integers is accepted: JAX arrays, lists, other integer dtypes.
        labels: Int32, `[N]`, from 0, or None where the source has none. Likewise, what
            `as_labels` accepts.
        class_names: What label 0, 1, ... stands for, or None where the source does not say.
        name: Short name of the source, for logs and pictures.
        background: Red, green and blue, 0 to 255, of what transparency was blended with by
            `load`; None where the images come from no image files. `read_image` needs the same
            for images that a model trained on these is applied to.

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
"""The splits that a source has by name, each loaded only when it is asked for."""


def concatenate(first: Dataset, second: Dataset) -> Dataset:
    """Returns the rows of `first`, then those of `second`, under the name of `first`.

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


def hold_out(dataset: Dataset, every: int = 5) -> tuple[Dataset, Dataset]:
    """Splits a data set into two, the second of every fifth image of each class.

    Which they are is fixed by their order alone.

    Args:
        dataset: With labels.
        every: One of how many goes into the second; at least 2.

    Raises:
        TypeError: If `data` is not a `Dataset`, or a number is not an integer.
        ValueError: If `every` is below 2, there are no labels, or a class has fewer than `every`
            images.
    """
    if not isinstance(dataset, Dataset):
        raise TypeError(f"hold_out: dataset must be a Dataset, got {type(dataset).__name__}")
    try:
        every = operator.index(every)
    except TypeError:
        raise TypeError(f"hold_out: every must be an integer, got {every!r}") from None
    if every < 2:
        raise ValueError(f"hold_out: every must be at least 2, got {every}")
    if dataset.labels is None:
        raise ValueError(
            f"hold_out: dataset {dataset.name!r} has no labels; a folder with a sub-folder of "
            "images for each class has them, and so has an .npz with labels"
        )
    held_out = np.zeros(len(dataset), bool)
    for label in np.unique(dataset.labels):
        rows = np.flatnonzero(dataset.labels == label)
        if len(rows) < every:
            name = dataset.class_names[label] if dataset.class_names else label
            raise ValueError(
                f"hold_out: class {name} of dataset {dataset.name!r} has {len(rows)} images; one "
                f"of {every} is held out for validation, so that each class needs at least {every}"
            )
        held_out[rows[every - 1 :: every]] = True
    kept, out = (
        replace(dataset, images=dataset.images[rows], labels=dataset.labels[rows])
        for rows in (~held_out, held_out)
    )
    return kept, out


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
