"""A check that images, which tasks scale to values from 0 to 1, are not scaled again by a model."""

from collections.abc import Iterator

import numpy as np

from jaxlayers.functional import Functional
from jaxlayers.input_layer import InputLayer
from jaxlayers.layer import Layer
from jaxlayers.layers.preprocessing import Rescaling
from jaxlayers.layers.wrapper import unwrapped
from jaxlayers.sequential import Sequential

# Models of pixel values begin with a factor of 1/255 or 1/127.5, others do not begin with one as
# small.
_PIXEL_SCALE = 1 / 64


def check_input_scale(task: str, argument: str, model: Layer) -> None:
    """Checks that a model does not begin with a `Rescaling` of values from 0 to 255.

    Args:
        task: Name of the task, for the error message.
        argument: Name of the model, for the error message.
        model: The model.

    Raises:
        ValueError: If the model begins with a `Rescaling` by a factor that is close to 0.
    """
    scale, first = 1.0, None
    for layer in _leaves(model):
        if not isinstance(layer, Rescaling):
            break
        scale, first = scale * float(np.abs(layer.scale).max()), layer
    if first is not None and scale <= _PIXEL_SCALE:
        raise ValueError(
            f"{task}: the {argument} must take images with values from 0 to 1, but it begins with "
            f"{first!r}, which is for values up to 255; the task divides uint8 images by 255. "
            "Remove this layer, or put layers.Rescaling(255.0) in front of the model: "
            "Sequential([layers.Rescaling(255.0), model], input_shape=...)"
        )


def _leaves(model: Layer) -> Iterator[Layer]:
    """Yields the layers that a model consists of, in the order of their first calls."""
    inside = unwrapped(model)
    if isinstance(inside, Sequential | Functional):
        for layer in inside.layers:
            yield from _leaves(layer)
    elif not isinstance(inside, InputLayer):
        yield inside
