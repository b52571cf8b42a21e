"""Features of images by models in Keras files, for scores of generated images."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers._any_size import has_any_size, output_shape
from jaxlayers._structure import are_several_shapes
from jaxlayers.functional import Functional
from jaxlayers.interop.errors import prefix_errors
from jaxlayers.interop.keras.dtype_policies import model_of
from jaxlayers.interop.keras.loading import load
from jaxlayers.layer import Layer, Params, State
from jaxlayers.metrics.features import Features
from jaxlayers.sequential import Sequential

_INCEPTION_SIZE = 299
_INCEPTION_FEATURES = 2048
_INCEPTION_LAYER = "avg_pool"  # the name in keras.applications
# Images of 299 x 299 pixels need several MiB each in the first layers.
_BATCH_SIZE = 32


def features(
    path: str | os.PathLike[str], layer: str | None = None, *, name: str | None = None
) -> Features:
    """Returns the features that a model in a Keras file computes.

    If the model ends in a softmax, there are logits as well. The model must have been trained on
    images with values from 0 to 1, or contain the conversion, such as a `Rescaling` layer.

    Args:
        path: A `.keras` or `.h5` file with a model of images, as in `load`.
        layer: Name of the layer whose output the features are, such as `"dense"`; None for the
            output of the model. Feature maps, [height, width, channels], are averaged.
        name: The name of the features; None for the name of the file without its suffix.

    Raises:
        FileNotFoundError, IsADirectoryError: As in `load`.
        ValueError: As in `load`; if there is no such layer, or it does not return features; or if
            the model ends in a softmax and `layer` is None.

    Example:
        >>> features("classifier.keras", "dense")  # doctest: +SKIP
    """
    model, params, state = load(path)
    with prefix_errors(path):
        network = _Network.of(model_of(model, "features"), layer)
    shape = network.input_shape
    return Features(
        Path(path).stem if name is None else name,
        network,
        network.size,
        network.classes,
        (params, state),
        image_shape=None if has_any_size(shape) else shape,
        batch_size=_BATCH_SIZE,
    )


def inception_features(path: str | os.PathLike[str]) -> Features:
    """Returns the features of an Inception network in a Keras file, with published preprocessing.

    Images of any size, grayscale or color, are rounded to 256 levels, resized to 299 x 299 by
    bilinear interpolation without antialiasing, and scaled by `(x - 128) / 128`. The scores of
    these features are called `fid`, `kid` and so on. They can be compared with published scores
    only if the file has the weights of the published network.

    Args:
        path: A `.keras` or `.h5` file with an Inception-v3, such as that of keras.applications. The
            features are the output of its layer `avg_pool`; or, without this layer, the output of
            the model, feature maps being averaged.

    Returns:
        The features `"inception"`, 2,048 per image; with logits if the model ends in a softmax.

    Raises:
        FileNotFoundError, IsADirectoryError: As in `load`.
        ValueError: As in `load`; or if the model does not accept images of 299 x 299 x 3, or does
            not return 2,048 features.

    Reference:
        Heusel et al., 2017, https://arxiv.org/abs/1706.08500, and the program of its authors.
    """
    model, params, state = load(path)
    shape = (_INCEPTION_SIZE, _INCEPTION_SIZE, 3)
    with prefix_errors(path):
        inside = model_of(model, "inception_features")
        names = [name for name, _ in inside.items()]
        network = _Network.of(inside, _INCEPTION_LAYER if _INCEPTION_LAYER in names else None)
        fits = all(
            size in (None, wanted) for size, wanted in zip(network.input_shape, shape, strict=True)
        )
        if not fits or network.size != _INCEPTION_FEATURES:
            raise ValueError(
                f"is not an Inception-v3: it must map images of {shape} to "
                f"{_INCEPTION_FEATURES} features, got a model that maps {network.input_shape} to "
                f"{network.size} features"
            )

    def function(weights: tuple[Params, State], images: Array) -> tuple[Array, Array | None]:
        return network(weights, inception_inputs(images))

    return Features(
        "inception",
        function,
        network.size,
        network.classes,
        (params, state),
        batch_size=_BATCH_SIZE,
    )


def inception_inputs(images: Array) -> Array:
    """Converts images to the inputs of the published Inception network.

    The coordinates of the interpolation are those of TensorFlow 1: pixel `i` of the output is at
    `i * size / 299` of the input.

    Args:
        images: [batch, height, width, 1 or 3], values from 0 to 1.

    Returns:
        [batch, 299, 299, 3], values from -1 to 127 / 128.

    Raises:
        ValueError: If the images have another number of channels.
    """
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            "inception features: images must be [N, height, width, 1 or 3 channels], got shape "
            f"{images.shape}"
        )
    levels = jnp.round(jnp.clip(images, 0, 1) * 255)
    rows, columns = (_interpolation(size) for size in images.shape[1:3])
    # At the highest precision, since accelerators round the factors of products otherwise.
    resized = jnp.einsum("ih,jw,nhwc->nijc", rows, columns, levels, precision="highest")
    return jnp.broadcast_to((resized - 128) / 128, (*resized.shape[:3], 3))


def _interpolation(size: int) -> np.ndarray:
    """Returns the matrix [299, size] of a linear interpolation along an axis."""
    positions = np.arange(_INCEPTION_SIZE) * (size / _INCEPTION_SIZE)
    lower = np.floor(positions).astype(int)
    upper = np.minimum(lower + 1, size - 1)
    matrix = np.zeros((_INCEPTION_SIZE, size), np.float32)
    rows = np.arange(_INCEPTION_SIZE)
    np.add.at(matrix, (rows, lower), 1 - (positions - lower))
    np.add.at(matrix, (rows, upper), positions - lower)
    return matrix


@dataclasses.dataclass(frozen=True)
class _Network:
    """The part of a model up to its features, and the model up to its logits."""

    body: Functional | Sequential
    head: Layer | None  # None if there are no logits
    input_shape: Any  # (height, width, channels), None for any size
    size: int
    classes: int | None

    @classmethod
    def of(cls, model: Functional | Sequential, layer: str | None) -> "_Network":
        names = [name for name, _ in model.items()]
        shape: Any = model.input_shape
        if shape is None or are_several_shapes(shape) or len(shape) != 3:
            raise ValueError(
                f"the model must accept images, of shape (height, width, channels), got {shape}"
            )
        final = model.final_activation()
        if layer is None and final is not None and final.name == "softmax":
            raise ValueError(
                "the model ends in a softmax; layer must be the name of a layer before it, such as "
                f"{', '.join(map(repr, names[-4:-1]))}"
            )
        if layer is not None and layer not in names:
            raise ValueError(
                "layer must be the name of a layer of the model, such as "
                f"{', '.join(map(repr, names[-4:]))}, got {layer!r}"
            )
        body = model if layer is None else model.submodel(layer)
        sizes = output_shape(body, shape)
        if are_several_shapes(sizes) or len(sizes) not in (1, 3) or sizes[-1] is None:
            raise ValueError(
                "features must be of shape (features,) or (height, width, channels) per image, got "
                f"{sizes}; layer must be the name of another layer"
            )
        head, classes = None, None
        if final is not None and final.name == "softmax" and final.removable:
            outputs = output_shape(model, shape)
            if not are_several_shapes(outputs) and len(outputs) == 1:
                head, classes = model.logits(), outputs[-1]
        return cls(body, head, shape, sizes[-1], classes)

    def __call__(self, weights: tuple[Params, State], images: Array) -> tuple[Array, Array | None]:
        features, _ = self.body.apply(*weights, images)
        if features.ndim == 4:
            features = features.mean((1, 2))
        # XLA computes what both have in common once.
        logits = None if self.head is None else self.head.apply(*weights, images)[0]
        return features, logits
