import gc
import itertools
import os
import pickle
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pytest
from PIL import Image
from sample_files import write_idx_folder, write_image

from jaxlayers.data import batches, load, streaming
from jaxlayers.data.streaming import Streamed

COUNT = 11


@pytest.fixture
def folder(tmp_path):
    """A folder of different images in two classes."""
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        path = tmp_path / "pets" / ("cat", "dog")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(256, size=(6, 5, 3), dtype=np.uint8)).save(path)
    return tmp_path / "pets"


def zip_folder(folder):
    """Writes a zip file of a folder, next to it, in reverse order."""
    path = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*"), reverse=True):
            archive.write(file, file.relative_to(folder))
    return path


@pytest.fixture(params=["folder", "zip"])
def source(request, folder):
    """A function that returns the folder, or a zip file of its current content."""
    return (lambda: folder) if request.param == "folder" else (lambda: zip_folder(folder))


def take(iterator, number):
    return list(itertools.islice(iterator, number))


def test_batches_equal_those_of_the_images_in_memory(folder, source):
    streamed = Streamed(source())
    expected = take(batches(load(folder), 3, seed=7), 8)
    actual = take(streamed.batches(3, seed=7), 8)
    np.testing.assert_array_equal(actual, expected)
    assert {type(batch) for batch in actual} == {np.ndarray}
    assert {batch.dtype for batch in actual} == {np.dtype(np.uint8)}


def test_length_and_shape_are_known_before_streaming(folder, source):
    streamed = Streamed(str(source()))
    assert (len(streamed), streamed.image_shape, streamed.name) == (COUNT, (6, 5, 3), "pets")
    assert Streamed(source(), size=(2, 9)).image_shape == (2, 9, 3)


def test_grayscale_images_have_one_channel(tmp_path):
    write_image(tmp_path / "1.png", 7, size=(2, 3))
    streamed = Streamed(tmp_path)
    assert streamed.image_shape == (2, 3, 1)
    np.testing.assert_array_equal(
        next(streamed.batches(1, seed=0)), np.full((1, 2, 3, 1), 7, np.uint8)
    )


@pytest.mark.parametrize("start", [1, 2, 3, 10])
def test_batches_from_a_start_continue_the_sequence(source, start):
    streamed = Streamed(source())
    uninterrupted = take(streamed.batches(4, seed=3), start + 3)
    resumed = take(streamed.batches(4, seed=3, start=start), 3)
    np.testing.assert_array_equal(resumed, uninterrupted[start:])


def test_each_image_occurs_at_most_once_per_epoch_and_epochs_differ(folder):
    first, second = (
        [image.tobytes() for image in np.concatenate(epoch)]
        for epoch in np.split(np.stack(take(Streamed(folder).batches(5, seed=0), 4)), 2)
    )
    assert len(set(first)) == len(set(second)) == 10
    assert first != second


@pytest.mark.parametrize("process_count", [2, 4])
def test_the_batches_of_all_processes_form_the_global_batch(source, process_count):
    streamed = Streamed(source())
    local_batches = [
        take(streamed.batches(8, seed=1, process_index=index, process_count=process_count), 3)
        for index in range(process_count)
    ]
    assert local_batches[0][0].shape == (8 // process_count, 6, 5, 3)
    np.testing.assert_array_equal(
        np.concatenate(local_batches, axis=1), take(streamed.batches(8, seed=1), 3)
    )


def test_a_process_reads_only_the_files_of_its_batches(folder):
    order = np.random.default_rng([0, 0]).permutation(COUNT)
    files = sorted(folder.rglob("*.png"))
    for row in set(order[:4]) - {0}:
        files[row].write_bytes(b"")
    second = Streamed(folder).batches(8, seed=0, process_index=1, process_count=2)
    assert next(second).shape == (4, 6, 5, 3)


def test_images_of_different_sizes_are_resized_as_in_memory(folder, source):
    write_image(folder / "dog" / "large.png", (1, 2, 3), mode="RGB", size=(40, 30))
    write_image(folder / "dog" / "small.png", (200, 2, 3), mode="RGB", size=(2, 3))
    path = source()
    expected = take(batches(load(path, size=(4, 7)), 5, seed=0), 4)
    actual = take(Streamed(path, size=(4, 7)).batches(5, seed=0), 4)
    np.testing.assert_array_equal(actual, expected)


def test_batches_are_writable(folder):
    iterator = Streamed(folder).batches(COUNT, seed=0)
    next(iterator)[:] = 0
    assert next(iterator).any()


def test_hidden_files_and_other_files_are_ignored(folder, source):
    write_image(folder / ".thumbnails" / "1.png")
    write_image(folder / "cat" / ".1.png")
    write_image(folder / "__MACOSX" / "1.png")
    (folder / "cat" / "about.txt").write_text("about")
    assert len(Streamed(source())) == COUNT


def test_sources_are_equal_by_value_and_can_be_pickled(source):
    path = source()
    streamed = Streamed(path, size=(3, 3))
    expected = next(streamed.batches(4, seed=0))
    copy = pickle.loads(pickle.dumps(streamed))
    assert copy == streamed == Streamed(str(path), (3, 3))
    assert hash(copy) == hash(streamed)
    assert streamed != Streamed(path)
    np.testing.assert_array_equal(next(copy.batches(4, seed=0)), expected)


def test_zip_files_are_closed(folder, monkeypatch):
    opened = []

    class RecordedZipFile(zipfile.ZipFile):
        def __init__(self, *args):
            super().__init__(*args)
            opened.append(self)

    path = zip_folder(folder)
    monkeypatch.setattr(zipfile, "ZipFile", RecordedZipFile)
    streamed = Streamed(path)
    assert streamed.image_shape == (6, 5, 3)
    assert [archive.fp for archive in opened] == [None, None]
    iterator = streamed.batches(4, seed=0)
    take(iterator, 3)
    assert len(opened) == 3
    assert opened[-1].fp is not None
    iterator.close()
    assert opened[-1].fp is None
    assert list(iterator) == []
    next(streamed.batches(4, seed=0))
    gc.collect()
    assert [archive.fp for archive in opened] == 4 * [None]


def step_of(row, batch_size):
    order = np.random.default_rng([0, 0]).permutation(COUNT)
    return int(np.flatnonzero(order == row)[0]) // batch_size


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n"])
def test_a_damaged_file_is_an_error_in_the_step_that_needs_it(folder, source, content):
    (folder / "dog" / "5.png").write_bytes(content)
    path = source()
    step = step_of(sorted(folder.rglob("*.png")).index(folder / "dog" / "5.png"), 2)
    iterator = Streamed(path).batches(2, seed=0)
    assert len(take(iterator, step)) == step > 0
    with pytest.raises(ValueError, match=r"pets.*: dog/5.png is not a readable image .*remove or"):
        next(iterator)
    assert list(iterator) == []


def test_a_damaged_first_file_is_an_error_before_the_first_batch(folder, source):
    (folder / "cat" / "0.png").write_bytes(b"")
    streamed = Streamed(source())
    with pytest.raises(ValueError, match=r"cat/0.png is not a readable image"):
        streamed.batches(2, seed=0)


def test_the_error_for_different_sizes_has_the_file_and_both_sizes(folder, source):
    write_image(folder / "dog" / "other.png", mode="RGB", size=(9, 8))
    with pytest.raises(ValueError, match=r"other.png is 9 x 8 color, .* 6 x 5 color; give size="):
        next(Streamed(source()).batches(COUNT + 1, seed=0))


def test_grayscale_images_are_converted_if_the_first_is_color(folder, source):
    write_image(folder / "dog" / "gray.png", 7, size=(6, 5))
    path = source()
    expected = next(batches(load(path), COUNT + 1, seed=0))
    np.testing.assert_array_equal(next(Streamed(path).batches(COUNT + 1, seed=0)), expected)


def test_color_images_after_a_grayscale_one_require_color_mode(folder, source):
    write_image(folder / "cat" / "-1.png", 7, size=(6, 5))
    path = source()
    with pytest.raises(ValueError, match=r"is 6 x 5 color, .* 6 x 5 grayscale; give color_mode="):
        next(Streamed(path).batches(COUNT + 1, seed=0))
    for mode in ("rgb", "grayscale"):
        np.testing.assert_array_equal(
            next(Streamed(path, color_mode=mode).batches(COUNT + 1, seed=0)),
            next(batches(load(path, color_mode=mode), COUNT + 1, seed=0)),
        )


@pytest.mark.filterwarnings("ignore:Image size")
def test_an_image_of_excessive_size_is_refused_even_if_warnings_are_ignored(folder, monkeypatch):
    write_image(folder / "dog" / "huge.png", (0, 0, 0), mode="RGB", size=(30, 50))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    message = r"huge.png is not a readable image \(Image size \(1500 pix"
    with pytest.raises(ValueError, match=message):
        load(folder)
    with pytest.raises(ValueError, match=message):
        next(Streamed(folder).batches(COUNT + 1, seed=0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"batch_size": 12}, "pets: 11 images do not fill one batch of batch_size=12; choose a"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"start": -1}, "start must be at least 0, got -1"),
        ({"process_count": 3}, "batch_size must be a multiple of process_count, .* got 4 for 3"),
        ({"process_index": 2, "process_count": 2}, "process_index must be .* got 2 of 2"),
        ({"process_index": -1}, "process_index must be at least 0, got -1"),
        ({"process_count": 0}, "process_count must be at least 1, got 0"),
    ],
)
def test_numbers_out_of_range_are_refused_immediately(folder, arguments, message):
    with pytest.raises(ValueError, match=message):
        Streamed(folder).batches(**{"batch_size": 4, "seed": 0, **arguments})


@pytest.mark.parametrize("name", ["batch_size", "seed", "start", "process_index", "process_count"])
def test_arguments_of_wrong_types_are_refused_immediately(folder, name):
    wrong = {"batch_size": 4, "seed": 0, name: 1.0}
    with pytest.raises(TypeError, match=r"(step|\w+) must be an integer, got 1.0"):
        Streamed(folder).batches(**wrong)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"workers": -1}, ValueError, "workers must be at least 0, got -1"),
        ({"workers": True}, TypeError, "workers must be an integer, got True"),
        ({"workers": 1.5}, TypeError, "workers must be an integer, got 1.5"),
        ({"size": 64}, ValueError, r"size must be \(height, width\), two positive integers, or No"),
        ({"size": (64, 0)}, ValueError, r"or None, got \(64, 0\)"),
        ({"path": ""}, TypeError, "path must be a str or a Path that is not empty, got ''"),
        ({"path": None}, TypeError, "path must be a str or a Path that is not empty, got None"),
        (
            {"path": "gone"},
            FileNotFoundError,
            "path 'gone': there is no such folder or .zip of images",
        ),
    ],
)
def test_wrong_arguments_are_refused_immediately(folder, arguments, error, message):
    with pytest.raises(error, match=message):
        Streamed(**{"path": folder, **arguments})


def test_sources_without_images_are_refused_immediately(tmp_path):
    write_idx_folder(tmp_path / "digits")
    with pytest.raises(ValueError, match=r"digits: the folder holds no images; these end in .bmp"):
        Streamed(tmp_path / "digits")
    with pytest.raises(ValueError, match=r"digits.zip: holds no images; these end in .bmp"):
        Streamed(zip_folder(tmp_path / "digits"))
    np.save(tmp_path / "a.npy", np.zeros((2, 4, 4), np.uint8))
    with pytest.raises(ValueError, match=r"a.npy: a folder or a .zip of images can be streamed; l"):
        Streamed(tmp_path / "a.npy")


def test_images_in_nested_folders_are_streamed(folder, source):
    write_image(folder / "outside.png", (1, 2, 3), mode="RGB", size=(6, 5))
    write_image(folder / "cat" / "kittens" / "1.png", (1, 2, 3), mode="RGB", size=(6, 5))
    path = source()
    np.testing.assert_array_equal(
        next(Streamed(path).batches(COUNT + 2, seed=0)),
        next(batches(load(path, labels=False), COUNT + 2, seed=0)),
    )


def test_a_tilde_is_expanded_to_the_home_folder(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    assert Streamed("~/pets").path == folder


def test_the_error_without_pillow_names_the_extra(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'Pillow: pip install "jaxlayers\[train\]"'):
        Streamed(folder).batches(4, seed=0)


def test_transparent_pixels_are_blended_as_by_load(folder, source):
    write_image(folder / "cat" / "clear.png", (9, 9, 9, 99), mode="RGBA", size=(6, 5))
    path = source()
    expected = next(batches(load(path, background=(0, 0, 255)), COUNT + 1, seed=0))
    streamed = Streamed(path, background=(0, 0, 255))
    np.testing.assert_array_equal(next(streamed.batches(COUNT + 1, seed=0)), expected)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.usefixtures("all_are_large")
def test_skip_unreadable_replaces_an_image_by_the_next(folder, workers):
    files = sorted(folder.rglob("*.png"))
    for file in (files[0], files[4], files[5], files[-1]):
        file.write_bytes(b"")
    streamed = Streamed(folder, workers=workers, skip_unreadable=True)
    with pytest.warns(UserWarning, match=r"replaced by the next: .* is not a readable image"):
        actual = next(streamed.batches(COUNT, seed=0))
    order = np.random.default_rng([0, 0]).permutation(COUNT)
    replacements = {0: 1, 4: 6, 5: 6, COUNT - 1: 1}
    expected = [np.asarray(Image.open(files[replacements.get(row, row)])) for row in order]
    np.testing.assert_array_equal(actual, expected)


def decoding_threads():
    return [thread for thread in threading.enumerate() if "jaxlayers" in thread.name]


@pytest.fixture
def all_are_large(monkeypatch):
    """Images of any size are decoded by several threads."""
    monkeypatch.setattr(streaming, "_SMALL", 0)


@pytest.mark.parametrize("workers", [1, 3, 16])
@pytest.mark.usefixtures("all_are_large")
def test_threads_produce_the_same_batches_and_end_when_closed(source, workers):
    path = source()
    expected = take(batches(load(path), 4, seed=5), 12)
    iterator = Streamed(path, workers=workers).batches(4, seed=5)
    actual = take(iterator, 3)
    assert 0 < len(decoding_threads()) <= workers
    actual += take(iterator, 9)
    np.testing.assert_array_equal(actual, expected)
    iterator.close()
    assert decoding_threads() == []


@pytest.mark.parametrize(("side", "threads"), [(64, 1), (96, 3)])
@pytest.mark.parametrize("size", [None, (8, 8), (200, 200)])
def test_small_images_are_decoded_by_one_thread_whatever_they_are_resized_to(
    tmp_path, side, threads, size
):
    for number in range(12):
        write_image(tmp_path / f"{number}.png", number, size=(side, side))
    (tmp_path / "0.png").write_bytes(b"")
    streamed = Streamed(tmp_path, size=size, workers=3, skip_unreadable=True)
    with pytest.warns(UserWarning, match="replaced by the next"):
        images = streamed.batches(12, seed=0)
        next(images)
    assert len(decoding_threads()) == threads
    images.close()


@pytest.mark.usefixtures("all_are_large")
def test_a_damaged_file_ends_the_threads(folder):
    (folder / "dog" / "5.png").write_bytes(b"")
    iterator = Streamed(folder, workers=2).batches(11, seed=0)
    with pytest.raises(ValueError, match=r"pets: dog/5.png is not a readable image"):
        next(iterator)
    assert list(iterator) == decoding_threads() == []


@pytest.mark.usefixtures("all_are_large")
def test_threads_end_when_their_iterator_is_deleted(folder):
    iterator = Streamed(folder, workers=2).batches(11, seed=0)
    next(iterator)
    del iterator
    gc.collect()
    assert decoding_threads() == []


def run(script, folder):
    """Runs a script that imports the package; returns its exit status and output."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script, folder],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        text=True,
    )
    return done.returncode, done.stdout


OPEN_ITERATOR = """
import sys
from jaxlayers.data import streaming
streaming._SMALL = 0
iterator = streaming.Streamed(sys.argv[1], workers=2).batches(2, seed=0)
next(iterator)
"""


def test_a_script_with_an_open_iterator_ends_without_output(folder):
    assert run(OPEN_ITERATOR, folder) == (0, "")


INTERRUPTED = """
import signal, sys
from jaxlayers.data import streaming
streaming._SMALL = 0
iterator = streaming.Streamed(sys.argv[1], workers=2).batches(2, seed=0)
try:
    for number, batch in enumerate(iterator):
        if number == 2:
            signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    iterator.close()
    print("interrupted")
"""


def test_ctrl_c_ends_the_iteration(folder):
    assert run(INTERRUPTED, folder) == (0, "interrupted\n")
