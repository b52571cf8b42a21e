"""What a convolutional model looks at: its kernels, its feature maps, its saliency."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax import Array

from jaxlayers import layers
from jaxlayers.layer import Params, State
from jaxlayers.sequential import Sequential

_CONVOLUTIONS = (layers.Conv2D, layers.Conv2DTranspose)
_POOLINGS = (layers.MaxPooling2D, layers.AveragePooling2D, layers.SumPooling2D)


def first_kernels(model: Sequential, params: Params) -> np.ndarray:
    """Returns the kernels of the first convolution, [filters, height, width, channels].

    Raises:
        ValueError: the model has none.
    """
    for name, layer in model.items():
        if isinstance(layer, layers.Conv2D):
            return np.moveaxis(np.asarray(params[name]["kernel"]), -1, 0)
    raise ValueError(f"{model.name}: has no Conv2D")


def feature_maps(
    model: Sequential, params: Params, state: State, image: Array
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields the name of each convolution and pooling, and what one image is after it.

    Args:
        model: whose layers keep their channels last.
        params: of the model.
        state: of the model.
        image: [height, width, channels], values from 0 to 1.

    Returns:
        Names, and arrays [height, width, channels].
    """
    for count, (name, layer) in enumerate(model.items(), 1):
        if isinstance(layer, _CONVOLUTIONS + _POOLINGS):
            maps, _ = model[:count].apply(params, state, image[None])
            yield name, np.asarray(maps[0])


def saliency(
    model: Sequential, params: Params, state: State, image: Array, label: int
) -> np.ndarray:
    """Returns how much each pixel changes the score of a class, [height, width], not negative.

    It is the largest gradient of the logit by the channels of the pixel, without its sign.

    Args:
        model: of which the logits count.
        params: of the model.
        state: of the model.
        image: [height, width, channels], values from 0 to 1.
        label: of the class.

    Reference:
        Simonyan et al., 2014, https://arxiv.org/abs/1312.6034
    """

    def score(image: Array) -> Any:
        return model.logits().apply(params, state, image[None])[0][0, label]

    return np.abs(np.asarray(jax.grad(score)(image))).max(-1)
