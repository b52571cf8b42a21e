"""Mixed precision: computation in bfloat16, weights and state in float32."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from jaxlayers.layer import Params, State
from jaxlayers.layers.wrapper import Wrapper


@dataclass(frozen=True, repr=False)
class InBfloat16(Wrapper):
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


def _to_bfloat16(array: Array) -> Array:
    is_float32 = getattr(array, "dtype", None) == jnp.float32
    return array.astype(jnp.bfloat16) if is_float32 else array


def _to_float32(array: Array) -> Array:
    return array.astype(jnp.float32) if array.dtype == jnp.bfloat16 else array
