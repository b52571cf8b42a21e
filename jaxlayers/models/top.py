"""The layers after the last convolution of a classifier."""

from collections.abc import Callable
from typing import Any

from jaxlayers import _fields as fields
from jaxlayers import layers
from jaxlayers._symbolic import SymbolicTensor
from jaxlayers.models import arguments

_POOLING = fields.Optional(fields.Choice("avg", "max"))


def with_top(
    model: str,
    features: SymbolicTensor,
    *,
    include_top: bool,
    pooling: str | None,
    classes: int,
    classifier_activation: str | Callable[[Any], Any] | None,
    pooling_names: tuple[str | None, str | None] = (None, None),
) -> SymbolicTensor:
    """Returns the output of a model from its last feature maps.

    Args:
        model: Name of the function that constructs the model, for error messages.
        features: [batch, height, width, channels].
        include_top: As in `resnet50`, and likewise the following arguments.
        pooling: `None`, `"avg"` or `"max"`.
        classes: Number of classes.
        classifier_activation: Activation of the output layer.
        pooling_names: Names of an average and a maximum pooling; `None` for Keras's default names.

    Raises:
        TypeError: If the activation is neither a name, a function nor `None`.
        ValueError: If an argument is not one of the allowed values.
    """
    average_name, max_name = pooling_names
    pooling = _POOLING.check(model, "pooling", pooling)
    classes = arguments.classes(model, classes, classifier_activation)
    include_top = fields.Boolean().check(model, "include_top", include_top)
    if include_top or pooling == "avg":
        average = layers.GlobalAveragePooling2D(data_format="channels_last")
        features = average(features, name=average_name)
    elif pooling == "max":
        maximum = layers.GlobalMaxPooling2D(data_format="channels_last")
        features = maximum(features, name=max_name)
    if include_top:
        output = layers.Dense(classes, activation=classifier_activation)
        features = output(features, name="predictions")
    return features
