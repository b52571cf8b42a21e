"""The DCGAN in Equinox, with the `init` and `apply` of a layer.

Equinox's layers take one image, channels first. The batch is mapped over them, and batch
normalization averages over the mapped axis.
"""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxlayers.layer import Layer

_BATCH = "batch"


def _batch_norm(channels: int) -> eqx.nn.BatchNorm:
    return eqx.nn.BatchNorm(channels, _BATCH, eps=1e-3, momentum=0.9, mode="batch")


class _Generator(eqx.Module):
    dense: eqx.nn.Linear
    convolutions: list[eqx.nn.ConvTranspose2d]
    normalizations: list[eqx.nn.BatchNorm]
    dropout: eqx.nn.Dropout

    def __init__(self, key: Any) -> None:
        first, *keys = jax.random.split(key, 5)
        channels = (256, 128, 64, 32, 1)
        self.dense = eqx.nn.Linear(100, 7 * 7 * 256, key=first)
        self.convolutions = [
            eqx.nn.ConvTranspose2d(inputs, filters, 5, padding=2, key=each)
            for inputs, filters, each in zip(channels, channels[1:], keys, strict=False)
        ]
        self.normalizations = [_batch_norm(n) for n in (7 * 7 * 256, 128, 64, 32)]
        self.dropout = eqx.nn.Dropout(0.4)

    def __call__(self, x: Any, state: Any, key: Any, inference: bool) -> Any:
        first, *others = self.normalizations
        x, state = first(self.dense(x), state, inference=inference)
        x = self.dropout(jax.nn.relu(x).reshape(256, 7, 7), key=key, inference=inference)
        for number, normalize in enumerate(others):
            if number < 2:
                x = x.repeat(2, 1).repeat(2, 2)
            x, state = normalize(self.convolutions[number](x), state, inference=inference)
            x = jax.nn.relu(x)
        return jax.nn.sigmoid(self.convolutions[3](x)), state


class _Discriminator(eqx.Module):
    convolutions: list[eqx.nn.Conv2d]
    dense: eqx.nn.Linear
    dropout: eqx.nn.Dropout

    def __init__(self, key: Any) -> None:
        first, *keys = jax.random.split(key, 5)
        sizes = ((1, 64, 2), (64, 128, 2), (128, 256, 2), (256, 512, 1))
        self.convolutions = [
            eqx.nn.Conv2d(inputs, filters, 5, strides, padding="SAME", key=each)
            for (inputs, filters, strides), each in zip(sizes, keys, strict=True)
        ]
        self.dense = eqx.nn.Linear(4 * 4 * 512, 1, key=first)
        self.dropout = eqx.nn.Dropout(0.4)

    def __call__(self, x: Any, state: Any, key: Any, inference: bool) -> Any:
        for convolve, each in zip(self.convolutions, jax.random.split(key, 4), strict=True):
            x = jax.nn.leaky_relu(convolve(x), 0.2)
            x = self.dropout(x, key=each, inference=inference)
        return self.dense(x.ravel()), state


@dataclass(frozen=True)
class _EquinoxLayer(Layer):
    module: type[eqx.Module]
    result: tuple[int, ...]
    input_shape: tuple[int, ...] = ()  # in place of the property of Layer

    def init(self, key: Any, input_shape: Any = None) -> Any:
        model, state = eqx.nn.make_with_state(self.module)(key)
        return eqx.filter(model, eqx.is_inexact_array), state

    def apply(self, params: Any, state: Any, x: Any, *, training: bool = False, key: Any = None):
        # Everything but the arrays, which is the same for every key.
        model, _ = eqx.filter_eval_shape(eqx.nn.make_with_state(self.module), jax.random.key(0))
        static = eqx.filter(model, lambda leaf: not isinstance(leaf, jax.ShapeDtypeStruct))
        run = jax.vmap(
            lambda x, state, key: eqx.combine(params, static)(x, state, key, not training),
            axis_name=_BATCH,
            in_axes=(0, None, 0),
            out_axes=(0, None),
        )
        keys = jax.random.split(jax.random.key(0) if key is None else key, len(x))
        y, state = run(jnp.moveaxis(x, -1, 1) if x.ndim == 4 else x, state, keys)
        return (jnp.moveaxis(y, 1, -1) if y.ndim == 4 else y), state

    def output_shape(self, input_shape: Any = None) -> tuple[int, ...]:
        return self.result


def generator() -> Layer:
    return _EquinoxLayer(_Generator, (28, 28, 1), (100,))


def discriminator() -> Layer:
    """Returns the discriminator, which ends in the logit."""
    return _EquinoxLayer(_Discriminator, (1,), (28, 28, 1))
