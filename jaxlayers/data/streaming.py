"""Images that are read and decoded while training, where they do not fit into memory."""

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import threading
import weakref
from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from jaxlayers.data import images
from jaxlayers.data.batches import indices_at

_AHEAD = 2  # batches that each worker has ready


@dataclass(frozen=True)
class Streamed:
    """Image files in a folder or a zip file that are read while training.

    They are listed when this is made, and each is decoded anew whenever it is its turn. The
    batches are those of `batches(load(path, size=size), ...)`, in the same order.

    Args:
        path: A folder or a `.zip` of images, laid out as `load` has it.
        size: `(height, width)` in pixels to which every image is resized, as by `load`. Needed
            only where the files differ in size.
        workers: Processes that decode, each a batch at a time and two batches ahead; with 0 it is
            done in this process when a batch is asked for. Processes import the script that runs
            anew, which must therefore guard what it does by `if __name__ == "__main__":`.

    Raises:
        FileNotFoundError: There is nothing at that path.
        ValueError: No folder or zip file of images, or a number is out of its range.
        TypeError: An argument is of the wrong type.

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
    size: tuple[int, int] | None = None
    workers: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.path, str | Path) or not self.path:
            raise TypeError(
                f"Streamed: path must be a str or a Path that is not empty, got {self.path!r}"
            )
        object.__setattr__(self, "path", Path(self.path).expanduser())
        object.__setattr__(self, "size", _checked(self.size))
        if not isinstance(self.workers, int):
            raise TypeError(f"Streamed: workers must be an integer, got {self.workers!r}")
        if self.workers < 0:
            raise ValueError(f"Streamed: workers must be at least 0, got {self.workers}")
        # Asked for here, so that a wrong path fails now and not at the first batch.
        images.classes(self._listing)

    def __len__(self) -> int:
        return len(self._listing.places)

    @property
    def name(self) -> str:
        """Short name of the source, for logs and pictures, as `Dataset` has one."""
        return self._listing.name

    @cached_property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)` of every image, as the first one has it.

        Raises:
            ValueError: The first file is not a readable image.
            ImportError: Pillow is not installed.
        """
        with contextlib.closing(images.Reader(self._listing)) as reader:
            height, width, channels = images.decode(reader, 0, self.size).shape
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
        """Iterates over shuffled batches without end.

        Every epoch is a new permutation, so that each image comes at most once in it. The images
        that do not fill its last batch are left out of it.

        Args:
            batch_size: Images in a batch of all processes together.
            seed: Not negative. The same seed gives the same batches.
            start: The first step. A run that is resumed at step `s` gives `s` and gets the
                batches that it would have got without the break.
            process_index: Which of `process_count` equal parts of every batch to give, and to
                read: `jax.process_index()` where several machines train together.
            process_count: `jax.process_count()`. One after the other, the parts are the batch
                that a single process gives.

        Returns:
            A generator of uint8 arrays, `[batch_size // process_count, height, width, channels]`.
            It raises a `ValueError` that names the file where one cannot be read, or differs from
            the first in size or in being grey or coloured. Its workers start with the first
            batch, and end when it is closed or no longer referred to.

        Raises:
            TypeError: An argument is of the wrong type.
            ValueError: A number is out of its range, or there are fewer images than one batch
                takes, or the first file is not a readable image.
            ImportError: Grain or Pillow is not installed.
        """
        if isinstance(batch_size, int) and batch_size > len(self):
            raise ValueError(
                f"{self.path}: {len(self)} images do not fill one batch of "
                f"batch_size={batch_size}; choose a smaller batch_size"
            )
        indices_at(len(self), batch_size, seed=seed, step=start)
        part = _part(batch_size, process_index, process_count)
        parts = _Parts(self, batch_size, seed, start, part)
        return _stream(_grain(), parts, self.workers)

    @cached_property
    def _listing(self) -> images.Listing:
        path = Path(self.path)
        if path.is_dir():
            listing = images.list_folder(path)
            if listing.places:
                return listing
            raise ValueError(
                f"{path}: the folder holds no images; these end in "
                f"{', '.join(sorted(images.SUFFIXES))}"
            )
        if not path.exists():
            raise FileNotFoundError(f"{path}: there is no such folder or .zip of images")
        if path.suffix.lower() != ".zip":
            raise ValueError(
                f"{path}: a folder or a .zip of images can be streamed; load() reads other data"
            )
        return images.list_zip(path)


class _Parts:
    """A process's part of every batch, by its number; what grain takes its elements from.

    A copy in another process reads the listing from a file, and opens the zip file for itself.
    """

    def __init__(
        self,
        streamed: Streamed,
        batch_size: int,
        seed: int,
        start: int,
        part: slice,
    ) -> None:
        self._listing: images.Listing | None = streamed._listing
        self._listing_file: str | None = None
        self._reader: images.Reader | None = None
        self._count = len(streamed)
        self._size = streamed.size
        self._shape = streamed.image_shape
        self._batch_size = batch_size
        self._seed = seed
        self._start = start
        self._part = part

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, number: int) -> np.ndarray:
        reader = self._reader = self._reader or images.Reader(self._listed())
        step = self._start + number
        rows = indices_at(self._count, self._batch_size, seed=self._seed, step=step)[self._part]
        batch = np.empty((len(rows), *self._shape), np.uint8)
        for image, row in zip(batch, rows, strict=True):
            image[:] = images.decode(reader, row, self._size, self._shape)
        return batch

    def hand_over(self) -> None:
        """Writes the listing for copies in other processes, until `close`.

        What is given to a process that it starts goes through a pipe, on which this process
        would wait for ever if it is more than that holds and the other one fails at its start.
        """
        with tempfile.NamedTemporaryFile(prefix="jaxlayers-", delete=False) as file:
            self._listing_file = file.name
            pickle.dump(self._listing, file)

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        if self._listing_file is not None:
            Path(self._listing_file).unlink(missing_ok=True)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_reader": None, "_listing": None}

    def _listed(self) -> images.Listing:
        if self._listing is not None:
            return self._listing
        with Path(str(self._listing_file)).open("rb") as file:
            return pickle.load(file)


def _stream(grain: ModuleType, parts: _Parts, workers: int) -> Generator[np.ndarray, None, None]:
    if workers and getattr(multiprocessing.current_process(), "_inheriting", False):
        # Grain would wait for ever for a worker that starts workers.
        raise RuntimeError(
            "Streamed: a worker imports the script that runs, and came upon batches() of "
            'another one; put what the script does under if __name__ == "__main__":'
        )
    iterator = iter(
        grain.MapDataset.source(parts)
        # No threads: the processes are what decodes side by side.
        .to_iter_dataset(grain.ReadOptions(num_threads=0, prefetch_buffer_size=0))
        .mp_prefetch(
            grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=_AHEAD),
            worker_init_fn=_start_worker,
        )
    )
    batches = _take(iterator, parts, workers)
    # Where the interpreter ends before the generator does, grain needs its modules to clean up,
    # and a thread that multiprocessing ends at priority 15.
    util.Finalize(iterator, _close, args=(weakref.ref(batches),), exitpriority=100)
    return batches


def _take(iterator: Any, parts: _Parts, workers: int) -> Generator[np.ndarray, None, None]:
    try:
        if workers:
            parts.hand_over()
            # What comes from a worker lies in shared memory and holds a file open. A copy does
            # not, and is an array like any other.
            yield from map(np.array, iterator)
        else:
            yield from iterator
    finally:
        # Otherwise workers that were started and have not given a batch yet are not closed.
        iterator.get_state()
        iterator.close()
        parts.close()
        if workers:
            _finish_freeing()


def _finish_freeing() -> None:
    # Grain frees shared memory in a thread. What that has not come to when the interpreter ends
    # would be told as leaked.
    from grain.multiprocessing import SharedMemoryArray

    pool = getattr(SharedMemoryArray, "_del_thread_pool", None)
    if pool is not None:
        with contextlib.suppress(ValueError):  # the interpreter ends, and the thread has
            pool.apply(int)


def _close(batches: weakref.ref[Generator[np.ndarray, None, None]]) -> None:
    generator = batches()
    if generator is not None:
        generator.close()


def _start_worker(index: int, count: int) -> None:
    # Ctrl-C reaches every process of a terminal; what it means is for the training to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Where the training is killed, nobody tells its workers.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _part(batch_size: int, process_index: int, process_count: int) -> slice:
    for name, value in (("process_index", process_index), ("process_count", process_count)):
        if not isinstance(value, int):
            raise TypeError(f"Streamed: {name} must be an integer, got {value!r}")
    if not 0 <= process_index < process_count:
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


def _checked(size: tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    pair = tuple(size) if isinstance(size, tuple | list) else ()
    if len(pair) != 2 or not all(isinstance(extent, int) and extent > 0 for extent in pair):
        raise ValueError(
            f"Streamed: size must be (height, width), two positive integers, or None, got {size!r}"
        )
    return pair


def _grain() -> ModuleType:
    try:
        import grain
        from absl import flags
    except ImportError as error:
        raise ImportError('images are streamed by grain: pip install "jaxlayers[train]"') from error
    # Grain 0.2.18 reads this flag where it starts workers, and fails in every program that does
    # not parse its command line by absl. A flag that counts as given is read without that.
    profiling = "grain_enable_multiprocess_worker_profiling"
    if profiling in flags.FLAGS:
        flags.FLAGS[profiling].present = 1
    return grain
