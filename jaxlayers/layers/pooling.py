"""Pooling over windows in one to three dimensions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from jax import Array

from jaxlayers import _fields as fields
from jaxlayers import ops
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments
from jaxlayers.ops import windows


@dataclass(frozen=True, repr=False)
class _Pooling(Layer):
    """The base class of pooling layers, which reduce each window of each channel to one value."""

    pool_size: fields.IntegerTuple = fields.IntegerTuple()
    strides: fields.OptionalIntegers = fields.Optional(fields.IntegerTuple())
    padding: fields.Choice = fields.Choice("valid", "same", default="valid")
    data_format: fields.DataFormat = fields.DataFormat()

    rank: ClassVar[int]
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
                f"{self!r}: input_shape must be at least as large as the window, "
                f"got {tuple(input_shape)}; use padding='same', a smaller pool_size or a larger "
                "input"
            )
        return arguments.join_channels(self, extents, channels)


@dataclass(frozen=True, repr=False)
class MaxPooling1D(_Pooling):
    """Takes the maximum of each window; Keras's `MaxPooling1D`.

    Args:
        pool_size: Length of the window, an integer or a tuple of one.
        strides: Stride of the window; `None` for `pool_size`.
        padding: `"valid"` for no padding, `"same"` for outputs of size ceil(input size / stride).
            Padding is ignored.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, steps, channels], or [batch, channels, steps] for channels_first.

    Output shape:
        [batch, windows, channels], or [batch, channels, windows].

    Raises:
        ValueError: If an argument is out of range, or the input is shorter than the window without
            padding.

    Example:
        >>> MaxPooling1D(2).output_shape((28, 16))
        (14, 16)
    """

    pool_size: fields.IntegerTuple = fields.IntegerTuple(1, default=(2,))
    strides: fields.OptionalIntegers = fields.Optional(fields.IntegerTuple(1))
    rank = 1
    output_values = "mixed"
    _pool = staticmethod(ops.max_pool)


@dataclass(frozen=True, repr=False)
class MaxPooling2D(_Pooling):
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

    pool_size: fields.IntegerTuple = fields.IntegerTuple(2, default=(2, 2))
    strides: fields.OptionalIntegers = fields.Optional(fields.IntegerTuple(2))
    rank = 2
    output_values = "mixed"
    _pool = staticmethod(ops.max_pool)


@dataclass(frozen=True, repr=False)
class MaxPooling3D(_Pooling):
    """Takes the maximum of each window; Keras's `MaxPooling3D`.

    Args:
        pool_size: Depth, height, width of the window; one integer for all.
        strides: Strides of the window; one integer for all axes, `None` for `pool_size`.
        padding: `"valid"` for no padding, `"same"` for outputs of size ceil(input size / stride).
            Padding is ignored.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, depth, height, width, channels], or [batch, channels, depth, height, width] for
        channels_first.

    Output shape:
        The same with the number of windows along each axis.

    Raises:
        ValueError: If an argument is out of range, or the input is smaller than the window without
            padding.

    Example:
        >>> MaxPooling3D((1, 2, 2)).output_shape((8, 28, 28, 16))
        (8, 14, 14, 16)
    """

    pool_size: fields.IntegerTuple = fields.IntegerTuple(3, default=(2, 2, 2))
    strides: fields.OptionalIntegers = fields.Optional(fields.IntegerTuple(3))
    rank = 3
    output_values = "mixed"
    _pool = staticmethod(ops.max_pool)


@dataclass(frozen=True, repr=False)
class AveragePooling1D(_Pooling):
    """Takes the mean of each window; Keras's `AveragePooling1D`.

    Args:
        pool_size: Length of the window, an integer or a tuple of one. Required, as in Keras.
        strides: Stride of the window; `None` for `pool_size`.
        padding: `"valid"` for no padding, `"same"` for outputs of size ceil(input size / stride).
            Padding is excluded from the mean.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, steps, channels], or [batch, channels, steps] for channels_first.

    Output shape:
        [batch, windows, channels], or [batch, channels, windows].

    Raises:
        ValueError: If an argument is out of range, or the input is shorter than the window without
            padding.

    Example:
        >>> AveragePooling1D(2, padding="same").output_shape((7, 16))
        (4, 16)
    """

    pool_size: fields.IntegerTuple = fields.IntegerTuple(1)
    strides: fields.OptionalIntegers = fields.Optional(fields.IntegerTuple(1))
    rank = 1
    output_values = "mixed"
    _pool = staticmethod(ops.average_pool)


@dataclass(frozen=True, repr=False)
class AveragePooling2D(_Pooling):
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

    pool_size: fields.IntegerTuple = fields.IntegerTuple(2)
    strides: fields.OptionalIntegers = fields.Optional(fields.IntegerTuple(2))
    rank = 2
    output_values = "mixed"
    _pool = staticmethod(ops.average_pool)


@dataclass(frozen=True, repr=False)
class AveragePooling3D(_Pooling):
    """Takes the mean of each window; Keras's `AveragePooling3D`.

    Args:
        pool_size: Depth, height, width of the window; one integer for all. Required, as in Keras.
        strides: Strides of the window; one integer for all axes, `None` for `pool_size`.
        padding: `"valid"` for no padding, `"same"` for outputs of size ceil(input size / stride).
            Padding is excluded from the mean.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, depth, height, width, channels], or [batch, channels, depth, height, width] for
        channels_first.

    Output shape:
        The same with the number of windows along each axis.

    Raises:
        ValueError: If an argument is out of range, or the input is smaller than the window without
            padding.

    Example:
        >>> AveragePooling3D(2, padding="same").output_shape((7, 7, 7, 16))
        (4, 4, 4, 16)
    """

    pool_size: fields.IntegerTuple = fields.IntegerTuple(3)
    strides: fields.OptionalIntegers = fields.Optional(fields.IntegerTuple(3))
    rank = 3
    output_values = "mixed"
    _pool = staticmethod(ops.average_pool)


@dataclass(frozen=True, repr=False)
class SumPooling2D(_Pooling):
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

    pool_size: fields.IntegerTuple = fields.IntegerTuple(2, default=(2, 2))
    strides: fields.OptionalIntegers = fields.Optional(fields.IntegerTuple(2))
    rank = 2
    _pool = staticmethod(ops.sum_pool)
