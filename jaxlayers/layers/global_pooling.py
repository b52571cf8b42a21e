"""Global pooling over all spatial axes, in one to three dimensions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments


@dataclass(frozen=True, repr=False)
class _GlobalPooling(Layer):
    """The base class of global pooling layers, which reduce each channel to one value."""

    data_format: fields.DataFormat = fields.DataFormat()
    keepdims: fields.Boolean = fields.Boolean(default=False)

    rank: ClassVar[int]
    _reduce: ClassVar[Callable[..., Array]]

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        self.output_shape(arguments.shape_of_examples(self, x, *arguments.image_axes(self)))
        axes = arguments.spatial_axes(self)
        return type(self)._reduce(x, axis=axes, keepdims=self.keepdims), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        spatial, channels = arguments.split_channels(self, input_shape)
        if 0 in (*spatial, channels):
            raise ValueError(f"{self!r}: input_shape must not be empty, got {tuple(input_shape)}")
        kept = (1,) * self.rank if self.keepdims else ()
        return arguments.join_channels(self, kept, channels)


@dataclass(frozen=True, repr=False)
class GlobalAveragePooling1D(_GlobalPooling):
    """Takes the mean of each channel over the steps; Keras's `GlobalAveragePooling1D`.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        keepdims: Whether to keep the spatial axis with size 1.

    Input shape:
        [batch, steps, channels], or [batch, channels, steps] for channels_first.

    Output shape:
        [batch, channels]; with keepdims [batch, 1, channels], or [batch, channels, 1].

    Raises:
        ValueError: If an argument is out of range, or the input is empty.

    Example:
        >>> GlobalAveragePooling1D().output_shape((28, 16))
        (16,)
    """

    rank = 1
    output_values = "mixed"
    _reduce = staticmethod(jnp.mean)


@dataclass(frozen=True, repr=False)
class GlobalAveragePooling2D(_GlobalPooling):
    """Takes the mean of each channel over the image; Keras's `GlobalAveragePooling2D`.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        keepdims: Whether to keep the spatial axes with size 1.

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        [batch, channels]; with keepdims [batch, 1, 1, channels], or [batch, channels, 1, 1].

    Raises:
        ValueError: If an argument is out of range, or the input is empty.

    Example:
        >>> GlobalAveragePooling2D().output_shape((7, 7, 16))
        (16,)
    """

    rank = 2
    output_values = "mixed"
    _reduce = staticmethod(jnp.mean)


@dataclass(frozen=True, repr=False)
class GlobalAveragePooling3D(_GlobalPooling):
    """Takes the mean of each channel over the volume; Keras's `GlobalAveragePooling3D`.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        keepdims: Whether to keep the spatial axes with size 1.

    Input shape:
        [batch, depth, height, width, channels], or [batch, channels, depth, height, width] for
        channels_first.

    Output shape:
        [batch, channels]; with keepdims [batch, 1, 1, 1, channels], or
        [batch, channels, 1, 1, 1].

    Raises:
        ValueError: If an argument is out of range, or the input is empty.

    Example:
        >>> GlobalAveragePooling3D().output_shape((4, 7, 7, 16))
        (16,)
    """

    rank = 3
    output_values = "mixed"
    _reduce = staticmethod(jnp.mean)


@dataclass(frozen=True, repr=False)
class GlobalMaxPooling1D(_GlobalPooling):
    """Takes the maximum of each channel over the steps; Keras's `GlobalMaxPooling1D`.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        keepdims: Whether to keep the spatial axis with size 1.

    Input shape:
        [batch, steps, channels], or [batch, channels, steps] for channels_first.

    Output shape:
        [batch, channels]; with keepdims [batch, 1, channels], or [batch, channels, 1].

    Raises:
        ValueError: If an argument is out of range, or the input is empty.

    Example:
        >>> GlobalMaxPooling1D(keepdims=True).output_shape((28, 16))
        (1, 16)
    """

    rank = 1
    output_values = "mixed"
    _reduce = staticmethod(jnp.max)


@dataclass(frozen=True, repr=False)
class GlobalMaxPooling2D(_GlobalPooling):
    """Takes the maximum of each channel over the image; Keras's `GlobalMaxPooling2D`.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        keepdims: Whether to keep the spatial axes with size 1.

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        [batch, channels]; with keepdims [batch, 1, 1, channels], or [batch, channels, 1, 1].

    Raises:
        ValueError: If an argument is out of range, or the input is empty.

    Example:
        >>> GlobalMaxPooling2D(keepdims=True).output_shape((7, 7, 16))
        (1, 1, 16)
    """

    rank = 2
    output_values = "mixed"
    _reduce = staticmethod(jnp.max)


@dataclass(frozen=True, repr=False)
class GlobalMaxPooling3D(_GlobalPooling):
    """Takes the maximum of each channel over the volume; Keras's `GlobalMaxPooling3D`.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        keepdims: Whether to keep the spatial axes with size 1.

    Input shape:
        [batch, depth, height, width, channels], or [batch, channels, depth, height, width] for
        channels_first.

    Output shape:
        [batch, channels]; with keepdims [batch, 1, 1, 1, channels], or
        [batch, channels, 1, 1, 1].

    Raises:
        ValueError: If an argument is out of range, or the input is empty.

    Example:
        >>> GlobalMaxPooling3D(keepdims=True).output_shape((4, 7, 7, 16))
        (1, 1, 1, 16)
    """

    rank = 3
    output_values = "mixed"
    _reduce = staticmethod(jnp.max)
