"""The base class of layers that change how another layer is applied."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import FinalActivation, Layer, Params, Shape, State


@dataclass(frozen=True)
class Wrapper(Layer):
    """A layer with the params, the state and the shapes of another layer.

    Subclasses define `apply`. In a model, a wrapper has the default name of the layer in it.

    Args:
        layer: Any layer, such as a `Sequential`.
    """

    layer: fields.Instance[Layer] = fields.Instance(Layer, "a jaxlayers.Layer")

    @property
    def input_shape(self) -> Sequence[int] | None:
        """The shape of one example that the layer was constructed with, or `None`."""
        return self.layer.input_shape

    def init(self, key: Array, input_shape: Sequence[int]) -> tuple[Params, State]:
        return self.layer.init(key, input_shape)

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
        return replace(self, layer=self.layer.logits())

    def map_layers(self, function: Callable[[str | None, Layer], Layer]) -> Self:
        return replace(self, layer=function(None, self.layer))


def unwrapped(layer: Layer) -> Layer:
    """Returns the layer in any number of wrappers, or the layer itself if there are none."""
    while isinstance(layer, Wrapper):
        layer = layer.layer
    return layer
