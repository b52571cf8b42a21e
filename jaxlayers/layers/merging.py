"""Layers that merge several inputs into one output."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments


class MergingLayer(Layer):
    """The base class of layers whose input is a tuple or list of arrays."""


class ElementwiseLayer(MergingLayer):
    """The base class of layers that merge their inputs element by element."""

    def _merge(self, inputs: Sequence[Array]) -> Array:
        """Merges inputs of the same rank, at least one."""
        raise NotImplementedError

    def apply(
        self,
        params: Params,
        state: State,
        x: Any,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        inputs = input_arrays(self, x)
        rank = len(self.output_shape([i.shape[1:] for i in inputs])) + 1
        # As in Keras, missing axes are inserted after the batch.
        return self._merge([jnp.expand_dims(i, range(1, 1 + rank - i.ndim)) for i in inputs]), state

    def output_shape(self, input_shape: Sequence[Any]) -> Shape:
        shapes = input_shapes(self, input_shape)
        try:
            return tuple(jnp.broadcast_shapes(*shapes))
        except ValueError:
            raise ValueError(
                f"{self!r}: input_shape must be shapes that can be broadcast to each other, "
                f"got {shapes}"
            ) from None


@dataclass(frozen=True, repr=False)
class Add(ElementwiseLayer):
    """Sum of the inputs; Keras's `Add`.

    Input shape:
        A tuple or list of at least one array, [batch, ...], whose examples can be broadcast to each
        other.

    Output shape:
        [batch, *broadcast shape].

    Raises:
        ValueError: If the shapes do not match.
        TypeError: If the input is not a tuple or list of arrays.

    Example:
        >>> Add().apply({}, {}, [jnp.ones((2, 3)), jnp.ones((2, 4, 3))])[0].shape
        (2, 4, 3)
    """

    def _merge(self, inputs: Sequence[Array]) -> Array:
        return reduce(jnp.add, floating(inputs))


@dataclass(frozen=True, repr=False)
class Subtract(ElementwiseLayer):
    """Difference of two inputs, the first minus the second; Keras's `Subtract`.

    Input shape:
        A tuple or list of two arrays, [batch, ...], whose examples can be broadcast to each other.

    Output shape:
        [batch, *broadcast shape].

    Raises:
        ValueError: If there are not two inputs, or the shapes do not match.
        TypeError: If the input is not a tuple or list of arrays.

    Example:
        >>> Subtract().apply({}, {}, [jnp.array([[5.0]]), jnp.array([[3.0]])])[0].tolist()
        [[2.0]]
    """

    def _merge(self, inputs: Sequence[Array]) -> Array:
        return jnp.subtract(*floating(inputs))

    def output_shape(self, input_shape: Sequence[Any]) -> Shape:
        return super().output_shape(input_shapes(self, input_shape, count=2))


@dataclass(frozen=True, repr=False)
class Multiply(ElementwiseLayer):
    """Product of the inputs; Keras's `Multiply`.

    Input shape:
        A tuple or list of at least one array, [batch, ...], whose examples can be broadcast to each
        other.

    Output shape:
        [batch, *broadcast shape].

    Raises:
        ValueError: If the shapes do not match.
        TypeError: If the input is not a tuple or list of arrays.

    Example:
        >>> Multiply().apply({}, {}, [jnp.array([[5.0]]), jnp.array([[3.0]])])[0].tolist()
        [[15.0]]
    """

    def _merge(self, inputs: Sequence[Array]) -> Array:
        return reduce(jnp.multiply, floating(inputs))


@dataclass(frozen=True, repr=False)
class Average(ElementwiseLayer):
    """Mean of the inputs; Keras's `Average`.

    Input shape:
        A tuple or list of at least one array, [batch, ...], whose examples can be broadcast to each
        other.

    Output shape:
        [batch, *broadcast shape].

    Raises:
        ValueError: If the shapes do not match.
        TypeError: If the input is not a tuple or list of arrays.

    Example:
        >>> Average().apply({}, {}, [jnp.array([[5.0]]), jnp.array([[3.0]])])[0].tolist()
        [[4.0]]
    """

    def _merge(self, inputs: Sequence[Array]) -> Array:
        return reduce(jnp.add, floating(inputs)) / len(inputs)


@dataclass(frozen=True, repr=False)
class Maximum(ElementwiseLayer):
    """Elementwise maximum of the inputs; Keras's `Maximum`.

    Input shape:
        A tuple or list of at least one array, [batch, ...], whose examples can be broadcast to each
        other.

    Output shape:
        [batch, *broadcast shape].

    Raises:
        ValueError: If the shapes do not match.
        TypeError: If the input is not a tuple or list of arrays.

    Example:
        >>> Maximum().apply({}, {}, [jnp.array([[5.0]]), jnp.array([[3.0]])])[0].tolist()
        [[5.0]]
    """

    def _merge(self, inputs: Sequence[Array]) -> Array:
        return reduce(jnp.maximum, inputs)


@dataclass(frozen=True, repr=False)
class Minimum(ElementwiseLayer):
    """Elementwise minimum of the inputs; Keras's `Minimum`.

    Input shape:
        A tuple or list of at least one array, [batch, ...], whose examples can be broadcast to each
        other.

    Output shape:
        [batch, *broadcast shape].

    Raises:
        ValueError: If the shapes do not match.
        TypeError: If the input is not a tuple or list of arrays.

    Example:
        >>> Minimum().apply({}, {}, [jnp.array([[5.0]]), jnp.array([[3.0]])])[0].tolist()
        [[3.0]]
    """

    def _merge(self, inputs: Sequence[Array]) -> Array:
        return reduce(jnp.minimum, inputs)


class _Axis(fields.Integer):
    """An axis of a batch of examples, other than the batch axis."""

    def __init__(self, *, default: int) -> None:
        super().__init__(default=default)
        self.allowed = "an integer other than 0, which is the batch axis"

    def convert(self, value: Any) -> int:
        axis = super().convert(value)
        if axis == 0:
            raise ValueError
        return axis


class _DotAxes(fields.Field[int | Sequence[int], int | tuple[int, ...]]):
    """One axis for both inputs of a dot product, or a tuple of two."""

    allowed = "an integer other than 0, which is the batch axis, or a tuple of two"

    def convert(self, value: Any) -> int | tuple[int, ...]:
        axis = _Axis(default=1)
        return axis.convert(value) if isinstance(value, int) else _two(map(axis.convert, value))


@dataclass(frozen=True, repr=False)
class Concatenate(MergingLayer):
    """Concatenates the inputs along one axis; Keras's `Concatenate`.

    Args:
        axis: The axis, counting the batch axis 0, which is not allowed.

    Input shape:
        A tuple or list of at least one array, [batch, ...], of the same shape except for `axis`.

    Output shape:
        That of the inputs; the extent of `axis` is the sum of theirs.

    Raises:
        ValueError: If `axis` is not an axis of the examples, or the shapes do not match.
        TypeError: If the input is not a tuple or list of arrays.

    Example:
        >>> Concatenate().output_shape([(4, 4, 3), (4, 4, 5)])
        (4, 4, 8)
    """

    axis: _Axis = _Axis(default=-1)

    def apply(
        self,
        params: Params,
        state: State,
        x: Any,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        inputs = input_arrays(self, x)
        self.output_shape([i.shape[1:] for i in inputs])
        return jnp.concatenate(inputs, self.axis), state

    def output_shape(self, input_shape: Sequence[Any]) -> Shape:
        shapes = input_shapes(self, input_shape)
        axis = _example_axis(self, "axis", self.axis, shapes[0])
        others = {shape[:axis] + shape[axis + 1 :] for shape in shapes}
        if len(others) > 1 or len({*map(len, shapes)}) > 1:
            raise ValueError(
                f"{self!r}: input_shape must be shapes that are equal except for axis {self.axis}, "
                f"got {shapes}"
            )
        return (*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :])


@dataclass(frozen=True, repr=False)
class Dot(MergingLayer):
    """Dot product of two inputs along one axis of each; Keras's `Dot`.

    Args:
        axes: The axis of both inputs, or a tuple of one axis for each; they count the batch axis 0,
            which is not allowed.
        normalize: Whether to divide the inputs by their L2 norm along the axis first, so that the
            output is their cosine similarity.

    Input shape:
        A tuple or list of two arrays, [batch, ...], with the same extent along the axes.

    Output shape:
        [batch, *the other axes of the first, *the other axes of the second]; [batch, 1] if there
        are none.

    Raises:
        ValueError: If `axes` are not axes of the examples, there are not two inputs, or the shapes
            do not match.
        TypeError: If the input is not a tuple or list of arrays.

    Example:
        >>> Dot(axes=(1, 2)).output_shape([(3, 5), (10, 3)])
        (5, 10)
    """

    axes: _DotAxes = _DotAxes()
    normalize: fields.Boolean = fields.Boolean(default=False)

    def apply(
        self,
        params: Params,
        state: State,
        x: Any,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        inputs = floating(input_arrays(self, x))
        shapes = [i.shape[1:] for i in inputs]
        shape = self.output_shape(shapes)
        axes = [axis + 1 for axis in self._example_axes(shapes)]
        if self.normalize:
            inputs = list(map(_normalize, inputs, axes))
        first, second = inputs
        contracting = (axes[:1], axes[1:])
        y = jax.lax.dot_general(
            first, second, (contracting, ([0], [0])), preferred_element_type=first.dtype
        )
        return jnp.reshape(y, (y.shape[0], *shape)), state

    def output_shape(self, input_shape: Sequence[Any]) -> Shape:
        first, second = shapes = input_shapes(self, input_shape, count=2)
        i, j = self._example_axes(shapes)
        if first[i] != second[j]:
            raise ValueError(
                f"{self!r}: input_shape must be two shapes with the same extent along axes "
                f"{self.axes}, got {shapes}"
            )
        return (*first[:i], *first[i + 1 :], *second[:j], *second[j + 1 :]) or (1,)

    def _example_axes(self, shapes: Sequence[Shape]) -> tuple[int, ...]:
        axes = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        return tuple(
            _example_axis(self, "axes", axis, shape)
            for axis, shape in zip(axes, shapes, strict=True)
        )


# The smallest norm that `Dot` divides by; Keras's `backend.epsilon()`.
_EPSILON = 1e-7


def _normalize(x: Array, axis: int) -> Array:
    """Divides `x` by its L2 norm along an axis."""
    squares = jnp.sum(jnp.square(x), axis, keepdims=True)
    # The maximum of the squares instead of the norms, whose gradient at 0 is not finite.
    return x * jax.lax.rsqrt(jnp.maximum(squares, _EPSILON**2))


def floating(inputs: Sequence[Array]) -> Sequence[Array]:
    """Converts inputs to their common dtype, or to the default one if all of them are integers."""
    dtype = jnp.result_type(*inputs)
    dtype = dtype if jnp.issubdtype(dtype, jnp.inexact) else jnp.result_type(float)
    return [i.astype(dtype) for i in inputs]


def _two(values: Any) -> tuple[Any, Any]:
    first, second = values
    return first, second


def input_shapes(layer: Layer, input_shape: Any, *, count: int | None = None) -> tuple[Shape, ...]:
    """Checks that `input_shape` is a sequence of shapes, `count` or at least one, and returns it.

    Raises:
        ValueError: If it is not.
    """
    number = "one shape per input" if count is None else f"{count} shapes"
    shapes = arguments.as_tuple(input_shape)
    if not shapes or any(arguments.as_tuple(s) is None for s in shapes):
        raise ValueError(f"{layer!r}: input_shape must be a tuple of {number}, got {input_shape!r}")
    if count is not None and len(shapes) != count:
        raise ValueError(f"{layer!r}: input_shape must be a tuple of {number}, got {shapes}")
    return tuple(arguments.example_shape(layer, shape) for shape in shapes)


def input_arrays(layer: Layer, x: Any) -> list[Array]:
    """Checks that `x` is a sequence of arrays with the same batch size and returns them.

    Raises:
        TypeError: If it is not a sequence of arrays.
        ValueError: If there are none, or their batch sizes differ.
    """
    if not isinstance(x, tuple | list):
        raise TypeError(f"{layer!r}: x must be a tuple or list of arrays, got {type(x).__name__}")
    for i in x:
        arguments.shape_of_examples(layer, i)
    if len({i.shape[0] for i in x}) != 1:
        raise ValueError(
            f"{layer!r}: x must be at least one array, with the same batch size, got "
            f"{', '.join(str(i.shape) for i in x) or 'none'}"
        )
    return list(map(jnp.asarray, x))


def _example_axis(layer: Layer, name: str, axis: int, shape: Shape) -> int:
    """Returns the axis of one example, counted from 0, of an axis that counts the batch."""
    rank = len(shape) + 1
    if not -rank <= axis < rank or axis % rank == 0:
        raise ValueError(
            f"{layer!r}: {name} must be axes of the input other than the batch, "
            f"got {axis} for examples of shape {shape}"
        )
    return axis % rank - 1
