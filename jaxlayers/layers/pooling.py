"""Pooling over windows of an image and over whole images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers import ops
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments
from jaxlayers.ops import windows


@dataclass(frozen=True, repr=False)
class _Pooling2D(Layer):
    """The base class of pooling layers, which reduce each window of each channel to one value."""

    pool_size: fields.IntegerPair = fields.IntegerPair()
    strides: fields.Optional[int | Sequence[int], tuple[int, int]] = fields.Optional(
        fields.IntegerPair()
    )
    padding: fields.Choice = fields.Choice("valid", "same", default="valid")
    data_format: fields.DataFormat = fields.DataFormat()

    _pool: ClassVar[Callable[..., Array]]

    def __post_init__(self) -> None:
        if self.strides is None:
            fields.set_fields(self, strides=self.pool_size)

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
        pool = type(self)._pool
        return pool(x, self.pool_size, self.strides, self.padding, self.data_format), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        spatial, channels = arguments.split_channels(self, input_shape)
        extents = [
            windows.output_extent(extent, size, stride, 1, self.padding)
            for extent, size, stride in zip(
                spatial, self.pool_size, self.strides or (), strict=True
            )
        ]
        if min(extents) <= 0:
            raise ValueError(
                f"{self!r}: input_shape must be an image at least as large as the window, "
                f"got {tuple(input_shape)}; use padding='same', a smaller pool_size or a larger "
                "image"
            )
        return arguments.join_channels(self, extents, channels)


@dataclass(frozen=True, repr=False)
class MaxPooling2D(_Pooling2D):
    """Takes the maximum of each window; Keras's `MaxPooling2D`.

    Args:
        pool_size: Height and width of the window; one integer for both.
        strides: Strides of the window; one integer for both axes, `None` for `pool_size`.
        padding: `"valid"` for no padding, `"same"` for outputs of size ceil(input size / stride).
            Padding is ignored.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        [batch, rows, columns, channels], or [batch, channels, rows, columns].

    Raises:
        ValueError: If an argument is out of range, or an image is smaller than the window without
            padding.

    Example:
        >>> MaxPooling2D(2).output_shape((28, 28, 16))
        (14, 14, 16)
    """

    pool_size: fields.IntegerPair = fields.IntegerPair(default=(2, 2))
    output_values = "mixed"
    _pool = staticmethod(ops.max_pool)


@dataclass(frozen=True, repr=False)
class AveragePooling2D(_Pooling2D):
    """Takes the mean of each window; Keras's `AveragePooling2D`.

    Args:
        pool_size: Height and width of the window; one integer for both. Required, as in Keras.
        strides: Strides of the window; one integer for both axes, `None` for `pool_size`.
        padding: `"valid"` for no padding, `"same"` for outputs of size ceil(input size / stride).
            Padding is excluded from the mean.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        [batch, rows, columns, channels], or [batch, channels, rows, columns].

    Raises:
        ValueError: If an argument is out of range, or an image is smaller than the window without
            padding.

    Example:
        >>> AveragePooling2D(2, padding="same").output_shape((7, 7, 16))
        (4, 4, 16)
    """

    output_values = "mixed"
    _pool = staticmethod(ops.average_pool)


@dataclass(frozen=True, repr=False)
class SumPooling2D(_Pooling2D):
    """Takes the sum of each window; not in Keras.

    Args:
        pool_size: Height and width of the window; one integer for both.
        strides: Strides of the window; one integer for both axes, `None` for `pool_size`.
        padding: `"valid"` for no padding, `"same"` for outputs of size ceil(input size / stride).
            Padding is zeros.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        [batch, rows, columns, channels], or [batch, channels, rows, columns].

    Raises:
        ValueError: If an argument is out of range, or an image is smaller than the window without
            padding.

    Example:
        >>> SumPooling2D().output_shape((28, 28, 16))
        (14, 14, 16)
    """

    pool_size: fields.IntegerPair = fields.IntegerPair(default=(2, 2))
    _pool = staticmethod(ops.sum_pool)


@dataclass(frozen=True, repr=False)
class _GlobalPooling2D(Layer):
    """The base class of global pooling layers, which reduce each channel to one value."""

    data_format: fields.DataFormat = fields.DataFormat()
    keepdims: fields.Boolean = fields.Boolean(default=False)

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
            raise ValueError(
                f"{self!r}: input_shape must be a non-empty image, got {tuple(input_shape)}"
            )
        return arguments.join_channels(self, (1, 1) if self.keepdims else (), channels)


@dataclass(frozen=True, repr=False)
class GlobalAveragePooling2D(_GlobalPooling2D):
    """Takes the mean of each channel over the image; Keras's `GlobalAveragePooling2D`.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        keepdims: Whether to keep the axes of the image with size 1.

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        [batch, channels]; with keepdims [batch, 1, 1, channels], or [batch, channels, 1, 1].

    Raises:
        ValueError: If an argument is out of range, or the image is empty.

    Example:
        >>> GlobalAveragePooling2D().output_shape((7, 7, 16))
        (16,)
    """

    output_values = "mixed"
    _reduce = staticmethod(jnp.mean)


@dataclass(frozen=True, repr=False)
class GlobalMaxPooling2D(_GlobalPooling2D):
    """Takes the maximum of each channel over the image; Keras's `GlobalMaxPooling2D`.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.
        keepdims: Whether to keep the axes of the image with size 1.

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        [batch, channels]; with keepdims [batch, 1, 1, channels], or [batch, channels, 1, 1].

    Raises:
        ValueError: If an argument is out of range, or the image is empty.

    Example:
        >>> GlobalMaxPooling2D(keepdims=True).output_shape((7, 7, 16))
        (1, 1, 16)
    """

    output_values = "mixed"
    _reduce = staticmethod(jnp.max)
