"""Mixed precision: computation in bfloat16, weights and state in float32."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import FinalActivation, Layer, Params, Shape, State


@dataclass(frozen=True)
class InBfloat16(Layer):
    """Applies a layer in bfloat16; Keras's dtype policy `mixed_bfloat16`.

    Params, state, gradients and the output remain float32, and so do the statistics of batch
    normalization and the losses computed from the output. Intermediate activations take half of the
    memory, and accelerators multiply them at least twice as fast.

    Args:
        layer: Any layer, such as a `Sequential`.

    Input shape:
        Same as for `layer`.

    Output shape:
        Same as for `layer`.

    Raises:
        ValueError: If `layer` is not a layer.

    Example:
        >>> from jaxlayers import layers
        >>> dense = InBfloat16(layers.Dense(3))
        >>> params, state = dense.init(jax.random.key(0), (2,))
        >>> params["kernel"].dtype, dense.apply(params, state, jnp.ones((1, 2)))[0].dtype
        (dtype('float32'), dtype('float32'))
    """

    layer: fields.Instance[Layer] = fields.Instance(Layer, "a jaxlayers.Layer")

    @property
    def input_shape(self) -> Sequence[int] | None:
        """The shape of one example that the layer was constructed with, or `None`."""
        return self.layer.input_shape

    def init(self, key: Array, input_shape: Sequence[int]) -> tuple[Params, State]:
        return self.layer.init(key, input_shape)

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        y, new_state = self.layer.apply(
            *(jax.tree.map(_to_bfloat16, params), state, jax.tree.map(_to_bfloat16, x)),
            training=training,
            key=key,
        )
        # The state keeps its dtype.
        new_state = jax.tree.map(lambda new, old: new.astype(old.dtype), new_state, state)
        return jax.tree.map(_to_float32, y), new_state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        return self.layer.output_shape(input_shape)

    def penalty(self, params: Params, state: State) -> Array:
        return self.layer.penalty(params, state)

    def constrain(self, params: Params) -> Params:
        return self.layer.constrain(params)

    @property
    def output_values(self) -> Literal["computed", "mixed", "moved"]:
        return self.layer.output_values

    def final_activation(self) -> FinalActivation | None:
        return self.layer.final_activation()

    def logits(self) -> Layer:
        return InBfloat16(self.layer.logits())


def _to_bfloat16(array: Array) -> Array:
    is_float32 = getattr(array, "dtype", None) == jnp.float32
    return array.astype(jnp.bfloat16) if is_float32 else array


def _to_float32(array: Array) -> Array:
    return array.astype(jnp.float32) if array.dtype == jnp.bfloat16 else array
