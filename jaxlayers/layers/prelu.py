"""The rectified linear unit with learned slopes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import FinalActivation, Layer, Params, Shape, State
from jaxlayers.layers import arguments, weights
from jaxlayers.layers.precision import floating


class _SharedAxes(fields.Field[int | Sequence[int] | None, tuple[int, ...] | None]):
    """Axes of examples, as a tuple; `None` for none."""

    allowed = "a positive integer, a tuple of them or None"

    def convert(self, value: Any) -> tuple[int, ...] | None:
        if value is None:
            return None
        axes = fields.Tuple(fields.PositiveInteger(), self.allowed)
        return axes.convert((value,) if isinstance(value, int) else value)


@dataclass(frozen=True, repr=False)
class PReLU(Layer):
    """Parametric rectified linear unit; Keras's `PReLU`.

    The output is `x` where `x` is positive and `alpha * x` elsewhere, with a trainable `alpha`.

    Args:
        alpha_initializer: A name or a function `(key, shape, dtype) -> array`.
        alpha_regularizer: A name or a function from alpha to a scalar penalty.
        alpha_constraint: A name or a function that projects alpha.
        shared_axes: The axes along which alpha is constant, counting the batch as axis 0; for
            example `(1, 2)` for one value per channel of [batch, height, width, channels].

    Params:
        `alpha`, the shape of one example, with size 1 along `shared_axes`.

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an argument is invalid, or the input does not have a shared axis.

    Reference:
        He et al., 2015, https://arxiv.org/abs/1502.01852

    Example:
        >>> params, state = PReLU(shared_axes=(1, 2)).init(jax.random.key(0), (7, 7, 256))
        >>> params["alpha"].shape
        (1, 1, 256)
    """

    alpha_initializer: fields.Identifier = weights.initializer_field("zeros")
    alpha_regularizer: fields.Identifier = weights.regularizer_field()
    alpha_constraint: fields.Identifier = weights.constraint_field()
    shared_axes: _SharedAxes = _SharedAxes(default=None)

    def init(self, key: Array, input_shape: Sequence[int]) -> tuple[Params, State]:
        return weights.initialize(self, key, self._weights(input_shape)), {}

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        shape = arguments.shape_of_examples(self, x)
        weights.check(self, "params", params, self._weights(shape))
        weights.check(self, "state", state, {})
        x = floating(x)
        # Keras's expression, whose derivative at 0 is 0.
        return jax.nn.relu(x) - params["alpha"][None] * jax.nn.relu(-x), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        shape = arguments.example_shape(self, input_shape)
        if max(self.shared_axes or (0,)) > len(shape):
            raise ValueError(
                f"{self!r}: shared_axes must be from 1 to {len(shape)} for examples of shape "
                f"{shape}, got {self.shared_axes}"
            )
        return shape

    penalty = weights.penalty
    constrain = weights.constrain

    def final_activation(self) -> FinalActivation:
        return FinalActivation("prelu")

    def _weights(self, input_shape: Sequence[int]) -> dict[str, Shape]:
        shape = self.output_shape(input_shape)
        shared = self.shared_axes or ()
        alpha = tuple(1 if axis in shared else size for axis, size in enumerate(shape, start=1))
        return {"alpha": alpha}
