"""Zero padding of images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments

_Pair = tuple[int, int]


class _Padding(fields.Field[int | Sequence[int | Sequence[int]], tuple[_Pair, _Pair]]):
    """The padding of rows and columns, `((top, bottom), (left, right))`."""

    allowed = "an integer, (rows, columns) or ((top, bottom), (left, right)), not negative"

    def convert(self, value: Any) -> tuple[_Pair, _Pair]:
        side = fields.IntegerPair(at_least=0)
        rows, columns = (value, value) if isinstance(value, int) else value
        return side.convert(rows), side.convert(columns)


@dataclass(frozen=True, repr=False)
class ZeroPadding2D(Layer):
    """Adds rows and columns of zeros around images; Keras's `ZeroPadding2D`.

    Args:
        padding: `((top, bottom), (left, right))`, `(rows, columns)` for symmetric padding, or one
            integer for all sides.
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one.

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        [batch, top + height + bottom, left + width + right, channels], or
        [batch, channels, top + height + bottom, left + width + right] for channels_first.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> ZeroPadding2D(((1, 0), (2, 2))).output_shape((28, 28, 1))
        (29, 32, 1)
    """

    padding: _Padding = _Padding(default=(1, 1))
    data_format: fields.DataFormat = fields.DataFormat()

    output_values = "mixed"

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        arguments.shape_of_examples(self, x, *arguments.image_axes(self))
        return jnp.pad(x, ((0, 0), *arguments.join_channels(self, self.padding, (0, 0)))), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        (height, width), channels = arguments.split_channels(self, input_shape)
        rows, columns = self.padding
        spatial = (height + sum(rows), width + sum(columns))
        return arguments.join_channels(self, spatial, channels)
