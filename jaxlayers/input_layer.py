"""Symbolic inputs of models."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers._symbolic import Call, SymbolicTensor
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers.arguments import example_shape, shape_of_examples


class _Dtype(fields.Field[Any, str]):
    """The dtype of numbers, by name."""

    allowed = "the dtype of numbers, such as 'float32' or 'int32'"

    def convert(self, value: Any) -> str:
        dtype = jnp.dtype(value)
        is_number = jnp.issubdtype(dtype, jnp.number) or jnp.issubdtype(dtype, jnp.bool_)
        if value is None or not is_number:
            raise ValueError
        return str(dtype)


@dataclass(frozen=True, repr=False)
class InputLayer(Layer):
    """The input of a `Functional`; Keras's `InputLayer`.

    `jaxlayers.Input` constructs one and returns its symbolic output.

    Args:
        shape: Shape of one example, with `None` for any size.
        dtype: Dtype of the input. Integers are converted to it if it is floating, and floating
            arrays if it is not. Floating arrays are not converted to another floating dtype, so
            that a model can compute in any precision. `None` for no conversion.

    Input shape:
        [batch, *shape].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If `shape` is not a shape, or `dtype` is not a dtype of numbers.

    Example:
        >>> InputLayer((2,), "float32").apply({}, {}, jnp.ones((1, 2), int))[0].dtype
        dtype('float32')
    """

    shape: fields.Tuple = fields.Tuple(
        fields.Optional(fields.Integer(at_least=0)),
        "a tuple of integers that are not negative, the shape of one example, or None for any size",
    )
    dtype: fields.Optional[Any, str] = fields.Optional(_Dtype())

    output_values = "moved"

    @property
    def input_shape(self) -> Any:
        """The shape of one example, with `None` for any size."""
        return self.shape

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        shape_of_examples(self, x)
        if self.dtype is not None:
            is_floating = [jnp.issubdtype(d, jnp.inexact) for d in (x.dtype, self.dtype)]
            if not all(is_floating) and x.dtype != self.dtype:
                x = jnp.asarray(x, self.dtype)
        return x, state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        return example_shape(self, input_shape)

    def __call__(self, x: Any, *, name: str | None = None) -> NoReturn:
        raise TypeError(f"{self!r}: an input layer has no inputs, got {x!r}; use jaxlayers.Input")


def Input(  # noqa: N802 - Keras's name
    shape: Sequence[int | None], name: str | None = None, dtype: Any = None
) -> SymbolicTensor:
    """Returns a symbolic input, from which a `Functional` is constructed; Keras's `Input`.

    Args:
        shape: Shape of one example, with `None` for any size; the weights of the model must not
            depend on these sizes.
        name: Name of the input; `None` for Keras's name, `input_layer`.
        dtype: As in `InputLayer`: integers are converted to it if it is floating, and floating
            arrays if it is not. `None` for no conversion.

    Raises:
        ValueError: If `shape` is not a shape, `name` is not a string, or `dtype` is not a dtype of
            numbers.

    Example:
        >>> Input((28, 28, 1)).shape
        (None, 28, 28, 1)
    """
    if name is not None:
        name = fields.Text().check("Input", "name", name)
    layer = InputLayer(shape, dtype)
    return SymbolicTensor((None, *layer.input_shape), Call(layer, (), name))
