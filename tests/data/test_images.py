import os
import struct
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image
from sample_files import write_image

from jaxlayers.data import images, listing, load


def zip_folder(folder):
    """Writes a zip file of a folder, next to it."""
    path = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "pets"


@pytest.fixture(params=["folder", "zip"])
def source(request, folder):
    """A function that returns the folder, or a zip file of its current content."""
    return (lambda: folder) if request.param == "folder" else (lambda: zip_folder(folder))


def test_classes_are_the_sorted_sub_folders(folder, source):
    write_image(folder / "dog" / "1.png", 3)
    write_image(folder / "cat" / "2.png", 2)
    write_image(folder / "cat" / "1.png", 1)
    dataset = load(source())
    assert dataset.images[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert dataset.labels.tolist() == [0, 0, 1]
    assert (dataset.class_names, dataset.name) == (("cat", "dog"), "pets")


def test_a_flat_folder_has_no_labels(folder, source):
    for value in range(3):
        write_image(folder / f"{value}.png", value)
    dataset = load(source())
    assert dataset.images.shape == (3, 4, 4, 1)
    assert (dataset.labels, dataset.class_names) == (None, None)


def test_a_single_sub_folder_is_not_a_class(folder, source):
    write_image(folder / "pets" / "all" / "cat" / "1.png")
    write_image(folder / "pets" / "all" / "dog" / "1.png")
    assert load(source()).class_names == ("cat", "dog")


def test_hidden_files_and_other_files_are_ignored(folder, source):
    write_image(folder / "cat" / "1.png")
    write_image(folder / "dog" / "1.PNG")
    write_image(folder / "dog" / ".hidden.png")
    write_image(folder / ".thumbnails" / "1.png")
    write_image(folder / "__MACOSX" / "cat" / "1.png")
    (folder / "README.txt").write_text("about")
    dataset = load(source())
    assert dataset.class_names == ("cat", "dog")
    assert len(dataset) == 2


@pytest.mark.parametrize(
    ("mode", "channels"),
    [("1", 1), ("L", 1), ("LA", 1), ("P", 3), ("RGB", 3), ("RGBA", 3)],
)
def test_grayscale_images_have_one_channel_and_color_images_three(folder, mode, channels):
    write_image(folder / "1.png", mode=mode)
    assert load(folder).images.shape == (1, 4, 4, channels)


@pytest.mark.parametrize(("suffix", "mode"), [("jpg", "CMYK"), ("bmp", "RGB"), ("webp", "RGB")])
def test_other_formats_are_read(folder, suffix, mode):
    write_image(folder / f"1.{suffix}", mode=mode)
    assert load(folder).images.shape == (1, 4, 4, 3)


def test_the_error_for_different_sizes_has_the_first_file_and_both_sizes(folder, source):
    write_image(folder / "1.png")
    write_image(folder / "2.png")
    write_image(folder / "3.png", size=(5, 6))
    write_image(folder / "4.png", size=(7, 7))
    with pytest.raises(
        ValueError, match=r"3.png is 5 x 6 grayscale, .* are 4 x 4 grayscale; give size="
    ):
        load(source())


@pytest.mark.parametrize("modes", [("RGB", "L", "L"), ("L", "RGB", "L"), ("L", "L", "RGB")])
def test_all_images_become_color_if_one_is(folder, source, modes):
    colors = {"L": 9, "RGB": (1, 2, 3)}
    for number, mode in enumerate(modes):
        write_image(folder / f"{number}.png", colors[mode], mode=mode)
    expected = np.stack([np.full((4, 4, 3), colors[mode], np.uint8) for mode in modes])
    np.testing.assert_array_equal(load(source()).images, expected)


def test_color_mode_converts_all_images(folder, source):
    write_image(folder / "1.png", 9)
    write_image(folder / "2.png", (10, 200, 90), mode="RGB")
    path = source()
    # 131 is the luminance 0.299 * 10 + 0.587 * 200 + 0.114 * 90.
    assert load(path, color_mode="grayscale").images[:, 0, 0].tolist() == [[9], [131]]
    assert load(path, color_mode="rgb").images[:, 0, 0].tolist() == [[9] * 3, [10, 200, 90]]
    write_image(folder / "2.png", 7)
    assert load(folder, color_mode="rgb").image_shape == (4, 4, 3)


def test_images_of_different_sizes_are_resized_to_size(folder, source):
    write_image(folder / "1.png", 7, size=(5, 6))
    write_image(folder / "2.png", 9, size=(40, 3))
    dataset = load(source(), size=(2, 3))
    assert dataset.images.shape == (2, 2, 3, 1)
    assert dataset.images[:, 1, 2, 0].tolist() == [7, 9]


def test_images_are_resized_with_bicubic_interpolation(folder):
    pixels = np.random.default_rng(0).integers(256, size=(9, 7, 3), dtype=np.uint8)
    folder.mkdir()
    Image.fromarray(pixels).save(folder / "1.png")
    expected = np.asarray(Image.fromarray(pixels).resize((5, 4), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(load(folder, size=(4, 5)).images[0], expected)
    np.testing.assert_array_equal(images.resize(pixels[None], (4, 5))[0], expected)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_resize_preserves_constant_images_of_any_channels(channels):
    constant = np.arange(channels, dtype=np.uint8) * np.ones((2, 4, 5, 1), np.uint8)
    resized = images.resize(constant, (8, 3))
    np.testing.assert_array_equal(
        resized, np.broadcast_to(np.arange(channels), (2, 8, 3, channels))
    )


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n"])
def test_the_error_for_a_file_that_is_not_an_image_names_it(folder, source, content):
    write_image(folder / "1.png")
    (folder / "2.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"pets.*: 2.png is not a readable image .*remove or repl"):
        load(source())


def test_the_error_for_a_truncated_image_names_it(folder, source):
    path = write_image(folder / "1.png", size=(64, 64))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"1.png is not a readable image"):
        load(source())


@pytest.mark.parametrize("place", ["1.png", "dog/puppies/1.png"])
def test_images_outside_of_the_class_folders_are_refused(folder, source, place):
    write_image(folder / "cat" / "1.png")
    write_image(folder / "dog" / "1.png")
    write_image(folder / place)
    with pytest.raises(ValueError, match=rf"one sub-folder per class; {place} lies"):
        load(source())


def test_a_folder_has_the_splits_train_and_all(folder, source):
    write_image(folder / "1.png")
    assert len(load(source(), split="all")) == 1
    with pytest.raises(ValueError, match=r"load: split 'test': .* has only 'train'"):
        load(source(), split="test")


def test_links_are_followed_except_to_parent_folders(folder, tmp_path):
    write_image(tmp_path / "elsewhere" / "1.png")
    write_image(folder / "dog" / "1.png")
    (folder / "cat").symlink_to(tmp_path / "elsewhere")
    (folder / "dog" / "up").symlink_to(folder)
    assert load(folder).class_names == ("cat", "dog")


def test_the_error_for_a_folder_without_images_lists_allowed_contents(folder):
    folder.mkdir()
    with pytest.raises(ValueError, match="pets: the folder holds neither IDX files nor images"):
        load(folder)


def test_a_zip_file_without_images_is_refused(folder):
    folder.mkdir()
    (folder / "1.txt").write_text("hello")
    with pytest.raises(ValueError, match=r"pets.zip: holds no images; these end in .bmp"):
        load(zip_folder(folder))


def test_a_file_that_is_not_a_zip_file_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"hello")
    with pytest.raises(ValueError, match=r"a.zip: not a readable zip file"):
        load(tmp_path / "a.zip")


def test_the_error_for_a_damaged_zip_member_names_it(folder):
    write_image(folder / "1.png")
    path = zip_folder(folder)
    content = bytearray(path.read_bytes())
    content[45] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"1.png is not a readable image \(Bad CRC-32"):
        load(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_of_any_name_and_compression_are_read(tmp_path, compression):
    path = write_image(tmp_path / "1.png", 7)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", compression) as archive:
        for name in ("1.png", "größe.png", "日本.png"):
            archive.write(path, name)
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(b"#!/bin/sh\n" + content)  # as self-extracting ones start
    assert (load(tmp_path / "a.zip").images == 7).all()


# Offsets in the only member of a zip file, with what zipfile says.
@pytest.mark.parametrize(
    ("offset", "message"),
    [
        (0, "Bad magic number for file header"),
        (30, "File name in directory '1.png' and header b'0.png' differ"),
        (6, "is encrypted, password required"),
    ],
)
def test_a_member_that_zipfile_refuses_is_named_with_the_reason(folder, offset, message):
    write_image(folder / "1.png")
    path = zip_folder(folder)
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    if offset == 6:  # the flags are in the directory as well
        content[content.index(b"PK\1\2") + 8] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"1.png is not a readable image \(.*{message}"):
        load(path)


def test_a_zip_member_of_excessive_size_is_refused_before_it_is_read(folder, monkeypatch):
    write_image(folder / "1.png")
    monkeypatch.setattr(listing, "LARGEST_FILE", 10)
    with pytest.raises(ValueError, match=r"1.png claims to unpack to .* bytes, more than the 10"):
        load(zip_folder(folder))


def test_an_image_of_excessive_size_is_refused_before_it_is_decoded(folder, monkeypatch):
    write_image(folder / "1.png", size=(30, 50))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match=r"1.png is not a readable image \(Image size \(1500 pix"):
        load(folder)


def test_a_png_header_with_billions_of_pixels_is_refused(folder):
    path = write_image(folder / "1.png")
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 2**30, 2**30)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"1.png is not a readable image"):
        load(folder)


def test_images_that_do_not_fit_into_memory_are_refused_with_advice(folder, monkeypatch):
    for number in range(3):
        write_image(folder / f"{number}.png", size=(10, 10))
    monkeypatch.setattr(images, "LARGEST_ARRAY", 250)
    with pytest.raises(
        ValueError, match=r"3 images of 10 x 10 grayscale take .* give a smaller size="
    ):
        load(folder)
    assert len(load(folder, size=(5, 5))) == 3


def test_the_error_without_pillow_names_the_extra(folder, monkeypatch):
    write_image(folder / "1.png")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'Pillow: pip install "jaxlayers\[train\]"'):
        load(folder)


@pytest.fixture
def damaged(folder):
    """Two classes with three images each, and 13 unreadable files."""
    for number in range(3):
        write_image(folder / "cat" / f"{number}.png", number)
        write_image(folder / "dog" / f"{number}.png", 10 + number)
    for number in range(13):
        (folder / ("cat", "dog")[number % 2] / f"bad{number:02}.png").write_bytes(b"GIF")
    return folder


def test_one_error_lists_up_to_ten_unreadable_images(damaged, source):
    with pytest.raises(
        ValueError, match="remove or replace them, or give skip_unreadable=True"
    ) as e:
        load(source())
    assert str(e.value).count("is not a readable image") == 10
    assert "cat/bad00.png" in str(e.value) and "and 3 more" in str(e.value)


def test_skip_unreadable_warns_with_the_skipped_files(damaged, source):
    with pytest.warns(UserWarning, match=r"skipped: cat/bad00.png is not a .* and 3 more"):
        dataset = load(source(), skip_unreadable=True)
    assert dataset.images[:, 0, 0, 0].tolist() == [0, 1, 2, 10, 11, 12]
    assert dataset.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_an_unreadable_first_image_is_skipped(folder):
    write_image(folder / "2.png", 7)
    (folder / "1.png").write_bytes(b"")
    with pytest.warns(UserWarning, match="skipped: 1.png"):
        assert load(folder, skip_unreadable=True).images.ravel().tolist() == [7] * 16


def test_a_folder_with_only_unreadable_images_is_refused(folder):
    folder.mkdir()
    (folder / "1.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"1.png is not a readable image"):
        load(folder, skip_unreadable=True)


def test_control_characters_in_file_names_are_escaped(folder):
    folder.mkdir()
    (folder / "\x1b[2Jred.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"'\\x1b\[2Jred.png' is not a readable image") as error:
        load(folder)
    assert "\x1b" not in str(error.value)


def test_images_in_nested_folders_are_loaded_without_labels(folder, source):
    for value, place in enumerate(["cat/1.png", "dog/1.png", "dog/puppies/1.png", "side.png"]):
        write_image(folder / place, value)
    dataset = load(source(), labels=False)
    assert dataset.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert (dataset.labels, dataset.class_names) == (None, None)


def test_pipes_and_devices_are_refused(folder):
    write_image(folder / "1.png")
    os.mkfifo(folder / "2.png")
    (folder / "3.png").symlink_to("/dev/zero")
    with pytest.raises(ValueError, match=r"2.png .*\(it is not a regular file\); 3.png .*regular"):
        load(folder)


def test_a_file_of_excessive_size_is_refused_before_it_is_read(folder):
    write_image(folder / "1.png")
    with (folder / "2.png").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ValueError, match=r"2.png .*\(it has 1099511627776 bytes, more than"):
        load(folder)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"labels": "no"}, TypeError, "load: labels must be True or False, got 'no'"),
        ({"skip_unreadable": 1}, TypeError, "load: skip_unreadable must be True or False, got 1"),
        (
            {"background": "pink"},
            ValueError,
            "background must be 'white', 'black', '#rrggbb' or .red",
        ),
        ({"background": "#ff80"}, ValueError, "load: background must be .* got '#ff80'"),
        ({"background": "#ff80zz"}, ValueError, "load: background must be .* got '#ff80zz'"),
        ({"background": (0, 0, 256)}, ValueError, "three integers from 0 to 255, got .0, 0, 256"),
        ({"background": 0.5}, ValueError, "load: background must be .* got 0.5"),
        ({"color_mode": "RGB"}, ValueError, "load: color_mode must be 'grayscale', 'rgb' or None"),
        ({"size": (0, 4)}, ValueError, "load: size must be .* got .0, 4."),
    ],
)
def test_wrong_arguments_are_refused(folder, arguments, error, message):
    write_image(folder / "1.png")
    with pytest.raises(error, match=message):
        load(folder, **arguments)


def test_numpy_integers_are_accepted_as_size(folder):
    write_image(folder / "1.png")
    assert load(folder, size=(np.int64(2), np.int32(3))).image_shape == (2, 3, 1)
