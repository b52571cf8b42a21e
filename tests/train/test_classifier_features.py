import dataclasses
import threading

import numpy as np
import pytest

from jaxlayers.data import Dataset, stacked
from jaxlayers.models import cnn
from jaxlayers.train import classifier_features
from jaxlayers.train.classifier_features import read_weights


def dark_and_light(count=40):
    """Returns images of two classes, which differ in their brightness."""
    labels = (np.arange(count) % 2).astype(np.int32)
    images = np.random.default_rng(0).integers(0, 80, (count, 8, 8, 1), np.uint8)
    images[labels == 1] += 150
    return Dataset(images, labels, None, "brightness")


DATASET = dark_and_light()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("classifiers")


@pytest.fixture(scope="module")
def trained(cache):
    return classifier_features(DATASET, cache=cache, steps=20, verbose=False)


def cached(cache, dataset=DATASET, steps=20):
    return classifier_features(dataset, cache=cache, steps=steps, verbose=False)


def test_the_classifier_is_trained_on_the_labels(trained):
    assert trained.name == "classifier"
    assert trained(DATASET.images).shape == (40, trained.size)
    np.testing.assert_array_equal(trained.logits(DATASET.images).argmax(1), DATASET.labels)


def test_a_classifier_is_trained_once_per_data_set(trained, cache, capsys):
    (file,) = cache.iterdir()
    content = file.read_bytes()
    again = classifier_features(DATASET, cache=cache, steps=20)
    assert capsys.readouterr().out == ""  # no line about a training
    np.testing.assert_array_equal(again(DATASET.images), trained(DATASET.images))
    # The labels are part of the data.
    other = dataclasses.replace(DATASET, labels=1 - DATASET.labels)
    classifier_features(other, cache=cache, steps=1)
    assert "training a classifier of brightness for the scores, 1 steps" in capsys.readouterr().out
    assert len(list(cache.iterdir())) == 2
    assert file.read_bytes() == content


def test_channels_of_stacked_images_are_classified_separately(trained, cache):
    files = sorted(cache.iterdir())
    color = stacked(DATASET, n=20)
    features = cached(cache, color)
    assert sorted(cache.iterdir()) == files  # no other training
    assert (features.size, features.classes) == (3 * trained.size, 8)
    np.testing.assert_array_equal(features.logits(color.images).argmax(1), color.labels)


def test_a_damaged_file_is_replaced(trained, cache, tmp_path):
    original = min(cache.iterdir(), key=lambda file: file.stat().st_mtime)
    content = bytearray(original.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / original.name).write_bytes(content)
    again = cached(tmp_path)
    assert (tmp_path / original.name).read_bytes() == original.read_bytes()
    np.testing.assert_array_equal(again(DATASET.images), trained(DATASET.images))


@pytest.mark.parametrize("size", [0, 20, 1000])
def test_a_truncated_file_is_damaged(trained, cache, tmp_path, size):
    (tmp_path / "x.npz").write_bytes(next(cache.iterdir()).read_bytes()[:size])
    assert read_weights(tmp_path / "x.npz", cnn.lenet((8, 8, 1), 2, 16, 128)) is None


def test_several_calls_at_once_write_the_same_complete_file(trained, cache, tmp_path):
    results = []
    threads = [threading.Thread(target=lambda: results.append(cached(tmp_path))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(tmp_path.iterdir())) == 1  # no temporary file is left
    for features in [*results, cached(tmp_path)]:
        np.testing.assert_array_equal(features(DATASET.images), trained(DATASET.images))


def test_the_cache_folder_can_be_chosen_by_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXLAYERS_CACHE", str(tmp_path))
    classifier_features(DATASET, steps=1, verbose=False)
    assert len(list((tmp_path / "classifiers").iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_an_error_before_the_training(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="set JAXLAYERS_CACHE to a writable one"):
        cached(tmp_path / "file")


def test_data_without_labels_is_an_error_that_names_alternatives(tmp_path):
    unlabeled = dataclasses.replace(DATASET, labels=None)
    with pytest.raises(ValueError, match="'brightness' has no labels") as raised:
        cached(tmp_path, unlabeled)
    assert "interop.keras.features(path)" in str(raised.value)
    one_class = dataclasses.replace(DATASET, labels=np.zeros(40, np.int32))
    with pytest.raises(ValueError, match="must have at least two classes, got 1"):
        cached(tmp_path, one_class)
    with pytest.raises(TypeError, match="dataset must be a Dataset, got ndarray"):
        cached(tmp_path, DATASET.images)
