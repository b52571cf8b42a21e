"""Kernels, feature maps and saliency of a convolutional model."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax import Array

from jaxlayers import layers
from jaxlayers.composition import Composition
from jaxlayers.layer import Layer, Params, State

_CONVOLUTIONS = (
    layers.Conv2D,
    layers.Conv2DTranspose,
    layers.DepthwiseConv2D,
    layers.SeparableConv2D,
)
_POOLINGS = (
    layers.AdaptiveAveragePooling2D,
    layers.AdaptiveMaxPooling2D,
    layers.AveragePooling2D,
    layers.MaxPooling2D,
    layers.SumPooling2D,
)


def first_kernels(model: Composition, params: Params) -> np.ndarray | None:
    """Returns the kernels of the first `Conv2D` of a model.

    Args:
        model: The model.
        params: Params of the model.

    Returns:
        [filters, height, width, channels]; `None` if the model has no `Conv2D`.
    """
    for name, layer in model.items():
        if isinstance(layer, layers.Conv2D):
            return np.moveaxis(np.asarray(params[name]["kernel"]), -1, 0)
    return None


def feature_maps(
    model: Composition, params: Params, state: State, image: Array
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields the output of each 2D convolution and pooling layer for one image.

    Args:
        model: A model in the data format `"channels_last"`.
        params: Params of the model.
        state: State of the model.
        image: [height, width, channels], values from 0 to 1.

    Yields:
        The name of the layer, and its output, [height, width, channels].
    """
    for name, layer in model.items():
        if isinstance(layer, _CONVOLUTIONS + _POOLINGS):
            maps, _ = model.submodel(name).apply(params, state, image[None])
            yield name, np.asarray(maps[0])


def saliency(model: Layer, params: Params, state: State, image: Array, label: int) -> np.ndarray:
    """Returns the saliency of each pixel of an image for a class.

    It is the largest absolute value of the gradient of the logit with respect to the channels of
    the pixel.

    Args:
        model: A classifier; the logits are used if a model of layers ends in an activation.
        params: Params of the model.
        state: State of the model.
        image: [height, width, channels], values from 0 to 1.
        label: The label of the class.

    Returns:
        [height, width], not negative.

    Reference:
        Simonyan et al., 2014, https://arxiv.org/abs/1312.6034
    """
    scored = model.logits() if isinstance(model, Composition) else model

    def score(image: Array) -> Any:
        return scored.apply(params, state, image[None])[0][0, label]

    gradient = np.asarray(jax.grad(score)(image))
    largest: np.ndarray = np.abs(gradient).max(-1)
    return largest
