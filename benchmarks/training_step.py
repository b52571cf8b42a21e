"""One training step of the DCGAN: ours, by hand on lax, Keras on JAX, Flax and PyTorch.

Those on JAX are the same `train.GAN` over other layers, so that the algorithm is the same to the
letter; the one in PyTorch is written to do the same.
"""

import importlib
import importlib.util
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxlayers import train
from jaxlayers.models import dcgan


def _models(library: str) -> tuple[Any, Any]:
    if library == "jaxlayers":
        return dcgan.generator(), dcgan.discriminator(logits=True)
    module = importlib.import_module(f"benchmarks.dcgan_{library}")
    return module.generator(), module.discriminator()


ON_JAX = {
    "jaxlayers": "jaxlayers",
    "lax by hand": "on_lax",
    "Keras on JAX": "in_keras",
    "Flax": "in_flax",
}


def available(library: str) -> bool:
    """Whether what the library needs is installed."""
    needed = {"Keras on JAX": "keras", "Flax": "flax"}.get(library, "jax")
    return importlib.util.find_spec(needed) is not None


def jax_step(
    library: str, batch_size: int, dtype: Any = jnp.float32
) -> tuple[Callable[[], object], float]:
    """Returns a function that takes one step, and the seconds that compiling it took."""
    generator, discriminator = _models(ON_JAX[library])
    gan = train.GAN(
        generator,
        discriminator,
        train.rmsprop(1e-4, decay=3e-8),
        train.rmsprop(2e-4, decay=6e-8),
    )
    images = jax.random.uniform(jax.random.key(1), (batch_size, 28, 28, 1), dtype)
    train_state = gan.init(jax.random.key(0))
    before = time.perf_counter()
    step = jax.jit(gan.step, donate_argnums=0).lower(train_state, images).compile()
    seconds = time.perf_counter() - before

    def run() -> None:
        nonlocal train_state
        train_state, _ = step(train_state, images)
        jax.block_until_ready(train_state)

    return run, seconds
