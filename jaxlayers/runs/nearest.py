"""Nearest training images of generated images: whether a generator has memorized them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxlayers import _fields as fields

# Values that are in memory at a time, for each of several arrays: 16 MiB.
_CHUNK = 2**22
_GRAY = 0.5

Features = Callable[[Any], Any]


class Neighbors(NamedTuple):
    """The nearest references of each query, the nearest first."""

    indices: np.ndarray  # [queries, k]
    distances: np.ndarray  # [queries, k], Euclidean, float64


def nearest(
    queries: Any, references: Any, k: int = 1, *, features: Features | None = None
) -> Neighbors:
    """Returns the nearest references of each query, such as training images of samples.

    The neighbors are found by distances computed in float32. The distances that are returned are
    those of the neighbors in float64.

    Args:
        queries: [queries, ...], such as generated images [samples, height, width, channels]. Values
            of uint8 are divided by 255.
        references: Likewise, such as all training images, with the same shape of one example. A
            part of them is converted at a time, so that data sets of any size can be uint8.
        k: Number of neighbors, from 1 to the number of references.
        features: A function from a batch of images to features, [batch, features], that are
            compared instead of pixels.

    Returns:
        The neighbors.

    Raises:
        ValueError: If an array is empty, the shapes differ, or `k` is out of range.

    Example:
        >>> nearest(np.array([[0.0], [5.0]]), np.array([[1.0], [4.0], [9.0]]), k=2).indices.tolist()
        [[0, 1], [1, 0]]
    """
    queries, references = np.asarray(queries), np.asarray(references)
    if not queries.size or not references.size or queries.shape[1:] != references.shape[1:]:
        raise ValueError(
            "nearest: queries and references must have at least one example each, of the same "
            f"shape, got shapes {queries.shape} and {references.shape}"
        )
    k = fields.Integer(at_least=1, at_most=len(references)).check("nearest", "k", k)
    points = _points(queries, features)
    size = max(1, _CHUNK // max(points.shape[1], len(points), references[0].size))
    indices: np.ndarray = np.zeros((len(points), 0), np.int64)
    distances: np.ndarray = np.zeros((len(points), 0), np.float32)
    # The distances of nearby points are more accurate if the points are near the origin.
    origin = points.mean(0)
    for start in range(0, len(references), size):
        others = _points(references[start : start + size], features) - origin
        new = _squared_distances(points - origin, others)
        numbers = np.broadcast_to(np.arange(start, start + len(others)), new.shape)
        indices = np.concatenate([indices, numbers], 1)
        distances = np.concatenate([distances, new], 1)
        order = np.argsort(distances, 1, kind="stable")[:, :k]
        indices, distances = (np.take_along_axis(array, order, 1) for array in (indices, distances))
    # The features of all neighbors are computed in one call.
    unique, rows = np.unique(indices, return_inverse=True)
    found = references[unique] if features is None else _points(references[unique], features)
    pairs = zip(points, rows.reshape(indices.shape), strict=True)
    exact = np.stack([_distances(point, _points(found[row], None)) for point, row in pairs])
    order = np.argsort(exact, 1, kind="stable")
    return Neighbors(np.take_along_axis(indices, order, 1), np.take_along_axis(exact, order, 1))


def nearest_others(
    references: Any, rows: np.ndarray, *, features: Features | None = None
) -> Neighbors:
    """Returns the nearest other reference of some of the references.

    These distances are what to compare those of generated images with: they are also the distances
    of new real images from the training images.

    Args:
        references: As in `nearest`; at least two.
        rows: The indices of the references that are queries, [queries].
        features: As in `nearest`.

    Returns:
        The neighbors, with k = 1.

    Raises:
        ValueError: As in `nearest`.
    """
    found = nearest(np.asarray(references)[rows], references, k=2, features=features)
    # With duplicates, the reference itself may be the second one.
    column = (found.indices[:, :1] == np.asarray(rows)[:, None]).astype(np.int64)
    return Neighbors(*(np.take_along_axis(array, column, 1) for array in found))


def data_copying(samples: np.ndarray, real: np.ndarray) -> float:
    """Returns the probability that a sample is nearer to the training images than a real image is.

    It is the statistic of the Mann-Whitney test, divided by the number of pairs. Without data
    copying it is 0.5 or less. Values close to 1 mean that the generator copies training images. A
    value far below 0.5 means that the samples are unlike real images. Distances in pixels are also
    small for blurred images, which are near to many others.

    Args:
        samples: The distance of each generated image to its nearest training image.
        real: The distance of real images to their nearest training image other than themselves.

    Returns:
        A number from 0 to 1; equal distances count half.

    Raises:
        ValueError: If an array is empty.

    Reference:
        Meehan et al., 2020, https://arxiv.org/abs/2004.05675

    Example:
        >>> data_copying(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
        0.875
    """
    samples, real = np.ravel(samples), np.ravel(real)
    if not samples.size or not real.size:
        raise ValueError(
            "data_copying: samples and real must have at least one distance each, "
            f"got {samples.size} and {real.size}"
        )
    ordered = np.sort(real)
    larger = len(ordered) - np.searchsorted(ordered, samples, "right")
    equal = len(ordered) - np.searchsorted(ordered, samples, "left") - larger
    return float((larger + equal / 2).mean() / len(ordered))


def side_by_side(images: np.ndarray, neighbors: np.ndarray, gap: int = 2) -> np.ndarray:
    """Returns one picture of images in two columns, each with its neighbors to the right of it.

    Args:
        images: [N, height, width, channels], values from 0 to 1.
        neighbors: [N, k, height, width, channels], likewise.
        gap: Pixels between neighbors. There are four times as many between an image and its
            neighbors, and eight times as many between the columns.

    Returns:
        [height of the picture, width of the picture, channels].
    """
    (count, height, width, channels), k = images.shape, neighbors.shape[1]
    rows = -(-count // 2)
    lefts = [0, *(width + 4 * gap + column * (width + gap) for column in range(k))]
    group = lefts[-1] + width
    columns = 2 if count > 1 else 1
    size = (rows * (height + gap) + gap, columns * (group + 8 * gap) - 6 * gap, channels)
    picture = np.full(size, _GRAY, np.float32)
    for index, row in enumerate(np.concatenate([images[:, None], neighbors], 1)):
        column, line = divmod(index, rows)
        top = gap + line * (height + gap)
        for left, image in zip(lefts, row, strict=True):
            start = gap + column * (group + 8 * gap) + left
            picture[top : top + height, start : start + width] = image
    return picture


def _points(examples: np.ndarray, features: Features | None) -> np.ndarray:
    """Returns examples, or their features, as float32, [examples, values]."""
    if features is None:
        scale = np.float32(1 / 255) if examples.dtype == np.uint8 else np.float32(1)
        values = examples.astype(np.float32) * scale
    else:
        values = np.asarray(features(examples), np.float32)
    return values.reshape(len(examples), -1)


def _squared_distances(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Returns squared distances, [rows, columns]; they may be negative by rounding."""
    sums = (rows * rows).sum(1)[:, None] + (columns * columns).sum(1)
    squared: np.ndarray = sums - 2 * rows @ columns.T
    return squared


def _distances(point: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns the distances of a point to others in float64."""
    distances: np.ndarray = np.linalg.norm(point.astype(np.float64) - others, axis=1)
    return distances
