import os
import subprocess
import sys

import numpy as np
import pytest
from sample_files import write_idx_folder, write_image

from jaxlayers.data import load, load_with_validation, split_names


@pytest.mark.parametrize("name", ["mnits", "no/such/folder", "gone.npz", "gone.zip"])
def test_the_error_for_an_unknown_source_lists_the_allowed_ones(name):
    with pytest.raises(FileNotFoundError, match="neither a name nor a path") as error:
        load(name)
    for allowed in (repr(name), "mnist-5k", "cifar10", "IDX", ".npz", ".npy", ".zip"):
        assert allowed in str(error.value)


def test_the_error_for_a_misspelled_name_suggests_the_nearest_one():
    with pytest.raises(FileNotFoundError, match=r"Did you mean 'fashion-mnist'\?"):
        load("fashion_mnist")


def test_names_take_precedence_over_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_idx_folder(tmp_path / "mnist-5k")
    assert len(load("./mnist-5k")) == 4
    assert len(load((tmp_path / "mnist-5k").relative_to(tmp_path))) == 4
    assert len(load("mnist-5k")) == 4000


def test_the_data_set_of_the_current_folder_has_its_name(tmp_path, monkeypatch):
    write_image(tmp_path / "cats" / "1.png")
    monkeypatch.chdir(tmp_path / "cats")
    assert load(".").name == "cats"


def test_a_tilde_is_expanded_to_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    np.save(tmp_path / "a.npy", np.zeros((1, 4, 4), np.uint8))
    assert len(load("~/a.npy")) == 1


def test_suffixes_are_case_insensitive(tmp_path):
    with (tmp_path / "A.NPY").open("wb") as file:
        np.save(file, np.zeros((1, 4, 4), np.uint8))
    assert len(load(tmp_path / "A.NPY")) == 1


@pytest.mark.parametrize("name", ["a.csv", "train-images-idx3-ubyte.gz", "cat.png"])
def test_the_error_for_an_unsupported_file_lists_the_supported_ones(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=rf"{name}: not a kind of file .* folder of IDX files"):
        load(tmp_path / name)


@pytest.mark.parametrize("source", [None, "", 5, np.zeros((1, 4, 4, 1), np.uint8)])
def test_a_source_of_a_wrong_type_is_refused(source):
    with pytest.raises(TypeError, match="source must be a str or a Path that is not empty, got"):
        load(source)


@pytest.mark.parametrize("split", ["validation", "Train", "", None])
def test_the_error_for_an_unknown_split_lists_the_known_ones(split):
    with pytest.raises(ValueError, match="split must be one of train, test, all, got"):
        load("mnist-5k", split=split)


@pytest.mark.parametrize("size", [64, (64,), (64, 0), (64, -1), (64, 64, 1), (6.4, 64), "64"])
def test_invalid_sizes_are_refused(size):
    with pytest.raises(ValueError, match=r"size must be \(height, width\), two positive integers"):
        load("mnist-5k", size=size)


def test_arrays_are_resized_to_size(tmp_path):
    pixels = np.full((2, 8, 8, 3), 7, np.uint8)
    np.savez(tmp_path / "a.npz", images=pixels, labels=[0, 1])
    dataset = load(tmp_path / "a.npz", size=(4, 6))
    np.testing.assert_array_equal(dataset.images, np.full((2, 4, 6, 3), 7))
    assert dataset.labels.tolist() == [0, 1]


def test_idx_files_take_precedence_over_images_in_a_folder(idx_folder):
    folder, _ = idx_folder
    write_image(folder / "overview.png")
    assert load(folder).images.shape == (4, 5, 6, 1)


def test_importing_the_package_imports_no_optional_dependency():
    code = "import sys, jaxlayers.data\nprint({'PIL', 'mlxtend'} & set(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "set()"


def test_validation_data_is_the_test_split_of_a_source_that_has_one(tmp_path):
    arrays = write_idx_folder(tmp_path / "idx")
    train, test = load_with_validation(tmp_path / "idx", size=(8, 8))
    assert train.labels.tolist() == arrays["train"][1].tolist()
    assert test.labels.tolist() == arrays["test"][1].tolist()
    assert train.image_shape == test.image_shape == (8, 8, 1)


def test_validation_data_of_a_folder_is_a_fifth_of_each_class(tmp_path):
    for name in ("cat", "dog"):
        for number in range(10):
            write_image(tmp_path / "pets" / name / f"{number}.png", number)
    train, test = load_with_validation(tmp_path / "pets")
    assert (len(train), len(test)) == (16, 4)
    assert test.images[:, 0, 0, 0].tolist() == [4, 9, 4, 9]
    assert test.class_names == ("cat", "dog")


def test_images_without_labels_cannot_be_split(tmp_path):
    write_image(tmp_path / "1.png")
    with pytest.raises(ValueError, match="has no labels"):
        load_with_validation(tmp_path)


def test_the_names_of_splits_are_those_that_can_be_loaded(tmp_path):
    images = np.zeros((6, 4, 4, 1), np.uint8)
    np.save(tmp_path / "images.npy", images)
    np.savez(tmp_path / "both.npz", x_train=images, x_test=images[:2])
    assert split_names("mnist-5k") == ("train", "test")  # not all, which every source has
    assert split_names(tmp_path / "images.npy") == ("train",)
    assert split_names(tmp_path / "both.npz") == ("train", "test")
    with pytest.raises(FileNotFoundError, match="neither a name nor a path"):
        split_names("missing")
