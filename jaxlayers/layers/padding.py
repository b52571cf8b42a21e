"""Zeros around images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments
from jaxlayers.layers.arguments import DataFormat, IntOrPair


@dataclass(frozen=True, repr=False)
class ZeroPadding2D(Layer):
    """Adds rows and columns of zeros around images; Keras's `ZeroPadding2D`.

    Args:
        padding: `((top, bottom), (left, right))`; `(rows, columns)` for as many on both sides;
            one integer for all four.
        data_format: `"channels_last"` or `"channels_first"`; the configured one where `None`.

    Input shape:
        [batch, height, width, channels], or [batch, channels, height, width] for channels_first.

    Output shape:
        [batch, top + height + bottom, left + width + right, channels], or with the channels
        first.

    Raises:
        ValueError: an argument outside what is said above.

    Example:
        >>> ZeroPadding2D(((1, 0), (2, 2))).output_shape((28, 28, 1))
        (29, 32, 1)
    """

    padding: IntOrPair = (1, 1)
    data_format: DataFormat = None

    def __post_init__(self) -> None:
        arguments.settle(self, padding=self._pairs(), data_format=arguments.data_format(self))

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
        axes = arguments.IMAGE_AXES[self.data_format]
        arguments.shape_of_examples(self, x, *axes)
        return jnp.pad(x, [(0, 0), *(self._around(axis) for axis in axes)]), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        axes = arguments.IMAGE_AXES[self.data_format]
        shape = arguments.example_shape(self, input_shape, *axes)
        return tuple(
            extent + sum(self._around(axis)) for axis, extent in zip(axes, shape, strict=True)
        )

    def _around(self, axis: str) -> tuple[int, int]:
        rows, columns = self.padding
        return {"height": rows, "width": columns}.get(axis, (0, 0))

    def _pairs(self) -> tuple[tuple[int, ...], ...]:
        def two(value: Any) -> tuple[Any, ...]:
            return (
                (value, value) if arguments.is_integer(value) else arguments.as_tuple(value) or ()
            )

        sides = tuple(two(side) for side in two(self.padding))
        if list(map(len, sides)) != [2, 2] or not all(
            arguments.is_integer(n) and n >= 0 for side in sides for n in side
        ):
            raise arguments.refuse(
                self,
                "padding",
                "an integer, two, or ((top, bottom), (left, right)), none of them negative",
                self.padding,
            )
        return sides
