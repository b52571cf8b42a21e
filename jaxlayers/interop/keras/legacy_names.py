"""Names that differ between Keras 2 and Keras 3."""

from typing import Any

from jaxlayers._text import short_repr
from jaxlayers.interop.keras.values import plain

CLASSES = {
    "AvgPool2D": "AveragePooling2D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "Convolution2D": "Conv2D",
    "Convolution2DTranspose": "Conv2DTranspose",
    "GlobalAvgPool2D": "GlobalAveragePooling2D",
    "GlobalMaxPool2D": "GlobalMaxPooling2D",
    "MaxPool2D": "MaxPooling2D",
}

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
