import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers import metrics
from jaxlayers.metrics import Features, FeatureStatistics, ImageScores
from tests.wrong_values import assert_informative_error

REAL = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3), np.uint8)
FAKE = np.random.default_rng(1).integers(0, 200, (20, 4, 4, 3), np.uint8)


def mean_color(_, images):
    """Returns the mean color, which is also the logit of each of three classes."""
    mean = images.mean((1, 2))
    return mean, 20 * mean


COLOR = Features("color", mean_color, size=3, classes=3, batch_size=8)
WITHOUT_CLASSES = Features("color", lambda _, x: (x.mean((1, 2)), None), size=3, batch_size=8)


@pytest.fixture(scope="module")
def all_scores():
    return ImageScores(COLOR, REAL)


def test_scores_are_those_of_the_functions(all_scores):
    found = all_scores(FAKE)
    x, y = COLOR(REAL), COLOR(FAKE)
    key = jax.random.key(0)
    precision, recall = metrics.precision_recall(x, y)
    density, coverage = metrics.density_coverage(x, y)
    probabilities = jax.nn.softmax(jnp.asarray(COLOR.logits(FAKE)))
    counts = np.bincount(probabilities.argmax(1), minlength=3)
    fractions = counts[counts > 0] / 20
    expected = {
        "frechet_distance": metrics.frechet_distance(x, y),
        "kernel_distance": metrics.kernel_distance(x, y, subset_size=20, key=key)[0],
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
        "score": metrics.inception_score(jax.random.permutation(key, COLOR.logits(FAKE)))[0],
        "confidence": probabilities.max(1).mean(),
        "class_entropy": -(fractions * np.log(fractions)).sum() / np.log(3),
        "smallest_class": counts.min() / 20,
    }
    assert found.scores == pytest.approx(
        {f"color_{name}": float(value) for name, value in expected.items()}, rel=1e-5
    )
    assert tuple(found.scores) == all_scores.names()
    np.testing.assert_allclose(found.class_fractions, counts / 20)
    assert found.images == 20


def test_real_images_of_all_batches_are_in_the_statistics(monkeypatch):
    monkeypatch.setattr("jaxlayers.metrics.image_scores._CHUNK", 7)
    scores = ImageScores(COLOR, REAL, scores=["frechet_distance"], samples=6)
    statistics = FeatureStatistics.init(3).update(COLOR(REAL))
    expected = float(metrics.frechet_distance(statistics, COLOR(FAKE)))
    assert scores(FAKE).scores["color_frechet_distance"] == pytest.approx(expected, rel=1e-5)


def test_the_other_scores_use_some_evenly_spaced_real_images():
    scores = ImageScores(COLOR, REAL, scores=["precision_recall"], samples=10)
    rows = np.linspace(0, 39, 10).round().astype(int)
    precision, recall = metrics.precision_recall(COLOR(REAL[rows]), COLOR(FAKE))
    assert list(scores(FAKE).scores.values()) == [float(precision), float(recall)]


def test_floating_point_images_are_rounded_to_256_levels(all_scores):
    near = (FAKE + np.random.default_rng(2).uniform(-0.4, 0.4, FAKE.shape)) / 255
    assert all_scores(jnp.asarray(near, jnp.float32)).scores == all_scores(FAKE).scores


def test_the_order_of_images_does_not_matter_for_the_inception_score():
    scores = ImageScores(COLOR, REAL, scores=["inception_score"])
    one_class = [np.zeros((50, 4, 4, 3), np.uint8) for _ in range(3)]
    for label, images in enumerate(one_class):
        images[..., label] = 255
    images = np.concatenate(one_class)
    shuffled = np.random.default_rng(0).permutation(images)
    by_class, mixed = (scores(x).scores["color_score"] for x in (images, shuffled))
    assert by_class == pytest.approx(mixed, rel=0.1) and by_class > 2.5


def test_labels_add_the_fraction_of_images_that_are_classified_as_their_label(all_scores):
    labels = COLOR.logits(FAKE).argmax(1)
    labels[:5] = (labels[:5] + 1) % 3
    scores = all_scores(FAKE, labels).scores
    assert scores["color_label_accuracy"] == 0.75
    assert tuple(scores) == all_scores.names(labels=True)
    assert "color_label_accuracy" not in all_scores.names()


def test_images_that_are_not_finite_have_no_scores(all_scores):
    images = FAKE / 255
    images[3, 0, 0, 0] = np.inf
    scores = all_scores(images).scores
    assert tuple(scores) == all_scores.names() and all(map(np.isnan, scores.values()))


def test_only_distances_of_inception_features_have_their_published_names():
    inception = Features("inception", mean_color, size=3, classes=3)
    scores = ImageScores(inception, REAL, scores=["frechet_distance", "kernel_distance", "classes"])
    assert scores.names()[:3] == ("fid", "kid", "inception_confidence")


def test_scores_that_require_classes_are_left_out_or_refused_without_them():
    names = ImageScores(WITHOUT_CLASSES, REAL).names(labels=True)
    assert [name.removeprefix("color_") for name in names] == [
        *("frechet_distance", "kernel_distance", "precision", "recall", "density", "coverage")
    ]
    with pytest.raises(ValueError, match="for features without classes, got 'classes'"):
        ImageScores(WITHOUT_CLASSES, REAL, scores=["classes"])


@pytest.mark.parametrize(
    "name, value",
    [("samples", 5), ("seed", -1), ("scores", "fid"), ("scores", [])],
)
def test_wrong_arguments_are_refused(name, value):
    assert_informative_error(
        lambda: ImageScores(COLOR, REAL, **{name: value}), "ImageScores", name, str(value)
    )


def test_wrong_images_are_refused(all_scores):
    with pytest.raises(ValueError, match="real must be at least 6 images"):
        ImageScores(COLOR, REAL[:5])
    with pytest.raises(ValueError, match="images must be at least 6 images, got 5"):
        all_scores(FAKE[:5])
    with pytest.raises(ValueError, match=r"labels must be one per image, of shape \(20,\)"):
        all_scores(FAKE, np.zeros(3, int))
    with pytest.raises(ValueError, match=r"scores must be among 'frechet_distance', .* got 'fid'"):
        ImageScores(COLOR, REAL, scores=["fid"])
    with pytest.raises(TypeError, match="features must be a Features"):
        ImageScores(mean_color, REAL)


def test_modes_are_counted_on_request():
    scores = ImageScores(COLOR, REAL, scores=["modes"])
    count, divergence = metrics.captured_modes(COLOR.logits(FAKE).argmax(1), classes=3)
    expected = {"color_modes": float(count), "color_mode_divergence": float(divergence)}
    assert scores(FAKE).scores == pytest.approx(expected)
