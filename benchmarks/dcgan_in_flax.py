"""The DCGAN in Flax, with the `init` and `apply` of a layer."""

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxlayers.layer import Layer

_KERNEL = (5, 5)


class _Generator(nn.Module):
    @nn.compact
    def __call__(self, x: Any, training: bool) -> Any:
        def normalize(x: Any) -> Any:
            return nn.BatchNorm(use_running_average=not training, momentum=0.9, epsilon=1e-3)(x)

        def convolve(x: Any, filters: int) -> Any:
            return nn.ConvTranspose(filters, _KERNEL, padding="SAME", transpose_kernel=True)(x)

        x = nn.relu(normalize(nn.Dense(7 * 7 * 256)(x))).reshape(-1, 7, 7, 256)
        x = nn.Dropout(0.4, deterministic=not training)(x)
        for filters in (128, 64):
            x = x.repeat(2, 1).repeat(2, 2)
            x = nn.relu(normalize(convolve(x, filters)))
        x = nn.relu(normalize(convolve(x, 32)))
        return nn.sigmoid(convolve(x, 1))


class _Discriminator(nn.Module):
    @nn.compact
    def __call__(self, x: Any, training: bool) -> Any:
        for filters, strides in ((64, 2), (128, 2), (256, 2), (512, 1)):
            x = nn.Conv(filters, _KERNEL, strides=strides, padding="SAME")(x)
            x = nn.Dropout(0.4, deterministic=not training)(nn.leaky_relu(x, 0.2))
        return nn.Dense(1)(x.reshape(x.shape[0], -1))


@dataclass(frozen=True)
class _FlaxLayer(Layer):
    module: nn.Module
    result: tuple[int, ...]
    input_shape: tuple[int, ...] = ()  # in place of the property of Layer

    def init(self, key: Any, input_shape: Any = None) -> Any:
        x = jnp.zeros((1, *self.input_shape))
        variables = self.module.init({"params": key, "dropout": key}, x, True)
        return variables["params"], variables.get("batch_stats", {})

    def apply(self, params: Any, state: Any, x: Any, *, training: bool = False, key: Any = None):
        variables = {"params": params, "batch_stats": state}
        y, changed = self.module.apply(
            variables, x, training, rngs={"dropout": key}, mutable=["batch_stats"]
        )
        return y, changed.get("batch_stats", {})

    def output_shape(self, input_shape: Any = None) -> tuple[int, ...]:
        return self.result


def generator() -> Layer:
    return _FlaxLayer(_Generator(), (28, 28, 1), (100,))


def discriminator() -> Layer:
    """Returns the discriminator, which ends in the logit."""
    return _FlaxLayer(_Discriminator(), (1,), (28, 28, 1))
