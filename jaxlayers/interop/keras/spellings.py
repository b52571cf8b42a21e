"""What Keras 2 called things that Keras 3 calls otherwise."""

from typing import Any

from jaxlayers import layers
from jaxlayers.interop.keras.objects import plain

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

# Activations whose formula Keras 3 changed.
CHANGED_ACTIVATIONS = ("hard_sigmoid",)


def modern_class(name: str) -> str:
    """Returns the class name of Keras 3."""
    return CLASSES.get(name, name)


def modern_arguments(class_name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments of a layer under the names of Keras 3.

    Args:
        class_name: of Keras 3.
        config: the layer's config, without what all layers have.
    """
    config = dict(config)
    if class_name == "LeakyReLU" and "alpha" in config:
        config.setdefault("negative_slope", config.pop("alpha"))
    if class_name == "BatchNormalization":
        config.pop("fused", None)  # how it was computed, not what
        axis = config.get("axis")
        if isinstance(axis, list | tuple) and len(axis) == 1:
            config["axis"] = axis[0]
    return config


def input_shape(config: dict[str, Any]) -> tuple[Any, ...] | None:
    """Returns the shape of the input with the batch, where a layer's config tells it.

    Raises:
        ValueError: something that is no shape.
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
        raise ValueError(f"{shape!r} is no shape of an input")
    return shape


def known_classes() -> dict[str, type]:
    """Returns the layers of this library that Keras has, by their names."""
    others = ("Layer", "SumPooling2D")
    return {name: getattr(layers, name) for name in layers.__all__ if name not in others}
