"""The moving average of the params of the generator."""

from typing import Any

import jax.numpy as jnp
import optax
from jax import Array

from jaxlayers.train import _checks


def check_average(ema: Any, warmup: Any) -> tuple[float | None, float | None]:
    """Checks the arguments `ema` and `ema_warmup` of a GAN and returns them.

    Raises:
        TypeError: If one of them is not a number.
        ValueError: If one of them is out of range, or there is a warm-up and no average.
    """
    if ema is not None:
        ema = _checks.fraction("GAN", "ema", ema)
    if warmup is not None:
        warmup = _checks.positive("GAN", "ema_warmup", warmup)
        if ema is None:
            raise ValueError(f"GAN: ema_warmup must be None if ema is None, got {warmup!r}")
    return ema, warmup


def decay_at(step: Array | int, ema: float, warmup: float | None) -> Any:
    """Returns the decay of the average in one step.

    The half-life is at most `warmup * step`. A half-life of h steps is a decay of `2**(-1 / h)`;
    one of 0 steps, in the first step, is a decay of 0.

    Args:
        step: The number of previous steps.
        ema: The largest decay.
        warmup: The largest half-life as a fraction of the steps; `None` for a constant decay.

    Example:
        >>> [round(float(decay_at(jnp.asarray(step), 0.999, 0.05)), 3) for step in (0, 20, 20_000)]
        [0.0, 0.5, 0.999]
    """
    if warmup is None:
        return ema
    return jnp.minimum(ema, jnp.exp2(-1 / (warmup * jnp.asarray(step))))


def averaged(average: Any, params: Any, step: Array, ema: float, warmup: float | None) -> Any:
    """Returns the average after the step with this number of previous steps.

    Args:
        average: The average before.
        params: The params after the step.
        step: The number of previous steps.
        ema: As in `decay_at`.
        warmup: As in `decay_at`.
    """
    return optax.incremental_update(params, average, 1 - decay_at(step, ema, warmup))
