"""One training step of the DCGAN: ours, hand-written lax, Keras on JAX, Flax and PyTorch.

Those on JAX are the same `train.GAN` with other layers, so that the algorithm is identical; the one
in PyTorch is equivalent.
"""

import importlib
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlayers import Layer, train
from jaxlayers.models import dcgan
from jaxlayers.train.sharding import Devices
from jaxlayers.train.steps import OnDevice


def _models(library: str) -> tuple[Any, Any]:
    if library == "jaxlayers":
        return dcgan.generator(), dcgan.discriminator(logits=True)
    module = importlib.import_module(f"benchmarks.dcgan_{library}")
    return module.generator(), module.discriminator()


@dataclass(frozen=True)
class _InBfloat16(Layer):
    """A layer computed in bfloat16, with params and state in float32."""

    layer: Any
    input_shape: Any = None  # in place of the property of Layer

    def init(self, key: Any, input_shape: Any = None) -> Any:
        return self.layer.init(key, self.input_shape)

    def apply(self, params: Any, state: Any, x: Any, *, training: bool = False, key: Any = None):
        bfloat16_params = jax.tree.map(lambda weight: weight.astype(jnp.bfloat16), params)
        y, state = self.layer.apply(
            bfloat16_params, state, x.astype(jnp.bfloat16), training=training, key=key
        )
        return y.astype(jnp.float32), state

    def output_shape(self, input_shape: Any = None) -> Any:
        return self.layer.output_shape(self.input_shape)


JAX_LIBRARIES = {
    "jaxlayers": "jaxlayers",
    "hand-written lax": "on_lax",
    "Keras on JAX": "in_keras",
    "Flax": "in_flax",
    "Equinox": "in_equinox",
}


def dcgan_task(library: str, bfloat16: bool) -> train.GAN:
    """Returns the task whose step is timed, with the layers of a library on JAX."""
    generator, discriminator = _models(JAX_LIBRARIES[library])
    if bfloat16:
        generator = _InBfloat16(generator, (100,))
        discriminator = _InBfloat16(discriminator, (28, 28, 1))
    return train.GAN(
        generator,
        discriminator,
        train.rmsprop(1e-4, decay=3e-8),
        train.rmsprop(2e-4, decay=6e-8),
    )


# Number of steps per call of `train.fit` on two CPU cores.
STEPS_PER_CALL = 4


def fit_steps(batch_size: int, bfloat16: bool = False) -> tuple[Callable[[], object], float]:
    """Returns a function that takes several steps as in `train.fit`, and the compile time."""
    task, devices = dcgan_task("jaxlayers", bfloat16), Devices(1, batch_size)
    # An epoch is longer than the benchmark.
    images = np.random.default_rng(0).integers(256, size=(64 * batch_size, 28, 28, 1))
    steps = OnDevice(task, images.astype(np.uint8), batch_size, devices)
    train_state = devices.place(task.init(jax.random.key(0)))
    before = time.perf_counter()
    jax.block_until_ready(steps.take(train_state, 0, 1))
    seconds = time.perf_counter() - before

    def run() -> None:
        nonlocal train_state
        result = steps.take(train_state, 0, STEPS_PER_CALL)
        assert result.finite.all()
        train_state = result.train_state

    return run, seconds


def available(library: str) -> bool:
    """Whether the library is installed."""
    package = {"Keras on JAX": "keras", "Flax": "flax", "Equinox": "equinox"}.get(library, "jax")
    return importlib.util.find_spec(package) is not None


def jax_step(
    library: str, batch_size: int, bfloat16: bool = False
) -> tuple[Callable[[], object], float]:
    """Returns a function that takes one step, and the compile time in seconds."""
    gan = dcgan_task(library, bfloat16)
    images = jax.random.uniform(jax.random.key(1), (batch_size, 28, 28, 1))
    train_state = gan.init(jax.random.key(0))
    before = time.perf_counter()
    step = jax.jit(gan.step, donate_argnums=0).lower(train_state, images).compile()
    seconds = time.perf_counter() - before

    def run() -> None:
        nonlocal train_state
        train_state, _ = step(train_state, images)
        jax.block_until_ready(train_state)

    return run, seconds
