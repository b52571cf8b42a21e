"""Streaming of images that do not fit into memory."""

import contextlib
import itertools
import weakref
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from jaxlayers.data import images
from jaxlayers.data.batches import check_integer, indices_at
from jaxlayers.data.decoding import SUFFIXES
from jaxlayers.data.listing import Listing, Reader, checksum, list_folder, list_zip

_AHEAD = 2  # number of batches that are decoded in advance
# Measured with JPEGs on two cores: one thread is faster up to 64 x 64, two from 96 x 96.
_SMALL = 80 * 80  # pixels of an image
_SAMPLE = 10  # number of files whose sizes are read


@dataclass(frozen=True)
class Streamed:
    """Image files in a folder or a zip file that are read while training.

    The files are listed at construction, and each is decoded whenever a batch needs it. The batches
    are those of `batches(load(path, size=size, labels=False), ...)`, in the same order.

    Args:
        path: A folder or a `.zip` of images, which can be at any depth.
        size: `(height, width)` in pixels that every image is resized to, as in `load`. Only
            required if the files differ in size.
        workers: Number of threads that decode two batches in advance; with 0, batches are decoded
            on demand. Pillow releases Python's lock, so that threads use several cores. Small
            images, for which Python holds its lock most of the time, are decoded by one thread.
        color_mode: As in `load`; required if the first image is grayscale and others are not.
        background: As in `load`.
        skip_unreadable: Whether to replace an image that cannot be decoded by the next one in the
            listing, with a warning instead of an error. Files are checked only when they are read.

    Raises:
        FileNotFoundError: If the path does not exist.
        ValueError: If it is not a folder or zip file of images, or a number is out of range.
        TypeError: If an argument has the wrong type.

    Example:
        >>> from PIL import Image
        >>> for value in range(8):
        ...     Image.new("L", (6, 4), value).save(f"{value}.png")
        >>> digits = Streamed(".", size=(8, 8))
        >>> len(digits), digits.image_shape
        (8, (8, 8, 1))
        >>> next(digits.batches(4, seed=0)).shape
        (4, 8, 8, 1)
    """

    path: str | Path
    size: Sequence[int] | None = None
    workers: int = 0
    color_mode: str | None = None
    background: str | Sequence[int] = "white"
    skip_unreadable: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.path, str | Path) or not self.path:
            raise TypeError(
                f"Streamed: path must be a str or a Path that is not empty, got {self.path!r}"
            )
        object.__setattr__(self, "path", Path(self.path).expanduser())
        options = self._options
        object.__setattr__(self, "size", options.size)
        object.__setattr__(self, "background", options.background)
        check_integer("workers", self.workers, least=0, where="Streamed")
        # Computed here, so that a wrong path fails immediately and not at the first batch.
        _ = self._listing

    def __len__(self) -> int:
        return len(self._listing.places)

    @property
    def name(self) -> str:
        """Short name of the source, for logs and plots, as in `Dataset`."""
        return self._listing.name

    @property
    def identity(self) -> str:
        """A description of everything besides size and seed that determines the batches."""
        options = f"{self.size} {self.color_mode} {self.background} {self.skip_unreadable}"
        return f"{len(self)} image files {checksum(self._listing):08x}, {options}"

    @cached_property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)` of every image, read from the first one.

        Raises:
            ValueError: If the first file is not a readable image.
            ImportError: If Pillow is not installed.
        """
        with contextlib.closing(Reader(self._listing)) as reader:
            height, width, channels = self._decode(reader, 0).shape
        return height, width, channels

    def batches(
        self,
        batch_size: int,
        *,
        seed: int,
        start: int = 0,
        process_index: int = 0,
        process_count: int = 1,
    ) -> Generator[np.ndarray, None, None]:
        """Iterates endlessly over shuffled batches.

        Every epoch is a new permutation, in which each image occurs at most once. Images that do
        not fill its last batch are skipped.

        Args:
            batch_size: Number of images per batch, over all processes.
            seed: Seed of the order, not negative. The same seed gives the same batches.
            start: The first step. A run that is resumed at step `start` gets the same batches as an
                uninterrupted one.
            process_index: Index of the part of every batch to read and return, of `process_count`
                equal parts: `jax.process_index()` in multi-process training.
            process_count: `jax.process_count()`. Concatenated, the parts are the batch of a single
                process.

        Returns:
            A generator of uint8 arrays, `[batch_size // process_count, height, width, channels]`.
            It raises a `ValueError` that names the file if one cannot be read, differs in size from
            the first, or is in color unlike the first. Its threads start with the first batch, and
            end when it is closed or garbage-collected.

        Raises:
            TypeError: If an argument has the wrong type.
            ValueError: If a number is out of range, there are fewer images than one batch takes, or
                the first file is not a readable image.
            ImportError: If Pillow is not installed.
        """
        batch_size = check_integer("batch_size", batch_size, least=1)
        if batch_size > len(self):
            raise ValueError(
                f"{self.path}: {len(self)} images do not fill one batch of "
                f"batch_size={batch_size}; choose a smaller batch_size"
            )
        start = check_integer("start", start, least=0)
        seed = check_integer("seed", seed, least=0)
        part = _part(batch_size, process_index, process_count)
        _ = self.image_shape
        rows = (
            indices_at(len(self), batch_size, seed=seed, step=step)[part]
            for step in itertools.count(start)
        )
        return self._decode_ahead(rows) if self.workers else self._decode_on_demand(rows)

    def _decode_on_demand(self, rows: Iterator[np.ndarray]) -> Generator[np.ndarray, None, None]:
        """Yields the batch of images for each array of indices in `rows`."""
        with contextlib.closing(Reader(self._listing)) as reader:
            for numbers in rows:
                batch = self._empty(numbers)
                self._fill(reader, batch, numbers)
                yield batch

    def _decode_ahead(self, rows: Iterator[np.ndarray]) -> Generator[np.ndarray, None, None]:
        """Yields the same batches, decoded in advance by threads."""
        pending: deque[tuple[np.ndarray, list[Future[None]]]] = deque()
        reader = Reader(self._listing)
        threads = self._thread_count(reader)
        pool = ThreadPoolExecutor(threads, thread_name_prefix="jaxlayers-decode")
        # At interpreter exit a finalizer runs before the modules that these need are unloaded.
        end = weakref.finalize(self, _end, pool, reader)
        try:
            for numbers in rows:
                batch = self._empty(numbers)
                # Each thread decodes a part of every batch. With one batch per thread there would
                # be as many batches in memory as threads.
                parts = [slice(first, None, threads) for first in range(threads)]
                futures = [pool.submit(self._fill, reader, batch[p], numbers[p]) for p in parts]
                pending.append((batch, futures))
                if len(pending) > _AHEAD:
                    batch, futures = pending.popleft()
                    for future in futures:
                        future.result()
                    yield batch
        finally:
            end()

    def _thread_count(self, reader: Reader) -> int:
        """Returns `workers`, or 1 for small images: threads would wait for one another."""
        sample = range(0, len(self), -(-len(self) // _SAMPLE))
        pixels = [images.pixel_count(reader, number) for number in sample]
        return 1 if sum(pixels) < _SMALL * len(pixels) else self.workers

    def _empty(self, numbers: np.ndarray) -> np.ndarray:
        return np.empty((len(numbers), *self.image_shape), np.uint8)

    def _fill(self, reader: Reader, batch: np.ndarray, numbers: np.ndarray) -> None:
        for image, number in zip(batch, numbers, strict=True):
            pixels = self._decode(reader, int(number))
            images.check_shape(self._listing, int(number), pixels.shape, self.image_shape)
            image[:] = pixels

    def _decode(self, reader: Reader, number: int) -> np.ndarray:
        """Returns the image at an index, or the next readable one if `skip_unreadable`."""
        errors: list[str] = []
        for place in range(number, number + len(self)):
            try:
                pixels = images.decode(reader, place % len(self), self._options)
            except images.UnreadableImageError as error:
                errors.append(str(error))
                if not self.skip_unreadable:
                    break
            else:
                if errors:
                    images.warn_of_skipped(self._listing, errors, "replaced by the next")
                return pixels
        raise images.unreadable(self._listing, errors)

    @cached_property
    def _options(self) -> images.Options:
        return images.check_options(
            "Streamed", self.size, self.background, self.skip_unreadable, self.color_mode
        )

    @cached_property
    def _listing(self) -> Listing:
        path = Path(self.path)
        if path.is_dir():
            listing = list_folder(path)
            if listing.places:
                return listing
            raise ValueError(
                f"{path}: the folder holds no images; these end in {', '.join(sorted(SUFFIXES))}"
            )
        if not path.exists():
            raise FileNotFoundError(
                f"Streamed: path {str(path)!r}: there is no such folder or .zip of images"
            )
        if path.suffix.lower() != ".zip":
            raise ValueError(
                f"{path}: a folder or a .zip of images can be streamed; load() reads other data"
            )
        return list_zip(path)


def _end(pool: ThreadPoolExecutor, reader: Reader) -> None:
    pool.shutdown(cancel_futures=True)
    reader.close()


def _part(batch_size: int, process_index: int, process_count: int) -> slice:
    process_count = check_integer("process_count", process_count, 1, "Streamed")
    process_index = check_integer("process_index", process_index, 0, "Streamed")
    if process_index >= process_count:
        raise ValueError(
            "Streamed: process_index must be at least 0 and less than process_count, "
            f"got {process_index} of {process_count}"
        )
    if batch_size % process_count:
        raise ValueError(
            f"Streamed: batch_size must be a multiple of process_count, so that every process has "
            f"an equal part; got {batch_size} for {process_count}"
        )
    rows = batch_size // process_count
    return slice(process_index * rows, (process_index + 1) * rows)
