"""Pooling to an output of a fixed size, in one to three dimensions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from jax import Array

from jaxlayers import _fields as fields
from jaxlayers import ops
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments


@dataclass(frozen=True, repr=False)
class _AdaptivePooling(Layer):
    """The base class of adaptive pooling layers, whose windows follow from the output size."""

    output_size: fields.IntegerTuple = fields.IntegerTuple()
    data_format: fields.DataFormat = fields.DataFormat()

    output_values = "mixed"
    rank: ClassVar[int]
    _pool: ClassVar[Callable[..., Array]]

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
        return type(self)._pool(x, self.output_size, arguments.spatial_axes(self)), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        spatial, channels = arguments.split_channels(self, input_shape)
        if 0 in spatial:
            raise ValueError(f"{self!r}: input_shape must not be empty, got {tuple(input_shape)}")
        return arguments.join_channels(self, self.output_size, channels)


@dataclass(frozen=True, repr=False)
class AdaptiveAveragePooling1D(_AdaptivePooling):
    """Pools to a fixed size by the mean; Keras's `AdaptiveAveragePooling1D`.

    Output i of an axis is the mean of the positions from floor(i * size / outputs) to
    ceil((i + 1) * size / outputs), for `size` positions of the input.

    Args:
        output_size: Length of the output, an integer or a tuple of one.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, steps, channels], or [batch, channels, steps] for channels_first.

    Output shape:
        [batch, output_size, channels], or [batch, channels, output_size].

    Raises:
        ValueError: If an argument is out of range, or the input is empty.

    Example:
        >>> AdaptiveAveragePooling1D(7).output_shape((28, 16))
        (7, 16)
    """

    output_size: fields.IntegerTuple = fields.IntegerTuple(1)
    rank = 1
    _pool = staticmethod(ops.adaptive_average_pool)


@dataclass(frozen=True, repr=False)
class AdaptiveAveragePooling2D(_AdaptivePooling):
    """Pools to a fixed size by the mean; Keras's `AdaptiveAveragePooling2D`.

    Output i of an axis is the mean of the positions from floor(i * size / outputs) to
    ceil((i + 1) * size / outputs), for `size` positions of the input.

    Args:
        output_size: Height and width of the output; one integer for both.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        [batch, *output_size, channels], or [batch, channels, *output_size].

    Raises:
        ValueError: If an argument is out of range, or the input is empty.

    Example:
        >>> AdaptiveAveragePooling2D(7).output_shape((28, 30, 16))
        (7, 7, 16)
    """

    output_size: fields.IntegerTuple = fields.IntegerTuple(2)
    rank = 2
    _pool = staticmethod(ops.adaptive_average_pool)


@dataclass(frozen=True, repr=False)
class AdaptiveAveragePooling3D(_AdaptivePooling):
    """Pools to a fixed size by the mean; Keras's `AdaptiveAveragePooling3D`.

    Output i of an axis is the mean of the positions from floor(i * size / outputs) to
    ceil((i + 1) * size / outputs), for `size` positions of the input.

    Args:
        output_size: Depth, height and width of the output; one integer for all.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, depth, height, width, channels], or [batch, channels, depth, height, width] for
        channels_first.

    Output shape:
        [batch, *output_size, channels], or [batch, channels, *output_size].

    Raises:
        ValueError: If an argument is out of range, or the input is empty.

    Example:
        >>> AdaptiveAveragePooling3D(7).output_shape((8, 28, 30, 16))
        (7, 7, 7, 16)
    """

    output_size: fields.IntegerTuple = fields.IntegerTuple(3)
    rank = 3
    _pool = staticmethod(ops.adaptive_average_pool)


@dataclass(frozen=True, repr=False)
class AdaptiveMaxPooling1D(_AdaptivePooling):
    """Pools to a fixed size by the maximum; Keras's `AdaptiveMaxPooling1D`.

    Output i of an axis is the maximum of the positions from floor(i * size / outputs) to
    ceil((i + 1) * size / outputs), for `size` positions of the input.

    Args:
        output_size: Length of the output, an integer or a tuple of one.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, steps, channels], or [batch, channels, steps] for channels_first.

    Output shape:
        [batch, output_size, channels], or [batch, channels, output_size].

    Raises:
        ValueError: If an argument is out of range, or the input is empty.

    Example:
        >>> AdaptiveMaxPooling1D(7).output_shape((28, 16))
        (7, 16)
    """

    output_size: fields.IntegerTuple = fields.IntegerTuple(1)
    rank = 1
    _pool = staticmethod(ops.adaptive_max_pool)


@dataclass(frozen=True, repr=False)
class AdaptiveMaxPooling2D(_AdaptivePooling):
    """Pools to a fixed size by the maximum; Keras's `AdaptiveMaxPooling2D`.

    Output i of an axis is the maximum of the positions from floor(i * size / outputs) to
    ceil((i + 1) * size / outputs), for `size` positions of the input.

    Args:
        output_size: Height and width of the output; one integer for both.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        [batch, *output_size, channels], or [batch, channels, *output_size].

    Raises:
        ValueError: If an argument is out of range, or the input is empty.

    Example:
        >>> AdaptiveMaxPooling2D(7).output_shape((28, 30, 16))
        (7, 7, 16)
    """

    output_size: fields.IntegerTuple = fields.IntegerTuple(2)
    rank = 2
    _pool = staticmethod(ops.adaptive_max_pool)


@dataclass(frozen=True, repr=False)
class AdaptiveMaxPooling3D(_AdaptivePooling):
    """Pools to a fixed size by the maximum; Keras's `AdaptiveMaxPooling3D`.

    Output i of an axis is the maximum of the positions from floor(i * size / outputs) to
    ceil((i + 1) * size / outputs), for `size` positions of the input.

    Args:
        output_size: Depth, height and width of the output; one integer for all.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, depth, height, width, channels], or [batch, channels, depth, height, width] for
        channels_first.

    Output shape:
        [batch, *output_size, channels], or [batch, channels, *output_size].

    Raises:
        ValueError: If an argument is out of range, or the input is empty.

    Example:
        >>> AdaptiveMaxPooling3D(7).output_shape((8, 28, 30, 16))
        (7, 7, 7, 16)
    """

    output_size: fields.IntegerTuple = fields.IntegerTuple(3)
    rank = 3
    _pool = staticmethod(ops.adaptive_max_pool)
