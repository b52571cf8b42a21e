import gzip
import struct

import numpy as np
import pytest
from sample_files import IDX_CODES, encode_idx, write_idx_folder

from jaxlayers.data import idx, load


def write(path, content):
    path.write_bytes(content)
    return path


@pytest.fixture
def pixels():
    return np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("dtype", IDX_CODES)
def test_all_types_are_read_in_native_byte_order(tmp_path, dtype):
    array = np.array([[1, 2, 3], [100, 5, 6]], dtype)
    read = idx.read(write(tmp_path / "a.idx", encode_idx(array)))
    np.testing.assert_array_equal(read, array)
    assert read.dtype == array.dtype
    assert read.dtype.isnative


def test_gzip_is_detected_from_the_content(tmp_path, pixels):
    packed = write(tmp_path / "packed", gzip.compress(encode_idx(pixels)))
    plain = write(tmp_path / "plain.gz", encode_idx(pixels))
    np.testing.assert_array_equal(idx.read(packed), pixels)
    np.testing.assert_array_equal(idx.read(plain), pixels)


def test_arrays_are_writable(tmp_path, pixels):
    idx.read(write(tmp_path / "a", encode_idx(pixels)))[0] = 1


def test_a_missing_file_raises_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing-here"):
        idx.read(tmp_path / "nothing-here")


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0", b"\x89PNG\r\n\x1a\n", b"\0\0\x0a\x01\0\0\0\0", b"\0\0\x08\0", b"\1\0\x08\x01"],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_error_for_a_wrong_magic_number_has_the_file_and_the_bytes(tmp_path, content, pack):
    with pytest.raises(ValueError, match="other-kind: not an IDX file: it starts with") as error:
        idx.read(write(tmp_path / "other-kind", pack(content)))
    assert (content[:4].hex(" ") or "nothing") in str(error.value)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("length", [6, 12])
def test_a_truncated_header_is_refused(tmp_path, pixels, pack, length):
    with pytest.raises(ValueError, match="short: truncated: the file ends inside its header"):
        idx.read(write(tmp_path / "short", pack(encode_idx(pixels)[:length])))


def test_the_error_for_a_truncated_file_has_the_expected_shape(tmp_path, pixels):
    with pytest.raises(ValueError, match=r"short: .*claims shape \(2, 3, 4\), 24 bytes"):
        idx.read(write(tmp_path / "short", gzip.compress(encode_idx(pixels)[:-1])))
    with pytest.raises(ValueError, match=r"short: .*holds only 20"):
        idx.read(write(tmp_path / "short", encode_idx(pixels)[:-4]))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_bytes_after_the_array_are_refused(tmp_path, pixels, pack):
    with pytest.raises(ValueError, match=r"long: .* but it holds more"):
        idx.read(write(tmp_path / "long", pack(encode_idx(pixels) + b"\0")))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_impossible_size_is_refused_before_memory_is_allocated(tmp_path, pack):
    header = struct.pack(">HBB3I", 0, 0x08, 3, *3 * [2**32 - 1])
    with pytest.raises(ValueError, match=r"impossible: .*more than the file can hold"):
        idx.read(write(tmp_path / "impossible", pack(header + bytes(100))))


def test_truncated_and_damaged_gzip_files_are_refused(tmp_path, pixels):
    packed = gzip.compress(encode_idx(pixels))
    with pytest.raises(ValueError, match="cut: a damaged gzip file"):
        idx.read(write(tmp_path / "cut", packed[:-9]))
    with pytest.raises(ValueError, match="flipped: a damaged gzip file"):
        idx.read(write(tmp_path / "flipped", packed[:-8] + bytes(4) + packed[-4:]))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("spelling", ["{}-{}-idx{}-ubyte", "{}-{}.idx{}-ubyte"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_all_spellings_of_the_file_names_are_read(tmp_path, packed, spelling, split):
    arrays = write_idx_folder(tmp_path / "digits", spelling=spelling, packed=packed)
    dataset = load(tmp_path / "digits", split=split)
    images, labels = arrays[split]
    np.testing.assert_array_equal(dataset.images, images[..., None])
    np.testing.assert_array_equal(dataset.labels, labels)
    assert (dataset.name, dataset.class_names) == ("digits", None)


def test_the_split_all_has_training_images_before_test_images(idx_folder):
    folder, arrays = idx_folder
    dataset = load(str(folder), split="all")
    expected = np.concatenate([arrays["train"][0], arrays["test"][0]])[..., None]
    np.testing.assert_array_equal(dataset.images, expected)


def test_labels_are_optional(idx_folder):
    folder, _ = idx_folder
    (folder / "train-labels-idx1-ubyte").unlink()
    assert load(folder).labels is None
    with pytest.raises(ValueError, match="one split has labels, the other has none"):
        load(folder, split="all")


def test_each_split_is_optional(idx_folder):
    folder, _ = idx_folder
    (folder / "train-images-idx3-ubyte").unlink()
    assert len(load(folder, split="test")) == len(load(folder, split="all")) == 2
    with pytest.raises(ValueError, match="digits has only 'test'"):
        load(folder)


def test_the_error_for_unequal_counts_names_both_files(idx_folder):
    folder, _ = idx_folder
    write(folder / "train-labels-idx1-ubyte", encode_idx(np.zeros(3, np.uint8)))
    with pytest.raises(ValueError, match=r"train-labels.*: 3 labels for the 4 images of .*images"):
        load(folder)


@pytest.mark.parametrize(
    "array", [np.zeros(4, np.uint8), np.zeros((4, 5, 6), np.int32), np.zeros((0, 5, 6), np.uint8)]
)
def test_arrays_that_are_not_images_are_refused(idx_folder, array):
    folder, _ = idx_folder
    write(folder / "train-images-idx3-ubyte", encode_idx(array))
    with pytest.raises(ValueError, match=r"train-images.*uint8 array with 3 axes .* got"):
        load(folder)
