"""Layers that change the shape of their input."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments


class _Permutation(fields.Tuple):
    """A permutation of the axes of an example, counted from 1."""

    def __init__(self) -> None:
        super().__init__(fields.Integer(), "a permutation of the integers 1, 2, ..., as a tuple")

    def convert(self, value: Any) -> Shape:
        dims = super().convert(value)
        if sorted(dims) != list(range(1, len(dims) + 1)):
            raise ValueError
        return dims


class _TargetShape(fields.Tuple):
    """A shape, in which one axis may be -1."""

    def __init__(self) -> None:
        super().__init__(
            fields.Integer(at_least=-1),
            "a tuple of integers that are not negative, one of which may be -1",
        )

    def convert(self, value: Any) -> Shape:
        target = super().convert(value)
        if target.count(-1) > 1:
            raise ValueError
        return target


@dataclass(frozen=True, repr=False)
class Reshape(Layer):
    """Reshapes each example; Keras's `Reshape`.

    Args:
        target_shape: Shape of one example of the output. One axis may be -1, which is inferred from
            the size of the input.

    Input shape:
        [batch, ...]; examples must have the same size as `target_shape`.

    Output shape:
        [batch, *target_shape].

    Raises:
        ValueError: If `target_shape` is not a shape, or its size is not that of the input.

    Example:
        >>> Reshape((7, 7, -1)).output_shape((12544,))
        (7, 7, 256)
    """

    target_shape: _TargetShape = _TargetShape()

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
        shape = self.output_shape(arguments.shape_of_examples(self, x))
        return jnp.reshape(x, (x.shape[0], *shape)), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        shape = arguments.example_shape(self, input_shape)
        size, known = math.prod(shape), math.prod(d for d in self.target_shape if d != -1)
        if -1 in self.target_shape:
            is_valid = known != 0 and size % known == 0
        else:
            is_valid = size == known
        if not is_valid:
            raise ValueError(
                f"{self!r}: input_shape must have the same size as target_shape "
                f"{self.target_shape}, got {shape} of size {size}"
            )
        return tuple(size // known if d == -1 else d for d in self.target_shape)


@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """Flattens each example into a vector; Keras's `Flatten`.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; `None` for the configured one. With
            `"channels_first"`, the channels are moved to the last axis before flattening, so that
            both formats give the same vector.

    Input shape:
        [batch, ...].

    Output shape:
        [batch, size of one example].

    Raises:
        ValueError: If the data format is invalid.

    Example:
        >>> Flatten().output_shape((7, 7, 256))
        (12544,)
    """

    data_format: fields.DataFormat = fields.DataFormat()

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
        shape = self.output_shape(arguments.shape_of_examples(self, x))
        if self.data_format == "channels_first" and x.ndim > 1:
            x = jnp.moveaxis(x, 1, -1)
        return jnp.reshape(x, (x.shape[0], *shape)), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        return (math.prod(arguments.example_shape(self, input_shape)),)


@dataclass(frozen=True, repr=False)
class Permute(Layer):
    """Permutes the axes of each example; Keras's `Permute`.

    Args:
        dims: The axes of the input in the order of the output, counting the batch as axis 0; for
            example `(2, 1)` to transpose.

    Input shape:
        [batch, ...], examples with as many axes as `dims`.

    Output shape:
        [batch, ...], the axes in the order of `dims`.

    Raises:
        ValueError: If `dims` is not a permutation, or the input has another number of axes.

    Example:
        >>> Permute((3, 1, 2)).output_shape((7, 5, 2))
        (2, 7, 5)
    """

    dims: _Permutation = _Permutation()

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
        self.output_shape(arguments.shape_of_examples(self, x))
        return jnp.transpose(x, (0, *self.dims)), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        shape = arguments.example_shape(self, input_shape)
        if len(shape) != len(self.dims):
            raise ValueError(
                f"{self!r}: input_shape must have {len(self.dims)} axes, as dims, got {shape}"
            )
        return tuple(shape[dim - 1] for dim in self.dims)


@dataclass(frozen=True, repr=False)
class RepeatVector(Layer):
    """Repeats each vector `n` times; Keras's `RepeatVector`.

    Args:
        n: Number of repetitions, a positive integer.

    Input shape:
        [batch, features].

    Output shape:
        [batch, n, features].

    Raises:
        ValueError: If `n` is not a positive integer, or examples are not vectors.

    Example:
        >>> RepeatVector(3).output_shape((32,))
        (3, 32)
    """

    n: fields.PositiveInteger = fields.PositiveInteger()

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
        arguments.shape_of_examples(self, x, "features")
        return jnp.repeat(x[:, None], self.n, axis=1), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        return (self.n, *arguments.example_shape(self, input_shape, "features"))
