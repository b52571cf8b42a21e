import dataclasses
import gc
import weakref

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


class NoiseSampling(toys.SumTask):
    """Returns noise as samples, which identifies the key."""

    def sample(self, train_state, key, n):
        return jax.random.uniform(key, (n, 2, 2, 1))


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


# Rows are powers of two, so that the sum of a batch identifies its rows.
POWERS = (2 ** np.arange(11, dtype=np.int32),)


class SumOfPowers(toys.SumTask):
    """A task whose loss identifies the rows of `POWERS` in a batch."""

    def step(self, train_state, batch):
        return super().step(train_state, batch[0])


def rows_by_step(folder, **config):
    """Returns the set of rows in the batch of each step."""
    fit(SumOfPowers(), POWERS, dataclasses.replace(CONFIG, log_every=1, **config), folder)
    sums = folder.metrics()["some_loss"].astype(int)
    return [{row for row in range(11) if total >> row & 1} for total in sums]


def test_each_epoch_has_every_row_at_most_once_in_a_new_order(folder):
    rows_of_steps = rows_by_step(folder, steps=300)
    assert all(len(rows) == CONFIG.batch_size for rows in rows_of_steps)
    epochs = [rows_of_steps[i : i + 3] for i in range(0, 300, 3)]
    assert all(len(set.union(*epoch)) == 9 for epoch in epochs)
    # A few of the 100 orders may have the same batches.
    assert len({tuple(map(frozenset, epoch)) for epoch in epochs}) > 90
    # Each epoch omits two rows, which differ between epochs.
    omitted = np.sum([[row not in set.union(*epoch) for row in range(11)] for epoch in epochs], 0)
    assert omitted.min() > 5


def test_the_order_depends_only_on_the_seed(tmp_path):
    folders = [RunFolder(tmp_path / name) for name in "abc"]
    a, b, c = folders
    first = rows_by_step(a, steps=20)
    assert rows_by_step(b, steps=20, sample_every=1, checkpoint_every=7) == first
    assert rows_by_step(c, steps=20, seed=6) != first


def test_fit_runs_the_given_number_of_steps():
    result = fit(toys.SumTask(), IMAGES, CONFIG)
    assert result.train_state.step == 7
    assert not result.interrupted and result.signal is None


class Referenced:
    """A task with the methods of another that, unlike a tuple, can be referenced weakly."""

    def __init__(self, task):
        self.init, self.step, self.sample = task.init, task.step, task.sample


@pytest.mark.parametrize("streamed", [False, True])
def test_compiled_steps_are_released_when_a_run_ends(monkeypatch, streamed):
    """Otherwise, a process that calls `fit` often reaches the limit of memory mappings."""
    if streamed:
        monkeypatch.setattr(Devices, "fits_in_memory", lambda *_: False)
    task = Referenced(NoiseSampling())
    gc.collect()
    gc.disable()
    try:
        fit(task, IMAGES, CONFIG)
        reference = weakref.ref(task)
        del task
        assert reference() is None
    finally:
        gc.enable()


def test_data_that_does_not_fit_in_device_memory_is_streamed(folder, monkeypatch):
    monkeypatch.setattr(Devices, "fits_in_memory", lambda self, tree: False)
    fit(SumOfPowers(), POWERS, dataclasses.replace(CONFIG, log_every=1), folder)
    expected = [
        batch_at(POWERS, CONFIG.batch_size, seed=CONFIG.seed, step=step)[0].sum()
        for step in range(7)
    ]
    assert folder.metrics()["some_loss"].tolist() == expected


def test_a_data_set_is_equivalent_to_its_images():
    dataset = Dataset(IMAGES, None, None, "noise")
    from_dataset, from_array = (fit(toys.SumTask(), data, CONFIG) for data in (dataset, IMAGES))
    assert from_dataset.train_state.params == from_array.train_state.params


def test_metrics_are_logged_at_their_step(folder):
    fit(toys.SumTask(), IMAGES, CONFIG, folder)
    metrics = folder.metrics()
    # Every third step, and the last one.
    assert metrics["step"].tolist() == [3, 6, 7]
    assert metrics["number"].tolist() == [2, 5, 6]
    every = RunFolder(folder.path.parent / "every")
    fit(toys.SumTask(), IMAGES, dataclasses.replace(CONFIG, log_every=1), every)
    assert metrics["some_loss"].tolist() == every.metrics()["some_loss"][[2, 5, 6]].tolist()
    assert (np.diff(metrics["seconds"]) >= 0).all()


def test_the_last_step_is_logged_once(folder):
    fit(toys.SumTask(), IMAGES, dataclasses.replace(CONFIG, steps=6), folder)
    assert folder.metrics()["step"].tolist() == [3, 6]


def test_samples_of_all_steps_use_the_same_key(folder):
    fit(NoiseSampling(), IMAGES, CONFIG, folder)
    steps = [2, 4, 6, 7]
    assert sorted((folder.path / "samples").iterdir()) == [folder.sample_path(s) for s in steps]
    first, *others = (read(folder.sample_path(step)) for step in steps)
    assert all(np.array_equal(first, other) for other in others)


def test_samples_use_a_key_that_init_does_not_use(folder):
    keys = []

    class RecordsKeys(NoiseSampling):
        def init(self, key):
            keys.extend([key, *jax.random.split(key, 3), jax.random.fold_in(key, 0)])
            return super().init(key)

        def sample(self, train_state, key, n):
            jax.debug.callback(lambda data: keys.append(data), jax.random.key_data(key))
            return super().sample(train_state, key, n)

    fit(RecordsKeys(), IMAGES, dataclasses.replace(CONFIG, steps=1), folder)
    *used, sample_key = keys
    assert not any(np.array_equal(jax.random.key_data(key), sample_key) for key in used)


def test_tasks_without_sample_train_without_samples(folder):
    fit(toys.SumTask(), IMAGES, CONFIG, folder)
    assert not list((folder.path / "samples").iterdir())


def test_the_folder_has_the_final_parameters_and_the_curves(folder):
    result = fit(toys.SumTask(), IMAGES, CONFIG, folder)
    params, state = folder.load_parameters()
    assert params == {"model": {"sum": result.train_state.params["model"]["sum"]}}
    assert state == {"model": {}}
    assert read(folder.path / "curves.png").shape[1] == 960


def test_training_a_gan_depends_only_on_the_seed():
    images = np.random.default_rng(0).integers(256, size=(8, *toys.IMAGE_SHAPE), dtype=np.uint8)
    config = FitConfig(steps=3, batch_size=4, seed=1)
    task = toys.gan()
    first, repeated, other = (
        fit(task, images, dataclasses.replace(config, seed=seed)).train_state.params
        for seed in (1, 1, 2)
    )
    jax.tree.map(np.testing.assert_array_equal, first, repeated)
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
def test_invalid_seeds_are_refused(seed):
    with pytest.raises(ValueError, match=r"seed must be an integer from 0 to 9223372036854775807"):
        FitConfig(seed=seed)


def test_the_largest_seed_is_accepted():
    config = FitConfig(steps=1, batch_size=3, seed=2**63 - 1)
    assert fit(toys.SumTask(), IMAGES, config).train_state.step == 1


def test_fewer_images_than_a_batch_are_refused(folder):
    with pytest.raises(ValueError, match="11 rows do not fill one batch of batch_size=12"):
        fit(toys.SumTask(), IMAGES, FitConfig(batch_size=12), folder)


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_a_best_that_is_not_a_metric_is_refused(folder):
    config = dataclasses.replace(CONFIG, best="losss")
    with pytest.raises(ValueError, match="a metric of the task, number, some_loss, got 'losss'"):
        fit(toys.SumTask(), IMAGES, config, folder)
    assert not folder.metrics()
