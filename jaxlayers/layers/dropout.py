"""Dropout of single values and of whole feature maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments
from jaxlayers.layers.randomness import noise_shape_field, noise_shape_for, required_key
from jaxlayers.ops.random import bernoulli


def _drop(
    layer: "Dropout | _SpatialDropout", x: Array, key: Array | None, mask_shape: Shape
) -> Array:
    """Sets a random fraction of `x` to 0 and scales the other values.

    Args:
        layer: The layer, with the fraction `rate`.
        x: [batch, ...].
        key: A JAX random key; required unless `rate` is 0 or 1.
        mask_shape: Shape of the random mask, which broadcasts to `x`.
    """
    if layer.rate == 0:
        return x
    if layer.rate == 1:
        return jnp.zeros_like(x)
    keep = bernoulli(required_key(layer, key), 1 - layer.rate, mask_shape)
    return jnp.where(keep, x / (1 - layer.rate), 0)


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """Sets a random fraction of the input to 0 in training mode; Keras's `Dropout`.

    Args:
        rate: Fraction of the input to drop, from 0 to 1; all other values are divided by
            `1 - rate`.
        noise_shape: Shape of the random mask, including the batch, which is broadcast to the input.
            `None` in place of an axis is the size of that axis of the input; `None` instead of a
            tuple is the shape of the input.

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an argument is out of range, or no key is passed in training mode.

    Reference:
        Srivastava et al., 2014, https://jmlr.org/papers/v15/srivastava14a.html

    Example:
        >>> y, _ = Dropout(0.5).apply({}, {}, jnp.ones((1, 4)), training=True,
        ...                           key=jax.random.key(0))
        >>> sorted(set(y.ravel().tolist()))
        [0.0, 2.0]
    """

    rate: fields.Number = fields.Number(at_least=0, at_most=1)
    noise_shape: fields.Optional[Sequence[int | None], tuple[int | None, ...]] = noise_shape_field()

    output_values = "moved"

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        arguments.shape_of_examples(self, x)
        if not arguments.is_training(self, training):
            return x, state
        mask_shape = noise_shape_for(self, x) if 0 < self.rate < 1 else x.shape
        return _drop(self, x, key, mask_shape), state

    output_shape = arguments.same_shape


@dataclass(frozen=True, repr=False)
class _SpatialDropout(Layer):
    """Sets random feature maps to 0 in training mode.

    Subclasses define `rank`, the number of spatial axes.
    """

    rank: ClassVar[int]

    rate: fields.Number = fields.Number(at_least=0, at_most=1)

    output_values = "moved"

    @property
    def data_format(self) -> str:
        """Whether the channels are the last or the first axis of an example."""
        return "channels_last"

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        axes = arguments.image_axes(self)
        arguments.shape_of_examples(self, x, *axes)
        if not arguments.is_training(self, training):
            return x, state
        channels = 1 + axes.index("channels")
        mask_shape = tuple(
            size if axis in (0, channels) else 1 for axis, size in enumerate(x.shape)
        )
        return _drop(self, x, key, mask_shape), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        return arguments.example_shape(self, input_shape, *arguments.image_axes(self))


@dataclass(frozen=True, repr=False)
class SpatialDropout1D(_SpatialDropout):
    """Sets random channels of sequences to 0 in training mode; Keras's `SpatialDropout1D`.

    Args:
        rate: Fraction of the channels to drop, from 0 to 1; all other values are divided by
            `1 - rate`.

    Input shape:
        [batch, steps, channels].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If `rate` is out of range, or no key is passed in training mode.

    Reference:
        Tompson et al., 2014, https://arxiv.org/abs/1411.4280

    Example:
        >>> y, _ = SpatialDropout1D(0.5).apply({}, {}, jnp.ones((1, 3, 8)), training=True,
        ...                                    key=jax.random.key(0))
        >>> bool((y == y[:, :1]).all())
        True
    """

    rank = 1


@dataclass(frozen=True, repr=False)
class SpatialDropout2D(_SpatialDropout):
    """Sets random channels of images to 0 in training mode; Keras's `SpatialDropout2D`.

    Args:
        rate: Fraction of the channels to drop, from 0 to 1; all other values are divided by
            `1 - rate`.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an argument is out of range, or no key is passed in training mode.

    Reference:
        Tompson et al., 2014, https://arxiv.org/abs/1411.4280

    Example:
        >>> y, _ = SpatialDropout2D(0.5).apply({}, {}, jnp.ones((1, 3, 3, 8)), training=True,
        ...                                    key=jax.random.key(0))
        >>> bool((y == y[:, :1, :1]).all())
        True
    """

    data_format: fields.DataFormat = fields.DataFormat()

    rank = 2


@dataclass(frozen=True, repr=False)
class SpatialDropout3D(_SpatialDropout):
    """Sets random channels of volumes to 0 in training mode; Keras's `SpatialDropout3D`.

    Args:
        rate: Fraction of the channels to drop, from 0 to 1; all other values are divided by
            `1 - rate`.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, depth, height, width, channels], or [batch, channels, depth, height, width] for
        channels_first.

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an argument is out of range, or no key is passed in training mode.

    Reference:
        Tompson et al., 2014, https://arxiv.org/abs/1411.4280

    Example:
        >>> y, _ = SpatialDropout3D(0.5).apply({}, {}, jnp.ones((1, 2, 2, 2, 8)), training=True,
        ...                                    key=jax.random.key(0))
        >>> bool((y == y[:, :1, :1, :1]).all())
        True
    """

    data_format: fields.DataFormat = fields.DataFormat()

    rank = 3
