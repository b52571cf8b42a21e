import jax
import numpy as np
import pytest

from jaxlayers.metrics import density_coverage, neighbors, precision_recall

RANDOM = np.random.default_rng(0)
REAL = RANDOM.normal(size=(30, 3)).astype(np.float32)
FAKE = (1.3 * RANDOM.normal(size=(25, 3)) + 1).astype(np.float32)


def distances(rows, columns):
    return np.linalg.norm(rows[:, None].astype(np.float64) - columns[None], axis=-1)


def radii(points, k):
    return np.sort(distances(points, points), axis=1)[:, k]  # position 0 is the point itself


def reference_precision_recall(real, fake, k):
    precision = (distances(fake, real) <= radii(real, k)).any(1).mean()
    recall = (distances(real, fake) <= radii(fake, k)).any(1).mean()
    return precision, recall


def reference_density_coverage(real, fake, k):
    inside = distances(fake, real) < radii(real, k)
    return inside.sum(1).mean() / k, inside.any(0).mean()


@pytest.mark.parametrize("offset", [0, 1000])
def test_scores_equal_the_definitions(offset):
    real, fake = REAL + np.float32(offset), FAKE + np.float32(offset)
    scores = precision_recall(real, fake)
    assert all(0 < score < 1 for score in scores)
    np.testing.assert_allclose(scores, reference_precision_recall(real, fake, 3), rtol=1e-6)
    scores = density_coverage(real, fake)
    np.testing.assert_allclose(scores, reference_density_coverage(real, fake, 5), rtol=1e-6)


def test_distances_are_computed_in_chunks(monkeypatch):
    monkeypatch.setattr(neighbors, "_DISTANCES", 128)  # 4 rows of 29 columns
    real = REAL[:29]
    expected = reference_precision_recall(real, FAKE, 2)
    np.testing.assert_allclose(precision_recall(real, FAKE, k=2), expected, rtol=1e-6)


def test_memory_is_bounded():
    features = jax.ShapeDtypeStruct((20_000, 4), np.float32)
    memory = jax.jit(precision_recall).lower(features, features).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 8 * 20_000**2 / 8  # of all distances


def test_equal_sets_have_the_largest_scores():
    real = REAL + np.float32(1000)
    assert [float(score) for score in precision_recall(real, real)] == [1, 1]
    assert density_coverage(real, real)[1] == 1


def test_distant_sets_have_scores_of_zero():
    for scores in (precision_recall(REAL, FAKE + 100), density_coverage(REAL, FAKE + 100)):
        assert [float(score) for score in scores] == [0, 0]


def test_a_single_generated_image_has_full_precision_and_little_recall():
    fake = np.repeat(REAL[:1], 25, axis=0)
    precision, recall = precision_recall(REAL, fake)
    assert precision == 1
    np.testing.assert_allclose(recall, 1 / 30, rtol=1e-6)  # balls of equal points have no extent


def test_balls_of_repeated_points_contain_the_point_only_with_their_boundary():
    point = np.full((6, 3), 1000.1, np.float32)
    assert [float(score) for score in precision_recall(point, point)] == [1, 1]
    assert [float(score) for score in density_coverage(point, point)] == [0, 0]


def test_the_farthest_neighbor_is_the_last():
    scores = density_coverage(REAL[:6], FAKE, k=5)
    np.testing.assert_allclose(scores, reference_density_coverage(REAL[:6], FAKE, 5), rtol=1e-6)


def test_density_and_coverage_of_one_generated_sample():
    scores = density_coverage(REAL, FAKE[:1])
    np.testing.assert_allclose(scores, reference_density_coverage(REAL, FAKE[:1], 5), rtol=1e-6)
