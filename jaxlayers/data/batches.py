"""Shuffled batches, as a pure function of the seed and the step."""

import functools
import itertools
import operator
from collections.abc import Iterator
from typing import overload

import numpy as np

from jaxlayers.data.dataset import Dataset

Arrays = tuple[np.ndarray, ...]


@overload
def batches(
    data: Dataset | np.ndarray,
    batch_size: int,
    *,
    seed: int,
    start: int = 0,
    drop_remainder: bool = True,
) -> Iterator[np.ndarray]: ...


@overload
def batches(
    data: Arrays, batch_size: int, *, seed: int, start: int = 0, drop_remainder: bool = True
) -> Iterator[Arrays]: ...


def batches(
    data: Dataset | np.ndarray | Arrays,
    batch_size: int,
    *,
    seed: int,
    start: int = 0,
    drop_remainder: bool = True,
) -> Iterator[np.ndarray | Arrays]:
    """Iterates endlessly over shuffled batches.

    Every epoch is a new permutation, in which each row occurs at most once.

    Args:
        data: A data set, whose images are used; an array, `[N, ...]`; or a tuple of arrays of equal
            length, such as `(dataset.images, dataset.labels)`.
        batch_size: Number of rows per batch.
        seed: Seed of the order, not negative. The same seed gives the same batches.
        start: The first step. A run that is resumed at step `start` gets the same batches as an
            uninterrupted one.
        drop_remainder: Whether to drop the last batch of an epoch if it is smaller, so that all
            batches have the same shape.

    Returns:
        An iterator over arrays `[batch_size, ...]`, or over tuples of arrays if `data` is a tuple.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or there are fewer rows than one batch takes.

    Example:
        >>> images = np.zeros((100, 28, 28, 1), np.uint8)
        >>> next(batches(images, 32, seed=0)).shape
        (32, 28, 28, 1)
    """
    arrays = _arrays(data)
    start = check_integer("start", start, least=0)
    # Computed here, so that wrong arguments fail immediately and not at the first batch.
    indices_at(len(arrays[0]), batch_size, seed=seed, step=start, drop_remainder=drop_remainder)
    return (
        batch_at(data, batch_size, seed=seed, step=step, drop_remainder=drop_remainder)
        for step in itertools.count(start)
    )


@overload
def batch_at(
    data: Dataset | np.ndarray,
    batch_size: int,
    *,
    seed: int,
    step: int,
    drop_remainder: bool = True,
) -> np.ndarray: ...


@overload
def batch_at(
    data: Arrays, batch_size: int, *, seed: int, step: int, drop_remainder: bool = True
) -> Arrays: ...


def batch_at(
    data: Dataset | np.ndarray | Arrays,
    batch_size: int,
    *,
    seed: int,
    step: int,
    drop_remainder: bool = True,
) -> np.ndarray | Arrays:
    """Returns the batch of `batches` at a step.

    Args:
        data: As in `batches`.
        batch_size: As in `batches`.
        seed: As in `batches`.
        step: The number of the step, counted from 0 over all epochs.
        drop_remainder: As in `batches`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or there are fewer rows than one batch takes.

    Example:
        >>> images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
        >>> sorted(int(p) for s in (0, 1) for p in batch_at(images, 3, seed=0, step=s).flat)
        [0, 1, 2, 3, 4, 5]
    """
    arrays = _arrays(data)
    rows = indices_at(
        len(arrays[0]), batch_size, seed=seed, step=step, drop_remainder=drop_remainder
    )
    if isinstance(data, tuple):
        return tuple(array[rows] for array in arrays)
    batch: np.ndarray = arrays[0][rows]
    return batch


def indices_at(
    count: int, batch_size: int, *, seed: int, step: int, drop_remainder: bool = True
) -> np.ndarray:
    """Returns the indices of the rows of the batch at a step, int64, `[batch_size]`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or there are fewer rows than one batch takes.

    Example:
        >>> len(indices_at(10, 4, seed=0, step=2, drop_remainder=False))
        2
    """
    batch_size = check_integer("batch_size", batch_size, least=1)
    seed, step = check_integer("seed", seed, least=0), check_integer("step", step, least=0)
    if count < batch_size and drop_remainder:
        raise ValueError(
            f"batches: {count} rows do not fill one batch of batch_size={batch_size}; "
            "choose a smaller batch_size, or drop_remainder=False"
        )
    if not isinstance(drop_remainder, bool):
        raise TypeError(f"batches: drop_remainder must be True or False, got {drop_remainder!r}")
    per_epoch = count // batch_size if drop_remainder else -(-count // batch_size)
    epoch, position = divmod(step, per_epoch)
    start = position * batch_size
    return _permutation(count, seed, epoch)[start : start + batch_size]


# All steps of an epoch use one permutation; two are cached for two alternating iterators.
@functools.lru_cache(maxsize=2)
def _permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    order = np.random.default_rng([seed, epoch]).permutation(count)
    order.flags.writeable = False
    return order


def _arrays(data: Dataset | np.ndarray | Arrays) -> Arrays:
    arrays = data if isinstance(data, tuple) else (_images(data),)
    if not arrays or not all(isinstance(array, np.ndarray) and array.ndim for array in arrays):
        raise TypeError(
            "batches: data must be a Dataset, an array [N, ...] or a tuple of such arrays, "
            f"got {_kind(data)}"
        )
    lengths = {len(array) for array in arrays}
    if lengths == {0}:
        raise ValueError("batches: data has no rows")
    if len(lengths) > 1:
        raise ValueError(
            "batches: the arrays of data must have equal lengths, "
            f"got {', '.join(str(len(array)) for array in arrays)}"
        )
    return arrays


def _images(data: Dataset | np.ndarray) -> np.ndarray:
    return data.images if isinstance(data, Dataset) else data


def _kind(data: object) -> str:
    if isinstance(data, tuple):
        return f"a tuple of {', '.join(type(array).__name__ for array in data) or 'nothing'}"
    return "an array without axes" if isinstance(data, np.ndarray) else type(data).__name__


def check_integer(name: str, value: int, least: int, where: str = "batches") -> int:
    """Checks that a value is an integer of any type, such as NumPy's, and returns an int.

    Raises:
        TypeError: If it is not an integer, or is a bool.
        ValueError: If the number is below `least`.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{where}: {name} must be an integer, got {value!r}") from None
    if number < least:
        raise ValueError(f"{where}: {name} must be at least {least}, got {number}")
    return number
