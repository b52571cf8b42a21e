"""Vectors looked up by index."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments, weights


@dataclass(frozen=True, repr=False)
class Embedding(Layer):
    """Looks up a vector for each integer of the input; Keras's `Embedding`.

    Floats are truncated to integers. As in Keras on JAX, negative indices count from the end, and
    the vector of an index that is out of range is NaN.

    Keras's argument `weights` has no counterpart, since `init` returns the embeddings: replace
    `params["embeddings"]` instead.

    Args:
        input_dim: Number of vectors.
        output_dim: Size of a vector.
        embeddings_initializer: A name or a function `(key, shape, dtype) -> array`.
        embeddings_regularizer: A name or a function from the embeddings to a scalar penalty.
        embeddings_constraint: A name or a function that projects the embeddings.
        mask_zero: Keras's argument for masking; must be False, because the layers of this library
            have no masks.

    Params:
        `embeddings` [input_dim, output_dim].

    Input shape:
        [batch, ...], indices below `input_dim`.

    Output shape:
        [batch, ..., output_dim].

    Raises:
        ValueError: If an argument is out of range, or the dtype of the input is a float that does
            not represent all indices.

    Example:
        >>> layer = Embedding(1000, 64)
        >>> params, state = layer.init(jax.random.key(0), (10,))
        >>> layer.apply(params, state, jnp.zeros((2, 10), int))[0].shape
        (2, 10, 64)
    """

    input_dim: fields.PositiveInteger = fields.PositiveInteger()
    output_dim: fields.PositiveInteger = fields.PositiveInteger()
    embeddings_initializer: fields.Identifier = weights.initializer_field("uniform")
    embeddings_regularizer: fields.Identifier = weights.regularizer_field()
    embeddings_constraint: fields.Identifier = weights.constraint_field()
    mask_zero: fields.Boolean = fields.Boolean(default=False)

    def __post_init__(self) -> None:
        if self.mask_zero:
            raise ValueError(
                "Embedding: mask_zero must be False, got True; layers have no masks, so that "
                "positions with index 0 would not be skipped as in Keras"
            )

    def init(self, key: Array, input_shape: Sequence[int]) -> tuple[Params, State]:
        self.output_shape(input_shape)
        return weights.initialize(self, key, self._weights()), {}

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        arguments.shape_of_examples(self, x)
        weights.check(self, "params", params, self._weights())
        weights.check(self, "state", state, {})
        return jnp.take(params["embeddings"], self._indices(x), axis=0), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        return (*arguments.example_shape(self, input_shape), self.output_dim)

    penalty = weights.penalty
    constrain = weights.constrain

    def _weights(self) -> dict[str, Shape]:
        return {"embeddings": (self.input_dim, self.output_dim)}

    def _indices(self, x: Array) -> Array:
        x = jnp.asarray(x)
        if x.dtype in (jnp.int32, jnp.int64):
            return x
        # Of the float formats, bfloat16 represents integers up to 256 and float16 up to 2048.
        if jnp.issubdtype(x.dtype, jnp.floating) and self.input_dim - 1 > 2 ** (
            jnp.finfo(x.dtype).nmant + 1
        ):
            raise ValueError(
                f"{self!r}: x must have an integer dtype, or a float dtype that represents all "
                f"indices below input_dim, got {x.dtype}"
            )
        return x.astype(jnp.int32)
