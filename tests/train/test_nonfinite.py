"""NaN and infinity end a run, with the last state that was good."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers.runs import RunFolder
from jaxlayers.train import FitConfig, NotFiniteError, TrainState, fit

IMAGES = np.ones((8, 1, 1, 1), np.uint8)


class Failing(NamedTuple):
    """A task whose metric or parameter is not finite from a step on."""

    step_number: int
    where: str
    value: float = np.nan

    def init(self, key):
        params = {"model": {"kernel": jnp.zeros((2,)), "bias": jnp.zeros(())}}
        return TrainState(params, {}, {}, jnp.zeros((), jnp.int32), key)

    def step(self, train_state, batch):
        step = train_state.step + 1
        bad = jnp.where(step >= self.step_number, self.value, 0.0)
        params = {
            "model": {
                "kernel": train_state.params["model"]["kernel"]
                + jnp.array([1.0, bad if self.where == "kernel" else 0.0]),
                "bias": train_state.params["model"]["bias"] + 1.0,
            }
        }
        loss = bad if self.where == "some_loss" else jnp.zeros(())
        metrics = {"some_loss": loss, "number": step}
        return train_state._replace(params=params, step=step), metrics


@pytest.mark.parametrize("number", [1, 2, 23, 40])
@pytest.mark.parametrize(
    ("where", "named"), [("some_loss", "metrics.some_loss"), ("kernel", "params.model.kernel")]
)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_step_and_the_place_are_said_and_the_state_before_is_kept(
    tmp_path, number, where, named, value
):
    folder = RunFolder(tmp_path / "run")
    config = FitConfig(steps=50, batch_size=2, log_every=10, checkpoint_every=20)
    with pytest.raises(NotFiniteError) as raised:
        fit(Failing(number, where, value), IMAGES, config, folder)
    assert f"step {number}: not finite in {named}. " in str(raised.value)
    assert raised.value.train_state.step == number - 1
    assert raised.value.train_state.params["model"]["bias"] == number - 1
    assert folder.load_parameters()[0]["model"]["bias"] == number - 1
    again = fit(Failing(1000, where), IMAGES, config, folder, resume=True)
    assert again.train_state.params["model"]["bias"] == 50


def test_a_run_without_a_folder_keeps_the_state_in_the_error():
    with pytest.raises(NotFiniteError) as raised:
        fit(Failing(5, "kernel"), IMAGES, FitConfig(steps=9, batch_size=2))
    assert np.isfinite(raised.value.train_state.params["model"]["kernel"]).all()


def test_streams_are_read_again_to_find_the_step():
    class Stream:
        def __len__(self):
            return len(IMAGES)

        def batches(self, batch_size, *, seed, start, process_index, process_count):
            while True:
                yield IMAGES[:batch_size]

    with pytest.raises(NotFiniteError, match=r"step 7: not finite in metrics\.some_loss"):
        fit(Failing(7, "some_loss"), Stream(), FitConfig(steps=9, batch_size=2))
