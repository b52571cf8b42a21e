"""NaN and infinity end a run with the last finite state."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers.runs import RunFolder
from jaxlayers.train import FitConfig, NotFiniteError, TrainState, fit

IMAGES = np.ones((8, 1, 1, 1), np.uint8)


class NonFiniteTask(NamedTuple):
    """A task with a metric or weight that is not finite from a given step on."""

    failing_step: int
    location: str
    value: float = np.nan

    def init(self, key):
        params = {"model": {"kernel": jnp.zeros((2,)), "bias": jnp.zeros(())}}
        return TrainState(params, {}, {}, jnp.zeros((), jnp.int32), key)

    def step(self, train_state, batch):
        step = train_state.step + 1
        summand = jnp.where(step >= self.failing_step, self.value, 0.0)
        params = {
            "model": {
                "kernel": train_state.params["model"]["kernel"]
                + jnp.array([1.0, summand if self.location == "kernel" else 0.0]),
                "bias": train_state.params["model"]["bias"] + 1.0,
            }
        }
        loss = summand if self.location == "some_loss" else jnp.zeros(())
        metrics = {"some_loss": loss, "number": step}
        return train_state._replace(params=params, step=step), metrics


@pytest.mark.parametrize(
    ("location", "name"), [("some_loss", "metrics.some_loss"), ("kernel", "params.model.kernel")]
)
@pytest.mark.parametrize(
    ("number", "value"), [(1, np.nan), (2, np.inf), (23, np.nan), (40, np.inf)]
)
def test_the_error_names_step_and_array_and_the_previous_state_is_saved(
    tmp_path, number, location, name, value
):
    folder = RunFolder(tmp_path / "run")
    config = FitConfig(steps=50, batch_size=2, log_every=10, checkpoint_every=20)
    with pytest.raises(NotFiniteError) as error_info:
        fit(NonFiniteTask(number, location, value), IMAGES, config, folder)
    assert f"step {number}: not finite in {name}. " in str(error_info.value)
    assert error_info.value.train_state.step == number - 1
    assert error_info.value.train_state.params["model"]["bias"] == number - 1
    assert folder.load_parameters()[0]["model"]["bias"] == number - 1
    if location == "kernel":  # the saved state does not depend on a metric
        resumed = fit(NonFiniteTask(1000, location), IMAGES, config, folder, resume=True)
        assert resumed.train_state.params["model"]["bias"] == 50


def test_the_error_has_the_previous_state():
    with pytest.raises(NotFiniteError) as error_info:
        fit(NonFiniteTask(5, "kernel"), IMAGES, FitConfig(steps=9, batch_size=2))
    assert np.isfinite(error_info.value.train_state.params["model"]["kernel"]).all()


def test_streamed_batches_are_read_again_to_find_the_step():
    class Stream:
        def __len__(self):
            return len(IMAGES)

        def batches(self, batch_size, *, seed, start, process_index, process_count):
            while True:
                yield IMAGES[:batch_size]

    with pytest.raises(NotFiniteError, match=r"step 7: not finite in metrics\.some_loss"):
        fit(NonFiniteTask(7, "some_loss"), Stream(), FitConfig(steps=9, batch_size=2))
