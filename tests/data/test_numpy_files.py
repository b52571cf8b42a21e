import tempfile
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxlayers.data import load


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(256, size=(5, 4, 3, 3), dtype=np.uint8)


@pytest.fixture
def save(tmp_path):
    def save(**arrays):
        np.savez(tmp_path / "a.npz", **arrays)
        return tmp_path / "a.npz"

    return save


def test_uint8_images_of_an_npy_file_are_unchanged(tmp_path, pixels):
    np.save(tmp_path / "cats.npy", pixels)
    dataset = load(tmp_path / "cats.npy")
    np.testing.assert_array_equal(dataset.images, pixels)
    assert (dataset.labels, dataset.class_names, dataset.name) == (None, None, "cats")
    assert type(dataset.images) is np.ndarray


def test_an_npy_file_has_the_splits_train_and_all(tmp_path, pixels):
    np.save(tmp_path / "a.npy", pixels)
    assert len(load(tmp_path / "a.npy", split="all")) == 5
    with pytest.raises(ValueError, match=r"a.npy has only 'train'. Load that"):
        load(tmp_path / "a.npy", split="test")


@pytest.mark.parametrize("images", ["images", "x_train", "train_images", "x", "X"])
@pytest.mark.parametrize("labels", ["labels", "y_train", "train_labels", "y", "Y"])
def test_common_keys_of_an_npz_file_are_recognized(save, pixels, images, labels):
    dataset = load(save(**{images: pixels, labels: np.arange(5)}))
    np.testing.assert_array_equal(dataset.images, pixels)
    np.testing.assert_array_equal(dataset.labels, np.arange(5))
    assert dataset.labels.dtype == np.int32


def test_the_test_images_of_an_npz_file_are_its_test_split(save, pixels):
    path = save(x_train=pixels[:3], y_train=[[0], [1], [2]], x_test=pixels[3:], y_test=[[3], [4]])
    assert load(path).labels.tolist() == [0, 1, 2]
    assert load(path, split="test").labels.tolist() == [3, 4]
    np.testing.assert_array_equal(load(path, split="all").images, pixels)


def test_an_npz_file_without_test_images_has_no_test_split(save, pixels):
    with pytest.raises(ValueError, match=r"load: split 'test': .* has only 'train'"):
        load(save(images=pixels), split="test")


def test_the_only_array_of_an_npz_file_is_its_images(save, pixels):
    np.testing.assert_array_equal(load(save(any_name=pixels)).images, pixels)


def test_the_error_for_unknown_keys_lists_them_and_the_allowed_ones(save, pixels):
    with pytest.raises(ValueError, match=r"has the keys cats, dogs; name the images images or x_"):
        load(save(cats=pixels, dogs=pixels))
    with pytest.raises(ValueError, match="has the keys none"):
        load(save())


def test_the_error_for_unequal_counts_names_both_keys(save, pixels):
    with pytest.raises(ValueError, match=r"a.npz: 2 'y' for 5 'x'"):
        load(save(x=pixels, y=[0, 1]))


def test_a_missing_channel_axis_is_added(save, pixels):
    assert load(save(x=pixels[..., 0])).images.shape == (5, 4, 3, 1)


@given(st.lists(st.integers(0, 255), min_size=1), st.sampled_from(["f2", "f4", "f8"]))
def test_bytes_divided_by_255_are_recovered_exactly(values, dtype):
    pixels = np.array(values, np.uint8).reshape(-1, 1, 1)
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/a.npy", (pixels / 255).astype(dtype))
        np.testing.assert_array_equal(load(f"{folder}/a.npy").images, pixels[..., None])


def test_floating_point_images_are_rounded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([0, 0.0019, 0.002, 0.999, 1]).reshape(-1, 1, 1))
    assert load(tmp_path / "a.npy").images.ravel().tolist() == [0, 0, 1, 255, 255]


@pytest.mark.parametrize("wrong", [-0.1, 1.5, 255.0, np.nan, np.inf])
def test_floating_point_images_outside_0_to_1_are_refused(tmp_path, wrong):
    np.save(tmp_path / "a.npy", np.array([0.5, wrong]).reshape(2, 1, 1))
    with pytest.raises(ValueError, match=r"a.npy: float64 images must be from 0 to 1, got "):
        load(tmp_path / "a.npy")


def test_labels_are_optional(save, pixels):
    path = save(x_train=pixels, y_train=np.arange(5), x_test=pixels)
    with pytest.raises(ValueError, match="one split has labels, the other has none"):
        load(path, split="all")
    assert load(path, split="all", labels=False).labels is None


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_files_with_other_content_are_refused(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    for content in (b"", b"not an array"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"a{suffix}: not a readable {suffix} file"):
            load(path)


def test_a_truncated_npy_file_is_refused(tmp_path, pixels):
    np.save(tmp_path / "a.npy", pixels)
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"a.npy: not a readable .npy file"):
        load(tmp_path / "a.npy")


def test_the_error_for_a_damaged_array_of_an_npz_file_names_it(save, pixels):
    path = save(x=pixels)
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a.npz\['x'\]: not a readable array"):
        load(path)


def test_an_npz_member_that_is_not_an_array_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images", "not an array")
    with pytest.raises(ValueError, match=r"a.npz\['images'\]: images must be"):
        load(tmp_path / "a.npz")


class FailsWhenUnpickled:
    def __reduce__(self):
        return pytest.fail, ("unpickled",)


def test_pickles_are_never_loaded(tmp_path, save):
    objects = np.array([FailsWhenUnpickled()], object)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    for path in (tmp_path / "a.npy", save(images=objects)):
        with pytest.raises(ValueError, match="not a readable"):
            load(path)
