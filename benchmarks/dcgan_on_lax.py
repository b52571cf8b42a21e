"""The DCGAN written directly on `jax.lax`, with the `init` and `apply` of a layer."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxlayers.layer import Layer
from jaxlayers.models import dcgan

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def _convolve(x: Any, weights: Any, strides: int) -> Any:
    y = lax.conv_general_dilated(
        x, weights["kernel"], (strides, strides), "SAME", dimension_numbers=_LAYOUT
    )
    return y + weights["bias"]


def _convolve_transposed(x: Any, weights: Any) -> Any:
    y = lax.conv_transpose(
        x, weights["kernel"], (1, 1), "SAME", dimension_numbers=_LAYOUT, transpose_kernel=True
    )
    return y + weights["bias"]


def _normalize(x: Any, weights: Any, moving: Any, training: bool) -> Any:
    mean, variance = moving["moving_mean"], moving["moving_variance"]
    if training:
        axes = tuple(range(x.ndim - 1))
        mean, variance = x.mean(axes), x.var(axes)
        moving = {
            "moving_mean": moving["moving_mean"] * 0.9 + mean * 0.1,
            "moving_variance": moving["moving_variance"] * 0.9 + variance * 0.1,
        }
    scale = weights["gamma"] * lax.rsqrt(variance + 1e-3)
    return (x - mean) * scale + weights["beta"], moving


def _dropout(x: Any, key: Any, training: bool) -> Any:
    if not training:
        return x
    return jnp.where(jax.random.bernoulli(key, 0.6, x.shape), x / 0.6, 0)


@dataclass(frozen=True)
class _Generator(Layer):
    input_shape: tuple[int, ...] = (100,)

    def init(self, key: Any, input_shape: Any = None) -> Any:
        return dcgan.generator().init(key)

    def apply(self, params: Any, state: Any, x: Any, *, training: bool = False, key: Any = None):
        state = dict(state)

        def normalize(x: Any, name: str) -> Any:
            y, state[name] = _normalize(x, params[name], state[name], training)
            return jax.nn.relu(y)

        x = x @ params["dense"]["kernel"] + params["dense"]["bias"]
        x = normalize(x, "batch_normalization").reshape(-1, 7, 7, 256)
        x = _dropout(x, key, training)
        for suffix, number, upsampled in (("", 1, True), ("_1", 2, True), ("_2", 3, False)):
            if upsampled:
                x = x.repeat(2, 1).repeat(2, 2)
            x = _convolve_transposed(x, params[f"conv2d_transpose{suffix}"])
            x = normalize(x, f"batch_normalization_{number}")
        return jax.nn.sigmoid(_convolve_transposed(x, params["conv2d_transpose_3"])), state

    def output_shape(self, input_shape: Any = None) -> tuple[int, ...]:
        return (28, 28, 1)


@dataclass(frozen=True)
class _Discriminator(Layer):
    def init(self, key: Any, input_shape: Any = None) -> Any:
        return dcgan.discriminator().init(key)

    def apply(self, params: Any, state: Any, x: Any, *, training: bool = False, key: Any = None):
        keys = jax.random.split(key, 4)
        blocks = zip(("", "_1", "_2", "_3"), (2, 2, 2, 1), keys, strict=True)
        for suffix, strides, dropout_key in blocks:
            x = jax.nn.leaky_relu(_convolve(x, params[f"conv2d{suffix}"], strides), 0.2)
            x = _dropout(x, dropout_key, training)
        x = x.reshape(x.shape[0], -1)
        return x @ params["dense"]["kernel"] + params["dense"]["bias"], state

    def output_shape(self, input_shape: Any = None) -> tuple[int, ...]:
        return (1,)


def generator() -> Layer:
    return _Generator()


def discriminator() -> Layer:
    """Returns the discriminator, which ends in the logit."""
    return _Discriminator()
