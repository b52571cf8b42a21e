import itertools

import numpy as np
import pytest

from jaxlayers.runs import nearest as module
from jaxlayers.runs.nearest import data_copying, nearest, nearest_others, side_by_side

RANDOM = np.random.default_rng(0)
TRAINING = RANDOM.integers(256, size=(40, 3, 3, 2), dtype=np.uint8)
SAMPLES = RANDOM.uniform(size=(6, 3, 3, 2)).astype(np.float32)


def reference(queries, references, k):
    flat = [array.reshape(len(array), -1).astype(np.float64) for array in (queries, references)]
    distances = np.linalg.norm(flat[0][:, None] - flat[1], axis=-1)
    order = np.argsort(distances, axis=1)[:, :k]
    return order, np.take_along_axis(distances, order, 1)


@pytest.mark.parametrize("chunk", [1, 100, 2**22])
def test_neighbors_are_those_of_all_distances(monkeypatch, chunk):
    monkeypatch.setattr(module, "_CHUNK", chunk)
    found = nearest(SAMPLES, TRAINING, k=3)
    indices, distances = reference(SAMPLES, TRAINING / 255, 3)
    np.testing.assert_array_equal(found.indices, indices)
    # Pixels are divided by 255 in float32.
    np.testing.assert_allclose(found.distances, distances, rtol=1e-6)


def test_a_copy_has_a_distance_of_zero():
    found = nearest(TRAINING[[7, 31]], TRAINING, k=2)
    np.testing.assert_array_equal(found.indices[:, 0], [7, 31])
    np.testing.assert_array_equal(found.distances[:, 0], 0)
    assert (found.distances[:, 1] > 0).all()


def test_features_are_compared_instead_of_pixels(monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 100)
    batches = []

    def features(images):
        batches.append(len(images))
        return images.mean((1, 2)) / (255 if images.dtype == np.uint8 else 1)

    found = nearest(SAMPLES, TRAINING, k=2, features=features)
    indices, distances = reference(features(SAMPLES), features(TRAINING), 2)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-5)
    assert max(batches[1:-3]) < 10


def test_the_nearest_other_image_is_not_the_image_itself():
    images = np.concatenate([TRAINING, TRAINING[:1]])
    found = nearest_others(images, np.array([0, 5]))
    indices, distances = reference(TRAINING[[5]] / 255, TRAINING / 255, 2)
    np.testing.assert_array_equal(found.indices[:, 0], [40, indices[0, 1]])
    np.testing.assert_allclose(found.distances[:, 0], [0, distances[0, 1]], rtol=1e-6)


def test_data_copying_is_the_fraction_of_pairs():
    samples, real = RANDOM.integers(5, size=12), RANDOM.integers(5, size=9)
    pairs = [(a < b) + (a == b) / 2 for a, b in itertools.product(samples, real)]
    assert data_copying(samples, real) == pytest.approx(np.mean(pairs))
    assert data_copying([0, 0], [1, 2]) == 1 and data_copying([3], [1, 2]) == 0


@pytest.mark.parametrize("count", [1, 5])
def test_a_picture_shows_images_with_their_neighbors_to_the_right(count):
    images = RANDOM.uniform(size=(count, 4, 3, 1))
    neighbors = RANDOM.uniform(size=(count, 2, 4, 3, 1))
    picture = side_by_side(images, neighbors, gap=2)
    rows, columns = (1, 1) if count == 1 else (3, 2)
    width = 3 + 8 + 3 + 2 + 3  # an image, a gap, two neighbors with a gap between them
    assert picture.shape == (rows * 6 + 2, columns * width + (columns - 1) * 16 + 4, 1)
    rest = picture.copy()
    for index in range(count):
        column, row = divmod(index, rows)
        top, left = 2 + 6 * row, 2 + column * (width + 16)
        for start, image in (
            (left, images[index]),
            (left + 11, neighbors[index, 0]),
            (left + 16, neighbors[index, 1]),
        ):
            part = np.s_[top : top + 4, start : start + 3]
            np.testing.assert_array_equal(picture[part], np.float32(image))
            rest[part] = 0.5
    assert (rest == 0.5).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: nearest(SAMPLES[:0], TRAINING), r"queries and references .*\(0, 3, 3, 2\)"),
        (lambda: nearest(SAMPLES, TRAINING[:, :2]), r"same shape, got .*\(40, 2, 3, 2\)"),
        (lambda: nearest(SAMPLES, TRAINING, k=41), "k must be an integer from 1 to 40, got 41"),
        (lambda: nearest(SAMPLES, TRAINING, k=0), "k must be an integer from 1 to 40, got 0"),
        (lambda: data_copying([], [1]), "at least one distance each, got 0 and 1"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
