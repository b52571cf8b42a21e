"""Inference mode for a part of a model that is trained."""

from dataclasses import dataclass

from jax import Array

from jaxlayers.layer import Params, State
from jaxlayers.layers.wrapper import Wrapper


@dataclass(frozen=True, repr=False)
class InferenceMode(Wrapper):
    """Applies a layer in inference mode, also in training.

    It is what Keras documents for `layer(x, training=False)`. A Functional model of Keras 3 uses
    its own argument `training` instead, so that Keras files do not contain this layer.

    Batch normalization uses and keeps the moving statistics, and dropout has no effect. The weights
    are trained, unless the layer is also in `Frozen`.

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
        >>> dropout = InferenceMode(layers.Dropout(0.5))
        >>> dropout.apply({}, {}, jnp.ones((1, 4)), training=True)[0].tolist()
        [[1.0, 1.0, 1.0, 1.0]]
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
        return self.layer.apply(params, state, x, training=False)
