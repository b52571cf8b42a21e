import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers.data import Dataset, stacked
from jaxlayers.metrics import Features, ImageScores
from jaxlayers.runs import RunFolder
from jaxlayers.runs.scores import read_scores
from jaxlayers.train import FitConfig, SampleScores, TrainState, fit
from tests.train import toys

REAL = np.random.default_rng(0).integers(0, 256, (64, 4, 4, 1), np.uint8)


def halves(_, images):
    """Returns the brightness of both halves, which is also the logit of each of two classes."""
    brightness = jnp.stack([images[:, :, :2].mean((1, 2, 3)), images[:, :, 2:].mean((1, 2, 3))], 1)
    return brightness, 10 * brightness


FEATURES = Features("halves", halves, size=2, classes=2, batch_size=32)
NAMES = ("halves_frechet_distance", "halves_confidence", "halves_class_entropy")
NAMES += ("halves_smallest_class",)


def sample_scores(**arguments):
    return SampleScores(FEATURES, REAL[:48], REAL[48:], samples=20, **arguments)


@dataclasses.dataclass(eq=False)
class Painter:
    """A task whose images are bright in the half that is their class."""

    classes: int | None = 2
    calls: list[Any] = dataclasses.field(default_factory=list)

    def init(self, key):
        return TrainState({}, {}, {}, jnp.zeros((), jnp.int32), key)

    def step(self, train_state, batch):
        return train_state._replace(step=train_state.step + 1), {"loss": jnp.mean(batch)}

    def sample(self, train_state, key, n, labels=None):
        self.calls.append((n, labels))  # once per compilation
        images = jax.random.uniform(key, (n, 4, 4, 1), maxval=0.1)
        if labels is not None:
            columns = jnp.arange(4) // 2 == labels[:, None]
            images += 0.5 * columns[:, None, :, None]
        return images


@pytest.fixture(scope="module")
def gan_state():
    gan = toys.gan(ema=0.5)
    return gan, gan.init(jax.random.key(0))


def test_scores_are_those_of_generated_images(gan_state):
    scores = sample_scores()
    found = scores(*gan_state)
    assert tuple(found) == scores.names(gan_state[0]) == NAMES
    gan, train_state = gan_state
    images = gan.sample(train_state, jax.random.fold_in(jax.random.key(0), 0), 250)[:20]
    reference = ImageScores(FEATURES, REAL[:48], samples=20, scores=["frechet_distance", "classes"])
    assert found == pytest.approx(reference(np.asarray(images)).scores, rel=1e-4)
    assert scores(*gan_state) == found  # from the same latent vectors
    assert sample_scores(seed=1)(*gan_state) != found


def test_the_sampling_is_compiled_once():
    task, scores = Painter(classes=None), sample_scores()
    for step in range(3):
        scores(task, task.init(jax.random.key(step)))
    assert len(task.calls) == 1


def test_images_of_classes_are_scored_by_the_class_that_was_asked_for():
    task, scores = Painter(), sample_scores()
    assert scores.names(task) == (*NAMES, "halves_label_accuracy")
    scored = scores.scored(task, task.init(jax.random.key(0)))
    assert scored.scores["halves_label_accuracy"] == 1
    assert scored.class_fractions.tolist() == [0.5, 0.5]
    assert scored.scores["halves_class_entropy"] == pytest.approx(1)


@pytest.mark.parametrize("samples", [8, 20, 300])
def test_classes_have_the_proportions_of_the_real_images(samples):
    labels = np.arange(48) % 4 // 3  # three of four are of the first class
    scores = SampleScores(FEATURES, Dataset(REAL[:48], labels, None, "random"), samples=samples)
    task = Painter()
    scored = scores.scored(task, task.init(jax.random.key(0)))
    assert scored.class_fractions.tolist() == [0.75, 0.25]
    assert scored.scores["halves_label_accuracy"] == 1


def test_the_accuracy_of_labels_requires_the_same_number_of_classes():
    task = Painter(classes=3)
    assert "halves_label_accuracy" not in sample_scores()(task, task.init(jax.random.key(0)))


def test_validation_images_are_scored_like_samples():
    scores = sample_scores()
    reference = ImageScores(FEATURES, REAL[:48], samples=20, scores=["frechet_distance", "classes"])
    assert scores.validation_scores() == reference(REAL[48:]).scores
    assert SampleScores(FEATURES, REAL).validation_scores() == {}


def test_labels_of_validation_images_give_the_accuracy_of_the_classifier():
    labels = FEATURES.logits(REAL[48:]).argmax(1)
    labels[:4] = 1 - labels[:4]
    validation = Dataset(REAL[48:], labels, ("left", "right"), "random")
    scores = SampleScores(FEATURES, REAL[:48], validation, samples=20)
    assert scores.validation_scores()["halves_label_accuracy"] == 0.75
    # Labels of other classes than those of the features.
    other = dataclasses.replace(validation, class_names=("left", "right", "top"))
    scores = SampleScores(FEATURES, REAL[:48], other, samples=20)
    assert "halves_label_accuracy" not in scores.validation_scores()


def test_data_sets_are_used_as_their_images(gan_state):
    data, other = (Dataset(part, None, None, "random") for part in (REAL[:48], REAL[48:]))
    scores = SampleScores(FEATURES, data, other, samples=20)
    assert scores(*gan_state) == sample_scores()(*gan_state)
    assert scores.validation_scores() == sample_scores().validation_scores()


def test_a_task_that_generates_no_images_is_refused():
    class Blind:
        init, step = Painter.init, Painter.step

    with pytest.raises(TypeError, match=r"must have a method sample\(train_state, key, n\)"):
        fit(Blind(), REAL, FitConfig(steps=1), scores=sample_scores(), verbose=False)


def test_the_default_scores_of_features_without_classes_are_distances():
    features = Features("mean", lambda _, x: (x.mean((1, 2)), None), size=1)
    assert SampleScores(features, REAL, samples=8).names(Painter()) == ("mean_frechet_distance",)


class Descending:
    """Scores that depend on the step only, with the best value at step 4."""

    def names(self, task):
        return ("x_frechet_distance",)

    def __call__(self, task, train_state):
        return {"x_frechet_distance": [np.nan, 3.0, 1.0, 2.0][int(train_state.step) // 2 % 4]}


CONFIG = FitConfig(steps=7, batch_size=8, log_every=3, score_every=2, checkpoint_every=5)


@pytest.fixture(scope="module")
def scored_run(tmp_path_factory):
    """Returns the result and the folder of a run with scores."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "scored")
    config = dataclasses.replace(CONFIG, best="halves_frechet_distance")
    result = fit(toys.gan(), REAL, config, folder, scores=sample_scores(), verbose=False)
    return result, folder


def test_fit_logs_scores_at_intervals_and_at_the_end(scored_run):
    result, folder = scored_run
    rows = {row["step"]: row for row in folder.rows()}
    assert [step for step, row in rows.items() if NAMES[0] in row] == [2, 4, 6, 7]
    assert set(rows) == {2, 3, 4, 6, 7}
    scores = sample_scores()(toys.gan(), result.train_state)
    assert {name: rows[7][name] for name in NAMES} == pytest.approx(scores, rel=1e-5)


def test_fit_keeps_the_checkpoint_with_the_best_score(scored_run):
    result, folder = scored_run
    values = {row["step"]: row.get(NAMES[0], np.inf) for row in folder.rows()}
    assert result.best.step == min(values, key=values.get)
    assert result.best.metric == min(values.values())
    assert str(result.best.step) in {path.name for path in (folder.path / "checkpoints").iterdir()}


def test_values_that_are_not_finite_are_never_the_best():
    config = dataclasses.replace(CONFIG, best="x_frechet_distance", steps=8)
    result = fit(toys.gan(), REAL, config, scores=Descending(), verbose=False)
    assert (result.best.step, result.best.metric) == (4, 1.0)


def test_fit_writes_the_last_scores_and_those_of_real_images(scored_run):
    _, folder = scored_run
    table = read_scores(folder.path / "scores.json")
    assert (table.features, table.samples, table.real, table.step) == ("halves", 20, 48, 7)
    assert table.scores == {name: folder.rows()[-1][name] for name in NAMES}
    assert (table.validation, table.validation_scores) == (16, sample_scores().validation_scores())
    report = (folder.path / "report.html").read_text()
    assert "20 samples after step 7, compared with 48 real images" in report


@pytest.mark.thorough
def test_scores_do_not_affect_the_training(scored_run):
    result = fit(toys.gan(), REAL, CONFIG, verbose=False)
    leaves = (jax.tree.leaves(run.train_state.params) for run in (result, scored_run[0]))
    for a, b in zip(*leaves, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.thorough
def test_a_resumed_run_has_the_same_scores(scored_run, tmp_path):
    _, folder = scored_run
    again = RunFolder(tmp_path / "run")
    config = dataclasses.replace(CONFIG, best="halves_frechet_distance")
    stop = [lambda step, metrics, train_state: step == 6]
    arguments = {"scores": sample_scores(), "verbose": False}
    fit(toys.gan(), REAL, config, again, callbacks=stop, **arguments)
    result = fit(toys.gan(), REAL, config, again, resume=5, **arguments)
    assert result.best.step == scored_run[0].best.step
    for expected, row in zip(folder.rows(), again.rows(), strict=True):
        assert expected | {"seconds": 0} == row | {"seconds": 0}
    assert read_scores(again.path / "scores.json") == read_scores(folder.path / "scores.json")


def test_best_must_be_one_of_the_scores():
    config = dataclasses.replace(CONFIG, best="halves_recall")
    with pytest.raises(ValueError, match=r"halves_smallest_class, got 'halves_recall'$"):
        fit(toys.gan(), REAL, config, scores=sample_scores(), verbose=False)
    with pytest.raises(ValueError, match="got 'halves_recall'; scores of generated images require"):
        fit(toys.gan(), REAL, config, verbose=False)


def test_the_modes_of_stacked_images_are_counted(gan_state):
    labels = np.arange(64) % 5
    color = stacked(Dataset(REAL, labels, None, "digits"), n=30)

    def features(_, images):
        return images[:, 0, 0], images.reshape(-1, 48) @ jnp.ones((48, 125))

    many = Features("many", features, size=3, classes=125)
    scores = SampleScores(many, color, color, samples=20)
    names = scores.names(gan_state[0])
    assert names[-2:] == ("many_modes", "many_mode_divergence")
    table = scores.table(scores.of_images(color.images))
    assert table.scores["many_modes"] == table.validation_scores["many_modes"] == 1
    # So many classes are not listed one by one.
    assert table.class_fractions == table.validation_class_fractions == {}
