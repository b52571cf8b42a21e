import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxlayers.data import Dataset, batch_at
from jaxlayers.runs import RunFolder
from jaxlayers.train import FitConfig, fit
from jaxlayers.train.sharding import Devices
from tests.train import toys

IMAGES = np.random.default_rng(0).integers(256, size=(11, 2, 2, 1), dtype=np.uint8)
CONFIG = FitConfig(steps=7, batch_size=3, seed=5, log_every=3, sample_every=2, samples=4)


class Sampling(toys.Metered):
    """Draws noise, so that a picture shows which key it came from."""

    def sample(self, train_state, key, n):
        return jax.random.uniform(key, (n, 2, 2, 1))


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


# A row for each bit, so that the sum of a batch says which rows it has.
BITS = (2 ** np.arange(11, dtype=np.int32),)


class Bits(toys.Metered):
    """Its loss says which rows of `BITS` the step saw."""

    def step(self, train_state, batch):
        return super().step(train_state, batch[0])


def rows_seen(folder, **config):
    """Returns the rows of each step."""
    fit(Bits(), BITS, dataclasses.replace(CONFIG, log_every=1, **config), folder)
    sums = folder.metrics()["some_loss"].astype(int)
    return [{row for row in range(11) if total >> row & 1} for total in sums]


def test_each_epoch_shows_every_row_at_most_once_in_an_order_of_its_own(folder):
    seen = rows_seen(folder, steps=300)
    assert all(len(rows) == CONFIG.batch_size for rows in seen)
    epochs = [seen[i : i + 3] for i in range(0, 300, 3)]
    assert all(len(set.union(*epoch)) == 9 for epoch in epochs)
    # Of 100 orders some may be alike in their batches, but hardly any.
    assert len({tuple(map(frozenset, epoch)) for epoch in epochs}) > 90
    # The two rows that an epoch leaves out are others each time.
    left_out = np.sum([[row not in set.union(*epoch) for row in range(11)] for epoch in epochs], 0)
    assert left_out.min() > 5


def test_the_order_is_that_of_the_seed_however_the_run_is_cut_into_calls(tmp_path):
    folders = [RunFolder(tmp_path / name) for name in "abc"]
    a, b, c = folders
    first = rows_seen(a, steps=20)
    assert rows_seen(b, steps=20, sample_every=1, checkpoint_every=7) == first
    assert rows_seen(c, steps=20, seed=6) != first


def test_a_run_takes_the_steps_that_it_was_asked_for():
    fitted = fit(toys.Metered(), IMAGES, CONFIG)
    assert fitted.train_state.step == 7
    assert not fitted.interrupted and fitted.signal is None


def test_data_that_does_not_fit_on_a_device_comes_from_the_host(folder, monkeypatch):
    monkeypatch.setattr(Devices, "fits_in_memory", lambda self, tree: False)
    fit(Bits(), BITS, dataclasses.replace(CONFIG, log_every=1), folder)
    expected = [
        batch_at(BITS, CONFIG.batch_size, seed=CONFIG.seed, step=step)[0].sum() for step in range(7)
    ]
    assert folder.metrics()["some_loss"].tolist() == expected


def test_a_data_set_and_its_images_train_alike():
    dataset = Dataset(IMAGES, None, None, "noise")
    of_dataset, of_array = (fit(toys.Metered(), data, CONFIG) for data in (dataset, IMAGES))
    assert of_dataset.train_state.params == of_array.train_state.params


def test_metrics_are_those_of_the_step_they_are_logged_under(folder):
    fit(toys.Metered(), IMAGES, CONFIG, folder)
    metrics = folder.metrics()
    # Every third step, and the last.
    assert metrics["step"].tolist() == [3, 6, 7]
    assert metrics["number"].tolist() == [2, 5, 6]
    every = RunFolder(folder.path.parent / "every")
    fit(toys.Metered(), IMAGES, dataclasses.replace(CONFIG, log_every=1), every)
    assert metrics["some_loss"].tolist() == every.metrics()["some_loss"][[2, 5, 6]].tolist()
    assert (np.diff(metrics["seconds"]) >= 0).all()


def test_a_last_step_that_is_logged_anyway_is_logged_once(folder):
    fit(toys.Metered(), IMAGES, dataclasses.replace(CONFIG, steps=6), folder)
    assert folder.metrics()["step"].tolist() == [3, 6]


def test_pictures_show_the_samples_of_one_key_throughout(folder):
    fit(Sampling(), IMAGES, CONFIG, folder)
    steps = [2, 4, 6, 7]
    assert sorted((folder.path / "samples").iterdir()) == [folder.sample_path(s) for s in steps]
    first, *others = (read(folder.sample_path(step)) for step in steps)
    assert all(np.array_equal(first, other) for other in others)


def test_samples_are_drawn_with_a_key_that_init_has_not_used(folder):
    keys = []

    class Recording(Sampling):
        def init(self, key):
            keys.extend([key, *jax.random.split(key, 3), jax.random.fold_in(key, 0)])
            return super().init(key)

        def sample(self, train_state, key, n):
            jax.debug.callback(lambda data: keys.append(data), jax.random.key_data(key))
            return super().sample(train_state, key, n)

    fit(Recording(), IMAGES, dataclasses.replace(CONFIG, steps=1), folder)
    *used, sample_key = keys
    assert not any(np.array_equal(jax.random.key_data(key), sample_key) for key in used)


def test_a_task_that_draws_no_samples_trains_without_pictures(folder):
    fit(toys.Metered(), IMAGES, CONFIG, folder)
    assert not list((folder.path / "samples").iterdir())


def test_the_folder_ends_with_the_last_parameters_and_the_curves(folder):
    fitted = fit(toys.Metered(), IMAGES, CONFIG, folder)
    params, state = folder.load_parameters()
    assert params == {"model": {"sum": fitted.train_state.params["model"]["sum"]}}
    assert state == {"model": {}}
    assert read(folder.path / "curves.png").shape[1] == 960


def test_a_gan_trains_and_one_seed_gives_one_run():
    images = np.random.default_rng(0).integers(256, size=(8, *toys.IMAGE_SHAPE), dtype=np.uint8)
    config = FitConfig(steps=3, batch_size=4, seed=1)
    task = toys.gan()
    first, again, other = (
        fit(task, images, dataclasses.replace(config, seed=seed)).train_state.params
        for seed in (1, 1, 2)
    )
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert not jnp.array_equal(*(p["generator"]["dense"]["kernel"] for p in (first, other)))


@pytest.mark.parametrize(
    "name",
    ["steps", "batch_size", "log_every", "sample_every", "samples", "checkpoint_every", "keep"],
)
@pytest.mark.parametrize("value", [0, -1, 2.5])
def test_numbers_that_are_not_positive_integers_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a positive integer, got {value}"):
        FitConfig(**{name: value})


@pytest.mark.parametrize("seed", [-1, 2**63, 0.5])
def test_seeds_that_jax_or_the_batches_do_not_take_are_refused(seed):
    with pytest.raises(ValueError, match=r"seed must be an integer from 0 to 9223372036854775807"):
        FitConfig(seed=seed)


def test_the_largest_seed_trains():
    config = FitConfig(steps=1, batch_size=3, seed=2**63 - 1)
    assert fit(toys.Metered(), IMAGES, config).train_state.step == 1


def test_fewer_images_than_a_batch_are_refused(folder):
    with pytest.raises(ValueError, match="11 rows do not fill one batch of batch_size=12"):
        fit(toys.Metered(), IMAGES, FitConfig(batch_size=12), folder)


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_a_best_that_is_no_metric_is_refused_at_the_first_step(folder):
    config = dataclasses.replace(CONFIG, best="losss")
    with pytest.raises(ValueError, match="a metric of the task, number, some_loss, got 'losss'"):
        fit(toys.Metered(), IMAGES, config, folder)
    assert not folder.metrics()
