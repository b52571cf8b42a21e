"""The layers that keras.applications defines for its own models."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments, weights
from jaxlayers.layers.merging import ElementwiseLayer, floating, input_shapes


@dataclass(frozen=True, repr=False)
class LayerScale(Layer):
    """Multiplies each channel by a weight; the layer of this name in Keras's ConvNeXt.

    Args:
        init_values: Initial value of the weights.
        projection_dim: Number of channels.

    Params:
        `gamma`: [channels].

    Input shape:
        [batch, ..., channels].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an argument is invalid, or the input has another number of channels.

    Reference:
        Touvron et al., 2021, Going Deeper with Image Transformers

    Example:
        >>> layer = LayerScale(0.5, 2)
        >>> params, state = layer.init(jax.random.key(0), (2,))
        >>> layer.apply(params, state, jnp.array([[2.0, 4.0]]))[0].tolist()
        [[1.0, 2.0]]
    """

    init_values: fields.Number = fields.Number()
    projection_dim: fields.PositiveInteger = fields.PositiveInteger()

    def init(self, key: Array, input_shape: Sequence[int]) -> tuple[Params, State]:
        self.output_shape(input_shape)
        fields.Key().check(self, "key", key)
        return {"gamma": jnp.full((self.projection_dim,), self.init_values, float)}, {}

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
        weights.check(self, "params", params, {"gamma": (self.projection_dim,)})
        weights.check(self, "state", state, {})
        return x * jnp.expand_dims(params["gamma"], range(x.ndim - 1)), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        shape = arguments.example_shape(self, input_shape)
        if not shape or shape[-1] != self.projection_dim:
            raise ValueError(
                f"{self!r}: input_shape must end in projection_dim={self.projection_dim} channels, "
                f"got {shape}"
            )
        return shape


@dataclass(frozen=True, repr=False)
class CustomScaleLayer(ElementwiseLayer):
    """Computes `x[0] + scale * x[1]`; the layer of this name in Keras's InceptionResNetV2.

    Args:
        scale: Factor of the second input.

    Input shape:
        A tuple or list of two arrays, [batch, ...], whose examples can be broadcast to each other.

    Output shape:
        [batch, *broadcast shape].

    Raises:
        ValueError: If there are not two inputs, or the shapes do not match.
        TypeError: If the input is not a tuple or list of arrays.

    Reference:
        Szegedy et al., 2016, Inception-v4, Inception-ResNet and the Impact of Residual Connections
        on Learning

    Example:
        >>> layer = CustomScaleLayer(0.5)
        >>> layer.apply({}, {}, (jnp.array([[1.0]]), jnp.array([[4.0]])))[0].tolist()
        [[3.0]]
    """

    scale: fields.Number = fields.Number()

    def _merge(self, inputs: Sequence[Array]) -> Array:
        first, second = floating(inputs)
        return first + self.scale * second

    def output_shape(self, input_shape: Sequence[Any]) -> Shape:
        return super().output_shape(input_shapes(self, input_shape, count=2))
