import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxlayers.data import load
from jaxlayers.data.arrays import as_images, as_labels


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(256, size=(5, 4, 3, 3), dtype=np.uint8)


@pytest.fixture
def save(tmp_path):
    def save(**arrays):
        np.savez(tmp_path / "a.npz", **arrays)
        return tmp_path / "a.npz"

    return save


def test_uint8_images_of_an_npy_file_come_as_they_are(tmp_path, pixels):
    np.save(tmp_path / "cats.npy", pixels)
    dataset = load(tmp_path / "cats.npy")
    np.testing.assert_array_equal(dataset.images, pixels)
    assert (dataset.labels, dataset.class_names, dataset.name) == (None, None, "cats")
    assert type(dataset.images) is np.ndarray


def test_an_npy_file_has_no_test_split_but_all_of_it_is_all(tmp_path, pixels):
    np.save(tmp_path / "a.npy", pixels)
    assert len(load(tmp_path / "a.npy", split="all")) == 5
    with pytest.raises(ValueError, match=r"a.npy: has no 'test' split, only 'train'. Load that"):
        load(tmp_path / "a.npy", split="test")


@pytest.mark.parametrize("images", ["images", "x_train", "train_images", "x", "X"])
@pytest.mark.parametrize("labels", ["labels", "y_train", "train_labels", "y", "Y"])
def test_an_npz_file_is_read_by_its_usual_keys(save, pixels, images, labels):
    dataset = load(save(**{images: pixels, labels: np.arange(5)}))
    np.testing.assert_array_equal(dataset.images, pixels)
    np.testing.assert_array_equal(dataset.labels, np.arange(5))
    assert dataset.labels.dtype == np.int32


def test_an_npz_file_has_a_test_split_where_it_has_test_images(save, pixels):
    path = save(x_train=pixels[:3], y_train=[[0], [1], [2]], x_test=pixels[3:], y_test=[[3], [4]])
    assert load(path).labels.tolist() == [0, 1, 2]
    assert load(path, split="test").labels.tolist() == [3, 4]
    np.testing.assert_array_equal(load(path, split="all").images, pixels)


def test_an_npz_file_without_test_images_says_so(save, pixels):
    with pytest.raises(ValueError, match="has no 'test' split, only 'train'"):
        load(save(images=pixels), split="test")


def test_the_only_array_of_an_npz_file_is_its_images_whatever_its_name(save, pixels):
    np.testing.assert_array_equal(load(save(whatever=pixels)).images, pixels)


def test_unknown_keys_are_listed_with_those_that_would_do(save, pixels):
    with pytest.raises(ValueError, match=r"has the keys cats, dogs; name the images images or x_"):
        load(save(cats=pixels, dogs=pixels))
    with pytest.raises(ValueError, match="has the keys none"):
        load(save())


def test_labels_of_another_number_are_refused_with_both_keys(save, pixels):
    with pytest.raises(ValueError, match=r"a.npz: 2 'y' for 5 'x'"):
        load(save(x=pixels, y=[0, 1]))


def test_a_missing_channel_axis_is_added(save, pixels):
    assert load(save(x=pixels[..., 0])).images.shape == (5, 4, 3, 1)


@given(st.lists(st.integers(0, 255), min_size=1), st.sampled_from(["f2", "f4", "f8"]))
def test_floating_point_images_come_back_as_the_bytes_they_were(values, dtype):
    pixels = np.array(values, np.uint8).reshape(-1, 1, 1)
    scaled = (pixels / 255).astype(dtype)
    np.testing.assert_array_equal(as_images(scaled, "x"), pixels[..., None])


def test_floating_point_images_are_rounded_and_not_truncated():
    halves = np.array([0, 0.0019, 0.002, 0.999, 1]).reshape(-1, 1, 1)
    assert as_images(halves, "x").ravel().tolist() == [0, 0, 1, 255, 255]


@pytest.mark.parametrize("wrong", [-0.1, 1.5, 255.0, np.nan, np.inf])
def test_floating_point_images_outside_0_to_1_are_refused_with_their_range(tmp_path, wrong):
    np.save(tmp_path / "a.npy", np.array([0.5, wrong]).reshape(2, 1, 1))
    with pytest.raises(ValueError, match=r"a.npy: float64 images must be in 0 to 1, got .* scale"):
        load(tmp_path / "a.npy")


def test_integers_that_fit_into_a_byte_are_images_and_others_are_not():
    assert as_images(np.full((1, 1, 1), 255, np.int64), "x").dtype == np.uint8
    for wrong in (-1, 256):
        with pytest.raises(ValueError, match="int64 images must be in 0 to 255"):
            as_images(np.full((1, 1, 1), wrong), "x")


@pytest.mark.parametrize("dtype", [bool, complex, "U1", "M8[s]"])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(ValueError, match="x: images must be integers or floating point, got"):
        as_images(np.zeros((2, 4, 4), dtype), "x")


@pytest.mark.parametrize("shape", [(), (4,), (4, 4), (2, 4, 4, 3, 1), (0, 4, 4, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"x: images must be \[N, height, width\] or"):
        as_images(np.zeros(shape, np.uint8), "x")


def test_channels_first_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"has its channels first; .*transpose\(0, 2, 3, 1\)"):
        as_images(np.zeros((2, 3, 32, 32), np.uint8), "x")


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros((3, 10), int), np.array(["a"])])
def test_labels_of_another_kind_are_refused(wrong):
    with pytest.raises(ValueError, match=r"y: labels must be integers of shape \[N\] or \[N, 1\]"):
        as_labels(wrong, "y")


def test_labels_beyond_int32_are_refused():
    with pytest.raises(ValueError, match="y: labels must fit into int32, got up to 4294967296"):
        as_labels(np.array([2**32]), "y")


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_files_of_another_content_are_named(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    for content in (b"", b"what is this"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"a{suffix}: not a readable {suffix} file"):
            load(path)


def test_a_truncated_npy_file_is_named(tmp_path, pixels):
    np.save(tmp_path / "a.npy", pixels)
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"a.npy: not a readable .npy file"):
        load(tmp_path / "a.npy")


def test_a_damaged_array_of_an_npz_file_is_named(save, pixels):
    path = save(x=pixels)
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a.npz\['x'\]: not a readable array"):
        load(path)


def test_a_member_of_an_npz_file_that_is_no_array_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images", "not an array")
    with pytest.raises(ValueError, match=r"a.npz\['images'\]: images must be"):
        load(tmp_path / "a.npz")


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("unpickled",)


def test_pickles_are_never_loaded(tmp_path, save):
    objects = np.array([Bomb()], object)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    for path in (tmp_path / "a.npy", save(images=objects)):
        with pytest.raises(ValueError, match="not a readable"):
            load(path)
