"""Names that differ between Keras 2 and Keras 3."""

import re
from collections.abc import Collection
from typing import Any

from jaxlayers._text import short_repr
from jaxlayers.interop.keras.values import plain

CLASSES = {
    "AvgPool1D": "AveragePooling1D",
    "AvgPool2D": "AveragePooling2D",
    "AvgPool3D": "AveragePooling3D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "Convolution1D": "Conv1D",
    "Convolution1DTranspose": "Conv1DTranspose",
    "Convolution2D": "Conv2D",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3D": "Conv3D",
    "Convolution3DTranspose": "Conv3DTranspose",
    "GlobalAvgPool1D": "GlobalAveragePooling1D",
    "GlobalAvgPool2D": "GlobalAveragePooling2D",
    "GlobalAvgPool3D": "GlobalAveragePooling3D",
    "GlobalMaxPool1D": "GlobalMaxPooling1D",
    "GlobalMaxPool2D": "GlobalMaxPooling2D",
    "GlobalMaxPool3D": "GlobalMaxPooling3D",
    "MaxPool1D": "MaxPooling1D",
    "MaxPool2D": "MaxPooling2D",
    "MaxPool3D": "MaxPooling3D",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
}

_WITHOUT_GROUPS = (
    "Conv1DTranspose",
    "Conv2DTranspose",
    "Conv3DTranspose",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
)

# Activations that are defined differently in Keras 3.
CHANGED_ACTIVATIONS = ("hard_sigmoid",)


def modern_class(name: str) -> str:
    """Returns the class name in Keras 3."""
    return CLASSES.get(name, name)


def modern_arguments(class_name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments of a layer under their names in Keras 3.

    Args:
        class_name: Class name in Keras 3.
        config: The config of the layer.
    """
    config = dict(config)
    # Keras 2 writes all arguments of the base class of convolutions, also if they have no effect.
    if config.get("groups") == 1 and class_name in _WITHOUT_GROUPS:
        del config["groups"]
    if class_name in ("SeparableConv1D", "SeparableConv2D"):
        for kind in ("initializer", "regularizer", "constraint"):
            config.pop(f"kernel_{kind}", None)
    if class_name == "LeakyReLU" and "alpha" in config:
        config.setdefault("negative_slope", config.pop("alpha"))
    if class_name == "LayerNormalization" and config.get("rms_scaling") is False:
        del config["rms_scaling"]  # deprecated in favor of RMSNormalization
    if class_name == "BatchNormalization":
        config.pop("fused", None)  # an implementation choice that does not change the result
        axis = config.get("axis")
        if isinstance(axis, list | tuple) and len(axis) == 1:
            config["axis"] = axis[0]
    return config


def modern_weight(name: str, others: Collection[str]) -> str:
    """Returns the name of a weight in Keras 3.

    Args:
        name: The name of the weight in a file of Keras 2.
        others: The names of the weights of the layer in Keras 3.
    """
    # The weight of LayerScale has no name of its own in Keras.
    if {*others} == {"gamma"} and re.fullmatch(r"variable(_\d+)?", name):
        return "gamma"
    is_depthwise = name == "depthwise_kernel" and name not in others
    return "kernel" if is_depthwise and "kernel" in others else name


def input_shape(config: dict[str, Any]) -> tuple[Any, ...] | None:
    """Returns the input shape, including the batch, from the config of a layer that has one.

    Raises:
        ValueError: If the value is not a shape.
    """
    for key in ("batch_shape", "batch_input_shape", "build_input_shape"):
        if config.get(key) is not None:
            return _checked(plain(config[key]))
    if config.get("input_shape") is not None:
        return _checked((None, *_checked(plain(config["input_shape"]))))
    if config.get("input_dim") is not None:
        return _checked((None, plain(config["input_dim"])))
    return None


def _checked(shape: Any) -> tuple[Any, ...]:
    if (
        not isinstance(shape, tuple)
        or len(shape) > 32
        or not all(d is None or (type(d) is int and d >= 0) for d in shape)
    ):
        raise ValueError(
            "the input shape must be a list of at most 32 integers that are not negative, or "
            f"None, got {short_repr(shape)}"
        )
    return shape
