"""Errors of layers, including those for everything that Keras refuses."""

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import keras
import pytest

from jaxlayers import Sequential, layers
from tests.layers.test_merging import MERGING

POOLINGS = ["MaxPooling2D", "AveragePooling2D", "SumPooling2D"]
# Values that are neither a positive integer nor two of them.
NOT_PAIRS = [0, -1, 1.5, "a", (1, 0), (1, -2), (1,), (1, 2, 3), None, (1, "a")]
# Keras converts these to integers and fails in the call, or ignores the fraction.
PAIRS_ACCEPTED_BY_KERAS = [(1.5, 2), (2, True)]

# The layer, its required arguments, the wrong argument, its wrong values, and whether Keras refuses
# them as well.
BAD_ARGUMENTS = [
    ("Dense", {}, "units", [0, -1, 1.5, "3", None], True),
    ("Dense", {"units": 2}, "activation", ["unknown", 3], True),
    ("Dense", {"units": 2}, "kernel_initializer", ["unknown", 3], True),
    ("Dense", {"units": 2}, "bias_initializer", ["unknown", 3], True),
    ("Dense", {"units": 2}, "kernel_regularizer", ["unknown", 3], True),
    ("Dense", {"units": 2}, "bias_regularizer", ["unknown", 3], True),
    ("Dense", {"units": 2}, "activity_regularizer", ["unknown", 3], True),
    ("Dense", {"units": 2}, "kernel_constraint", ["unknown", 3], True),
    ("Dense", {"units": 2}, "bias_constraint", ["unknown", 3], True),
    *(
        entry
        for name in ("Conv2D", "Conv2DTranspose")
        for entry in [
            (name, {"kernel_size": 3}, "filters", [0, -1, "a"], True),
            (name, {"kernel_size": 3}, "filters", [1.5, None, True], False),
            (name, {"filters": 2}, "kernel_size", NOT_PAIRS, True),
            (name, {"filters": 2}, "kernel_size", PAIRS_ACCEPTED_BY_KERAS, False),
            (name, {"filters": 2, "kernel_size": 3}, "strides", NOT_PAIRS, True),
            (name, {"filters": 2, "kernel_size": 3}, "dilation_rate", NOT_PAIRS, True),
            (name, {"filters": 2, "kernel_size": 3}, "padding", ["causal", "full", 1, None], True),
            (name, {"filters": 2, "kernel_size": 3}, "data_format", ["NHWC", 3], True),
            (name, {"filters": 2, "kernel_size": 3, "strides": 2}, "dilation_rate", [(2, 1)], True),
            (name, {"filters": 2, "kernel_size": 3, "strides": (1, 2)}, "dilation_rate", [2], True),
            (name, {"filters": 2, "kernel_size": 3}, "activation", ["unknown", 3], True),
            (name, {"filters": 2, "kernel_size": 3}, "kernel_initializer", ["unknown", 3], True),
            (name, {"filters": 2, "kernel_size": 3}, "bias_initializer", ["unknown", 3], True),
            (name, {"filters": 2, "kernel_size": 3}, "kernel_regularizer", ["unknown", 3], True),
            (name, {"filters": 2, "kernel_size": 3}, "bias_regularizer", ["unknown", 3], True),
            (name, {"filters": 2, "kernel_size": 3}, "activity_regularizer", ["unknown", 3], True),
            (name, {"filters": 2, "kernel_size": 3}, "kernel_constraint", ["unknown", 3], True),
            (name, {"filters": 2, "kernel_size": 3}, "bias_constraint", ["unknown", 3], True),
        ]
    ),
    ("Conv2D", {"filters": 5, "kernel_size": 2}, "groups", [0, -1, 2], True),
    ("Conv2D", {"filters": 5, "kernel_size": 2}, "groups", [None, "a"], True),
    ("Conv2D", {"filters": 5, "kernel_size": 2}, "groups", [1.0], False),
    (
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": 3, "strides": 2},
        "output_padding",
        [2, 3, (1, 2), -1, "a", (1,), 1.5],
        True,
    ),
    (
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": 3, "strides": (2, 3)},
        "output_padding",
        [(1, 3)],
        True,
    ),
    (
        "Conv2DTranspose",
        {"filters": 16, "kernel_size": 3, "strides": [1, 1]},
        "output_padding",
        [1],
        True,
    ),
    *(
        entry
        for name, required, wrong in [
            ("Conv1D", {"filters": 2}, [0, -1, 1.5, (1, 2), "a"]),
            ("Conv3D", {"filters": 2}, [0, -1, 1.5, (1, 2), (1, 2, 0), "a"]),
            ("Conv1DTranspose", {"filters": 2}, [0, (1, 2)]),
            ("Conv3DTranspose", {"filters": 2}, [0, (1, 2)]),
            ("DepthwiseConv1D", {}, [0, (1, 2)]),
            ("DepthwiseConv2D", {}, [0, (1, 2, 3)]),
            ("SeparableConv1D", {"filters": 2}, [0, (1, 2)]),
            ("SeparableConv2D", {"filters": 2}, [0, (1, 2, 3)]),
        ]
        for entry in [
            (name, required, "kernel_size", wrong, True),
            (name, {**required, "kernel_size": 3}, "strides", wrong, True),
            (name, {**required, "kernel_size": 3}, "dilation_rate", wrong, True),
        ]
    ),
    *(
        (name, {**required, "kernel_size": 3}, "padding", ["causal", "full"], True)
        for name, required in [
            ("Conv3D", {"filters": 2}),
            ("Conv1DTranspose", {"filters": 2}),
            ("DepthwiseConv1D", {}),
            ("SeparableConv1D", {"filters": 2}),
        ]
    ),
    ("Conv1D", {"filters": 2, "kernel_size": 3, "strides": 2}, "dilation_rate", [2], True),
    ("Conv1D", {"filters": 2, "kernel_size": 3}, "padding", ["full", None], True),
    ("Conv3D", {"filters": 5, "kernel_size": 2}, "groups", [0, -1, 2], True),
    (
        "Conv3DTranspose",
        {"filters": 2, "kernel_size": 3, "strides": 2},
        "output_padding",
        [2, (1, 1, 2), (1, 1), -1],
        True,
    ),
    *(
        entry
        for name, required in [
            ("DepthwiseConv1D", {"kernel_size": 3}),
            ("DepthwiseConv2D", {"kernel_size": 3}),
            ("SeparableConv1D", {"filters": 2, "kernel_size": 3}),
            ("SeparableConv2D", {"filters": 2, "kernel_size": 3}),
        ]
        for entry in [
            (name, required, "depth_multiplier", [0, -1, "a"], True),
            (name, required, "depth_multiplier", [1.5, None], None),
            (name, required, "depthwise_initializer", ["unknown", 3], True),
        ]
    ),
    ("BatchNormalization", {}, "axis", ["a", None, (1, 2)], True),
    ("BatchNormalization", {}, "axis", [1.0], False),
    ("BatchNormalization", {}, "momentum", ["a", None], False),
    ("BatchNormalization", {}, "epsilon", ["a", None], False),
    ("BatchNormalization", {}, "renorm_momentum", ["a", None], False),
    ("BatchNormalization", {}, "synchronized", [True], True),
    (
        "BatchNormalization",
        {"renorm": True},
        "renorm_clipping",
        [{"random_key": 1.0}, {"rmax": 0.0, "rmin": 1.0}, {"rmax": 1.0, "dmax": -1.0}],
        True,
    ),
    ("BatchNormalization", {"renorm": True}, "renorm_clipping", [3, "rmax", ["rmax"]], True),
    ("BatchNormalization", {"renorm": True}, "renorm_clipping", [{"rmax": "a"}], False),
    *(
        ("BatchNormalization", {}, f"{weight}_{kind}", ["unknown", 3], True)
        for weight in ("gamma", "beta")
        for kind in ("initializer", "regularizer", "constraint")
    ),
    ("BatchNormalization", {}, "moving_mean_initializer", ["unknown", 3], True),
    ("BatchNormalization", {}, "moving_variance_initializer", ["unknown", 3], True),
    *(
        entry
        for name in POOLINGS
        for entry in [
            (name, {}, "pool_size", NOT_PAIRS, True),
            (name, {"pool_size": 2}, "strides", [v for v in NOT_PAIRS if v is not None], True),
            (name, {"pool_size": 2}, "padding", ["causal", "full", 1, None], True),
            (name, {"pool_size": 2}, "data_format", ["NHWC", 3], True),
        ]
    ),
    ("GlobalAveragePooling2D", {}, "data_format", ["NHWC", 3], True),
    ("GlobalMaxPooling2D", {}, "data_format", ["NHWC", 3], True),
    ("MaxPooling1D", {}, "pool_size", [0, -1, (1, 2), "a"], True),
    ("AveragePooling3D", {}, "pool_size", [0, -1, (1, 2), "a"], True),
    ("MaxPooling3D", {"pool_size": 2}, "strides", [-1, (1, 2), "a"], True),
    ("GlobalAveragePooling1D", {}, "data_format", ["NHWC", 3], True),
    ("AdaptiveAveragePooling1D", {}, "output_size", [(1, 2), "a", None], True),
    ("AdaptiveMaxPooling2D", {}, "output_size", [(1, 2, 3), "a", None], True),
    ("AdaptiveMaxPooling3D", {}, "output_size", [(1, 2), "a", None], True),
    ("AdaptiveMaxPooling3D", {}, "output_size", [0, -1], None),
    ("AdaptiveMaxPooling2D", {"output_size": 2}, "data_format", ["NHWC", 3], True),
    ("UpSampling1D", {}, "size", [0, -1, 1.5, (2,), "a", None], True),
    ("UpSampling2D", {}, "size", NOT_PAIRS, True),
    ("UpSampling3D", {}, "size", [0, -1, (1, 2), "a", None], True),
    ("UpSampling2D", {}, "data_format", ["NHWC", 3], True),
    ("UpSampling2D", {}, "interpolation", ["unknown", "area"], True),
    ("UpSampling2D", {}, "interpolation", [3, None], True),
    ("ZeroPadding2D", {}, "padding", [(1,), (1, 2, 3), "1", None, -1, (1, -1)], None),
    ("ZeroPadding2D", {}, "padding", [((1, 2), (3, -1)), ((1, 2), (3,)), 1.5], True),
    ("ZeroPadding2D", {}, "data_format", ["NHWC", 3], True),
    *(
        entry
        for name, argument in [
            ("ZeroPadding{}D", "padding"),
            ("Cropping{}D", "cropping"),
        ]
        for entry in [
            (name.format(1), {}, argument, [-1, (1, -1), (1,), (1, 2, 3), None], True),
            (name.format(3), {}, argument, [-1, (1, 2), ((1, 2), 1, (3,)), (1, 1, -1)], True),
        ]
    ),
    ("Cropping2D", {}, "cropping", [-1, (1, -1), (1,), (1, 2, 3), None], True),
    ("Cropping2D", {}, "data_format", ["NHWC", 3], True),
    ("Reshape", {}, "target_shape", [(-2, 5), (-1, -1, 5), 5, None], True),
    ("Reshape", {}, "target_shape", ["25", (2.5,)], None),
    ("Flatten", {}, "data_format", ["NHWC", 3], True),
    ("Activation", {}, "activation", ["unknown", 3], True),
    ("ReLU", {}, "max_value", [-10, "a"], True),
    ("ReLU", {}, "negative_slope", [-10, None, "a"], True),
    ("ReLU", {}, "threshold", [-10, None, "a"], True),
    ("ReLU", {}, "threshold", [float("nan")], False),
    ("LeakyReLU", {}, "negative_slope", [None, -0.1, "a"], True),
    ("Softmax", {}, "axis", ["a", 1.5, None, (), (1, "a")], False),
    ("Concatenate", {}, "axis", ["a", 1.5, None, 0], None),
    ("Dot", {}, "axes", ["a", 1.5, None, (1,), (1, 2, 3), (1, "a"), 0, (1, 0)], None),
    ("Dropout", {}, "rate", [-0.5, 1.5, "a", None], True),
    ("Dropout", {}, "rate", [float("nan")], True),
    ("Dropout", {"rate": 0.5}, "noise_shape", ["Invalid", (20, 1.5, 10), (20, -1, 10)], True),
    ("Dropout", {"rate": 0.5}, "noise_shape", [(20, 0, 10), 3], True),
    *(
        (name, {}, "rate", [-0.5, 1.5, "a", None, float("nan")], True)
        for name in ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
    ),
    ("SpatialDropout2D", {"rate": 0.5}, "data_format", ["NHWC", 3], True),
    # At 1, Keras divides by 0 in training.
    *(
        (name, {}, "rate", [-0.5, 1.5, "a", None, float("nan")], True)
        for name in ("AlphaDropout", "GaussianDropout")
    ),
    *((name, {}, "rate", [1, 1.0], False) for name in ("AlphaDropout", "GaussianDropout")),
    ("AlphaDropout", {"rate": 0.5}, "noise_shape", ["x", 3, (2, -1)], False),
    ("GaussianNoise", {}, "stddev", [-0.5, 1.5, "a", None], True),
    ("LayerNormalization", {}, "axis", ["a", None, 1.5], True),
    ("LayerNormalization", {}, "axis", [(), (1, "a")], False),
    *(
        (name, {}, f"{weight}_{kind}", ["unknown", 3], True)
        for name in ("LayerNormalization", "GroupNormalization")
        for weight in ("gamma", "beta")
        for kind in ("initializer", "regularizer", "constraint")
    ),
    ("GroupNormalization", {}, "groups", [0, -2, 1.5, "a", None], True),
    ("GroupNormalization", {"groups": 2}, "axis", ["a", None], True),
    # Documented in Keras, where it fails.
    ("GroupNormalization", {"groups": 2}, "axis", [(1, 2)], True),
    ("RMSNormalization", {}, "axis", ["a", None, ()], False),
    ("UnitNormalization", {}, "axis", ["a", None, 1.5], True),
    ("SpectralNormalization", {}, "layer", [None, "Dense", 3], True),
    ("Embedding", {"output_dim": 2}, "input_dim", [0, -1, 1.5, "3", None, True], True),
    ("Embedding", {"input_dim": 2}, "output_dim", [0, -1, 1.5, "3", None, True], True),
    *(
        ("Embedding", {"input_dim": 9, "output_dim": 2}, f"embeddings_{kind}", ["unknown", 3], True)
        for kind in ("initializer", "regularizer", "constraint")
    ),
    ("Embedding", {"input_dim": 9, "output_dim": 2}, "mask_zero", [True], False),
    ("ELU", {}, "alpha", ["a", None], True),
    *(
        ("PReLU", {}, f"alpha_{kind}", ["unknown", 3], True)
        for kind in ("initializer", "regularizer", "constraint")
    ),
    ("PReLU", {}, "shared_axes", ["a", (1, "a")], True),
    # Keras shifts these by one: -1 is the second last axis.
    ("PReLU", {}, "shared_axes", [0, (1, -1)], False),
    ("ActivityRegularization", {}, "l1", [-0.1, "a"], True),
    ("ActivityRegularization", {}, "l2", [-0.1, "a"], True),
    ("ActivityRegularization", {}, "l2", [None], False),
    ("Permute", {}, "dims", [(1, 3), (0, 1), (1, 1), "21", 2, None], True),
    ("RepeatVector", {}, "n", [0, -1, 1.5, "a", None, True], True),
    ("Rescaling", {}, "scale", ["a", None, [[1.0], [1.0, 2.0]]], True),
    ("Rescaling", {"scale": 1}, "offset", ["a", None], True),
    ("Normalization", {}, "axis", ["a", 1.5, (1, "a")], True),
    ("Normalization", {"variance": 1.0}, "mean", ["a", [[1.0], [1.0, 2.0]]], True),
    # Either both or none, of the same shape.
    ("Normalization", {"variance": 1.0}, "mean", [None, (1.0,)], True),
    ("Normalization", {"mean": 0.0}, "variance", [-1.0, float("inf")], False),
]


@pytest.mark.parametrize(
    ("name", "arguments", "argument", "value", "refused_by_keras"),
    [
        pytest.param(
            name, arguments, argument, value, refused_by_keras, id=f"{name}-{argument}-{value}"
        )
        for name, arguments, argument, values, refused_by_keras in BAD_ARGUMENTS
        for value in values
    ],
)
def test_wrong_arguments_are_refused_at_construction(
    name, arguments, argument, value, refused_by_keras
) -> None:
    with pytest.raises((ValueError, TypeError)) as error_info:
        getattr(layers, name)(**arguments, **{argument: value})
    message = str(error_info.value)
    assert message.startswith(f"{name}: ")
    assert argument in message
    for part in value if isinstance(value, dict) else [value]:
        assert (repr(part) in message) or (str(part) in message)
    if refused_by_keras and hasattr(keras.layers, name):
        # Some only when the layer is called, with an error of Python or of the backend.
        with pytest.raises(Exception):  # noqa: B017
            keras_layer = getattr(keras.layers, name)(**arguments, **{argument: value})
            keras_layer(jnp.ones((2, *shape_for(name))))


def shape_for(name: str) -> tuple[int, ...]:
    """Returns the shape of an example with the number of dimensions of a layer."""
    return (6, 4) if "1D" in name else (6, 6, 6, 4) if "3D" in name else (6, 6, 4)


@pytest.mark.parametrize("name", sorted({*layers.__all__} - {"Layer"}))
def test_unknown_arguments_are_refused(name) -> None:
    with pytest.raises(TypeError, match="kernel_sise"):
        getattr(layers, name)(kernel_sise=3)


@pytest.mark.parametrize(
    ("argument", "hint"),
    [
        ("name", "to the call, layer.x, name=.* or to Sequential"),
        ("input_shape", "an argument of the model"),
        ("trainable", "jaxlayers.freeze"),
        ("dtype", "InBfloat16"),
        ("seed", "the key of init and apply"),
    ],
)
def test_arguments_that_all_layers_of_keras_have_are_refused_with_a_hint(argument, hint) -> None:
    for layer in (layers.Dense, layers.Dropout, layers.ReLU, layers.Add):
        message = f"^{layer.__name__}: there is no argument '{argument}'; .*{hint}"
        with pytest.raises(TypeError, match=message):
            layer(**{argument: 3})
    assert Sequential([layers.ReLU()], input_shape=(3,), name="model").name == "model"


def make(name: str) -> Any:
    """Returns a layer that accepts examples of any size, with few arguments."""
    arguments = {
        "Activation": ("relu",),
        "Reshape": ((-1,),),
        "Permute": ((3, 1, 2),),
        "Embedding": (9, 2),
        "GroupNormalization": (1,),
        "LayerScale": (1.0, 4),
        "SpectralNormalization": (layers.Dense(2),),
        # Without cropping, so that small examples are accepted.
        "Cropping1D": (0,),
        "Cropping3D": (0,),
    }
    required = inspect.signature(getattr(layers, name)).parameters.values()
    count = sum(parameter.default is inspect.Parameter.empty for parameter in required)
    if name.startswith(("MaxPooling", "SumPooling")):
        count = 1
    if name.endswith(("Dropout", "Dropout1D", "Dropout2D", "Dropout3D", "GaussianNoise")):
        arguments[name] = (0.5,)
    return getattr(layers, name)(*arguments.get(name, (1,) * count))


# The layer, a shape of one example that it refuses, a word of the message, and whether Keras
# refuses it as well, at construction or when called.
BAD_SHAPES: list[tuple[Any, tuple[int, ...], str, bool]] = [
    (layers.Dense(2), (), "shape", True),
    *(
        entry
        for name in ("Conv2D", "Conv2DTranspose")
        for entry in [
            (getattr(layers, name)(2, 3), (5,), "shape", True),
            (getattr(layers, name)(2, 3), (5, 5), "shape", True),
            (getattr(layers, name)(2, 3, data_format="channels_first"), (5, 5), "shape", True),
        ]
    ),
    # Keras accepts several batch axes here; in JAX, vmap adds a second one.
    (layers.Conv2D(2, 3), (2, 5, 5, 1), "shape", False),
    (layers.Conv2D(2, 3), (2, 5, 1), "kernel_size", True),
    (layers.Conv2D(2, 3, data_format="channels_first"), (5, 2, 2), "kernel_size", True),
    (layers.Conv2D(2, 3, dilation_rate=3), (6, 7, 1), "dilation_rate", True),
    (layers.Conv2D(4, 3, groups=2), (5, 5, 3), "groups", True),
    (layers.Conv2DTranspose(2, 3), (2, 5, 5, 1), "shape", False),
    *(
        entry
        for name in ("Conv1D", "Conv1DTranspose", "DepthwiseConv1D", "SeparableConv1D")
        for entry in [
            (make(name), (5,), "steps, channels", True),
            (make(name), (2, 5, 3), "steps, channels", True),
        ]
    ),
    *(
        (make(name), (5, 5, 5), "depth, height, width, channels", True)
        for name in ("Conv3D", "Conv3DTranspose", "MaxPooling3D", "AveragePooling3D")
    ),
    (layers.Conv1D(2, 3), (2, 4), "kernel_size", True),
    (layers.Conv1D(4, 3, groups=2), (5, 3), "groups", True),
    (layers.Conv3D(2, 3), (5, 2, 5, 1), "kernel_size", True),
    (layers.DepthwiseConv2D(3), (5, 5), "shape", True),
    (layers.DepthwiseConv2D(3), (5, 2, 1), "kernel_size", True),
    (layers.SeparableConv2D(2, 3, dilation_rate=3), (5, 7, 1), "dilation_rate", True),
    (layers.BatchNormalization(axis=3), (5, 4), "axis", True),
    (layers.BatchNormalization(axis=-4), (5, 4), "axis", True),
    (layers.BatchNormalization(), (), "axis", False),
    (layers.BatchNormalization(axis=0), (5,), "axis", False),
    (layers.BatchNormalization(axis=-2), (5,), "axis", False),
    *(
        entry
        for name in POOLINGS
        for entry in [
            (getattr(layers, name)(2), (5,), "shape", True),
            (getattr(layers, name)(2), (5, 5), "shape", True),
            (getattr(layers, name)(2), (2, 5, 5, 1), "shape", True),
            (getattr(layers, name)(3), (2, 5, 1), "pool_size", False),
            (getattr(layers, name)(3, data_format="channels_first"), (5, 5, 2), "pool_size", False),
        ]
    ),
    *(
        entry
        for name in ("GlobalAveragePooling2D", "GlobalMaxPooling2D")
        for entry in [
            (getattr(layers, name)(), (5,), "shape", True),
            (getattr(layers, name)(), (5, 5), "shape", True),
            (getattr(layers, name)(), (2, 5, 5, 1), "shape", True),
            (getattr(layers, name)(), (0, 5, 1), "empty", False),
        ]
    ),
    (layers.MaxPooling1D(3), (2, 4), "pool_size", False),
    (layers.AveragePooling3D(3, data_format="channels_first"), (1, 5, 2, 5), "pool_size", False),
    (layers.GlobalMaxPooling1D(), (5, 5, 1), "steps, channels", True),
    (layers.GlobalAveragePooling3D(), (5, 5, 1), "depth, height, width, channels", True),
    (layers.AdaptiveAveragePooling1D(2), (5,), "shape", True),
    (layers.AdaptiveAveragePooling2D(2), (0, 5, 1), "empty", False),
    (layers.AdaptiveMaxPooling3D(2), (5, 5, 1), "shape", True),
    (layers.UpSampling1D(), (5, 5, 1), "shape", True),
    (layers.UpSampling3D(), (5, 5, 1), "shape", True),
    (layers.ZeroPadding1D(), (5, 5, 1), "shape", True),
    (layers.ZeroPadding3D(), (5, 5, 1), "shape", True),
    (layers.Cropping1D((2, 3)), (5, 1), "cropping", True),
    (layers.Cropping2D(1), (2, 5, 1), "cropping", True),
    (layers.Cropping2D(1, "channels_first"), (3, 5, 2), "cropping", True),
    (layers.Cropping3D(1), (5, 5, 1), "shape", True),
    (layers.Cropping3D(), (5, 5, 2, 1), "cropping", True),
    (layers.UpSampling2D(), (5, 5), "shape", True),
    (layers.UpSampling2D(), (2, 5, 5, 1), "shape", True),
    (layers.ZeroPadding2D(), (5, 5), "shape", True),
    (layers.ZeroPadding2D(), (2, 5, 5, 1), "shape", True),
    (layers.Reshape((7,)), (2, 3), "shape", True),
    (layers.Reshape((4, -1)), (2, 3), "shape", True),
    (layers.Softmax(axis=3), (4, 5), "axis", True),
    (layers.Softmax(axis=(1, -4)), (4, 5), "axis", True),
    *(
        entry
        for name in ("LayerNormalization", "RMSNormalization", "UnitNormalization")
        for entry in [
            (getattr(layers, name)(axis=3), (5, 4), "axis", True),
            (getattr(layers, name)(axis=(1, -4)), (5, 4), "axis", True),
            (getattr(layers, name)(axis=(1, -2)), (5, 4), "axis", True),
        ]
    ),
    (layers.LayerNormalization(), (), "axis", False),
    (layers.RMSNormalization(axis=0), (5,), "axis", False),
    (layers.GroupNormalization(2, axis=3), (5, 4), "axis", True),
    (layers.GroupNormalization(2), (5,), "groups", True),
    (layers.GroupNormalization(8), (4,), "groups", True),
    (layers.PReLU(shared_axes=3), (5, 4), "shared_axes", True),
    (layers.SpatialDropout1D(0.5), (5, 5, 1), "steps", True),
    (layers.SpatialDropout2D(0.5), (5, 5), "height", True),
    (layers.SpatialDropout3D(0.5), (5, 5, 1), "depth", True),
    (layers.Permute((2, 1)), (5, 4, 3), "dims", True),
    (layers.RepeatVector(2), (5, 4), "features", True),
    (layers.Rescaling((1.0, 2.0)), (5, 3), "scale", True),
    # Keras returns an output of another shape than that of the input.
    (layers.Rescaling(1.0, (1.0, 2.0)), (5, 1), "offset", False),
    (layers.LayerScale(0.5, 3), (5, 4), "projection_dim=3 channels", False),
    (layers.LayerScale(0.5, 3), (), "projection_dim=3 channels", False),
    (layers.Normalization(axis=3, mean=0.0, variance=1.0), (5, 4), "axis", True),
    (layers.Normalization(mean=(0.0, 1.0), variance=(1.0, 1.0)), (5, 4), "mean", True),
]


@pytest.mark.parametrize(
    ("layer", "shape", "word", "refused_by_keras"),
    BAD_SHAPES,
    ids=[f"{type(layer).__name__}-{shape}-{i}" for i, (layer, shape, *_) in enumerate(BAD_SHAPES)],
)
def test_wrong_shapes_are_refused_by_init_output_shape_and_apply(
    layer, shape, word, refused_by_keras
) -> None:
    params, state = weights_of(layer)
    x = jnp.ones((2, *shape))
    for call in (
        lambda: layer.init(jax.random.key(0), shape),
        lambda: layer.output_shape(shape),
        lambda: layer.apply(params, state, x),
    ):
        with pytest.raises((ValueError, TypeError)) as error_info:
            call()
        message = str(error_info.value)
        assert message.startswith(repr(layer))
        assert word in message
        assert str(shape) in message or str(x.shape) in message
    if refused_by_keras and hasattr(keras.layers, type(layer).__name__):
        keras_layer = eval(repr(layer), vars(keras.layers).copy())
        with pytest.raises(Exception):  # noqa: B017 - including errors of the backend
            keras_layer(x)


def weights_of(layer: Any) -> tuple[Any, Any]:
    """Returns params and state for a shape that the layer accepts."""
    for shape in [(8, 8, 4), (4, 8, 8), (7,), (12,), (8, 4), (8, 8, 8, 4)]:
        try:
            return layer.init(jax.random.key(0), shape)
        except ValueError:
            continue
    return {}, {}


# Their errors are those of the layer inside.
WRAPPERS = (layers.Frozen, layers.InBfloat16, layers.InferenceMode)
EXCLUDED = {"Layer", *MERGING, *(cls.__name__ for cls in WRAPPERS)}
LAYERS = [make(name) for name in layers.__all__ if name not in EXCLUDED]
each_layer = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)


@each_layer
@pytest.mark.parametrize("shape", [5, None, "abc", (2, -3, 1), (2, None, 1), (2.5, 2, 1)])
def test_shapes_that_are_not_tuples_of_integers_are_refused(layer, shape) -> None:
    for call in (lambda: layer.init(jax.random.key(0), shape), lambda: layer.output_shape(shape)):
        with pytest.raises((ValueError, TypeError)) as error_info:
            call()
        assert str(error_info.value).startswith(repr(layer))
        assert "shape" in str(error_info.value)
        assert repr(shape) in str(error_info.value)


@each_layer
@pytest.mark.parametrize("x", [3.0, [[1.0, 2.0]], None, "x"])
def test_inputs_that_are_not_arrays_are_refused(layer, x) -> None:
    with pytest.raises(TypeError) as error_info:
        layer.apply(*weights_of(layer), x)
    assert str(error_info.value).startswith(repr(layer))
    assert type(x).__name__ in str(error_info.value)


@each_layer
def test_inputs_without_a_batch_axis_are_refused(layer) -> None:
    with pytest.raises(ValueError) as error_info:
        layer.apply(*weights_of(layer), jnp.ones(()))
    assert str(error_info.value).startswith(repr(layer))
    assert "batch" in str(error_info.value)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_errors_of_a_wrapper_are_those_of_the_layer_inside(wrapper) -> None:
    layer = wrapper(layers.Conv2D(2, 3))
    params, state = layer.init(jax.random.key(0), (4, 4, 1))
    for call in (
        lambda: layer.init(jax.random.key(0), (2, 4, 1)),
        lambda: layer.output_shape((2, 4, 1)),
        lambda: layer.apply(params, state, jnp.ones((1, 2, 4, 1))),
        lambda: layer.apply({}, state, jnp.ones((1, 4, 4, 1))),
    ):
        with pytest.raises(ValueError) as error_info:
            call()
        assert str(error_info.value).startswith(repr(layer.layer))


def test_the_error_for_one_example_suggests_a_batch_axis() -> None:
    conv = layers.Conv2D(2, 1)
    with pytest.raises(ValueError, match=r"for one example pass x\[None\]"):
        conv.apply(*conv.init(jax.random.key(0), (2, 3, 1)), jnp.ones((2, 3, 1)))
    with pytest.raises(ValueError, match="without the batch"):
        conv.output_shape((8, 2, 3, 1))


LAYERS_WITH_WEIGHTS = [
    (layers.Dense(2), (3,)),
    (layers.Conv2D(2, 3), (4, 4, 1)),
    (layers.Conv2DTranspose(2, 3), (4, 4, 1)),
    (layers.DepthwiseConv1D(3), (4, 1)),
    (layers.SeparableConv1D(2, 3), (4, 1)),
    (layers.BatchNormalization(renorm=True), (3,)),
    (layers.LayerNormalization(), (3,)),
    (layers.GroupNormalization(1), (3,)),
    (layers.RMSNormalization(), (3,)),
    (layers.Embedding(9, 2), (3,)),
    (layers.PReLU(), (3,)),
    (layers.LayerScale(0.5, 3), (3,)),
    (layers.ActivityRegularization(), (3,)),
    (layers.Normalization(), (3,)),
]
WEIGHTS = [
    (layer, shape, kind, name)
    for layer, shape in LAYERS_WITH_WEIGHTS
    for kind, weights in enumerate(layer.init(jax.random.key(0), shape))
    for name in weights
]


@pytest.mark.parametrize(
    ("layer", "shape", "kind", "name"),
    WEIGHTS,
    ids=[f"{type(layer).__name__}-{name}" for layer, _, _, name in WEIGHTS],
)
def test_missing_unknown_and_misshapen_weights_are_refused_by_name(
    layer, shape, kind, name
) -> None:
    x = jnp.ones((2, *shape))

    def apply_with(change: Any) -> str:
        weights = layer.init(jax.random.key(0), shape)
        change(weights[kind])
        with pytest.raises(ValueError) as error_info:
            layer.apply(*weights, x)
        assert str(error_info.value).startswith(repr(layer))
        return str(error_info.value)

    assert f"'{name}'" in apply_with(lambda weights: weights.pop(name))
    other = apply_with(lambda weights: weights.update({name: jnp.ones((7, 9))}))
    assert name in other
    assert "(7, 9)" in other
    assert "'another'" in apply_with(lambda weights: weights.update(another=jnp.ones(3)))


def test_params_for_another_input_shape_are_refused() -> None:
    # As test_dense_errors in Keras.
    dense = layers.Dense(2, activation="relu")
    params, state = dense.init(jax.random.key(0), (2,))
    with pytest.raises(ValueError, match=r"kernel in params must .* \(3, 2\) .*got \(2, 2\)"):
        dense.apply(params, state, jnp.ones((1, 3)))


def test_a_state_without_its_activity_penalty_is_refused() -> None:
    dense = layers.Dense(2, activity_regularizer="l2")
    params, _ = dense.init(jax.random.key(0), (3,))
    with pytest.raises(ValueError, match="activity_penalty"):
        dense.apply(params, {}, jnp.ones((1, 3)))


def test_initializers_that_return_a_wrong_shape_are_refused() -> None:
    dense = layers.Dense(2, kernel_initializer=lambda key, shape, dtype: jnp.zeros((1, 1)))
    with pytest.raises(ValueError, match=r"kernel_initializer .*\(3, 2\), got \(1, 1\)"):
        dense.init(jax.random.key(0), (3,))


def test_errors_of_depthwise_kernels_name_the_argument() -> None:
    wrong = {"depthwise_initializer": lambda key, shape, dtype: jnp.zeros((1, 1))}
    for layer in (layers.DepthwiseConv2D(3, **wrong), layers.SeparableConv2D(2, 3, **wrong)):
        with pytest.raises(ValueError, match=r"\): depthwise_initializer must .*, got \(1, 1\)"):
            layer.init(jax.random.key(0), (4, 4, 2))
    layer = layers.SeparableConv1D(2, 3, pointwise_constraint=jnp.sum)
    params, _ = layer.init(jax.random.key(0), (4, 2))
    with pytest.raises(ValueError, match=r"pointwise_constraint must .*, got \(\)"):
        layer.constrain(params)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Dropout(0.5), (3,)),
        (layers.SpatialDropout2D(0.5), (3, 2, 1)),
        (layers.AlphaDropout(0.5), (3,)),
        (layers.GaussianDropout(0.5), (3,)),
        (layers.GaussianNoise(0.5), (3,)),
    ],
)
def test_random_layers_require_a_key_in_training(layer, shape) -> None:
    x = jnp.ones((2, *shape))
    with pytest.raises(ValueError, match=r"key must .* None; pass key=jax.random.key") as e:
        layer.apply({}, {}, x, training=True)
    assert str(e.value).startswith(repr(layer))
    with pytest.raises(ValueError, match=r"key must be a JAX random key.* got 3"):
        layer.apply({}, {}, x, training=True, key=3)


@pytest.mark.parametrize("name", ["Dropout", "AlphaDropout"])
@pytest.mark.parametrize("noise_shape", [(2, 3, 1), (2,), (2, 4), (3, 3)])
def test_dropout_refuses_a_noise_shape_that_does_not_match_the_input(name, noise_shape) -> None:
    dropout = getattr(layers, name)(0.5, noise_shape=noise_shape)
    with pytest.raises(ValueError, match=r"noise_shape.*\(2, 3\)"):
        dropout.apply({}, {}, jnp.ones((2, 3)), training=True, key=jax.random.key(0))


def test_spectral_normalization_names_the_wrong_layer_or_weight() -> None:
    normalized = layers.SpectralNormalization
    dense = normalized(layers.Dense(2))
    params, state = dense.init(jax.random.key(0), (3,))
    x = jnp.ones((2, 3))
    for layer in (layers.ReLU(), layers.BatchNormalization(), Sequential([layers.Dense(2)], (3,))):
        with pytest.raises(ValueError, match="params with a 'kernel' or 'embeddings', got") as e:
            normalized(layer).init(jax.random.key(0), (3,))
        assert str(e.value).startswith(repr(normalized(layer)))
    with pytest.raises(ValueError, match="layer must not be spectrally normalized, got Spectral"):
        normalized(dense).init(jax.random.key(0), (3,))
    with pytest.raises(ValueError, match=r"state must be .*\['vector_u'\]"):
        dense.apply(params, {}, x)
    with pytest.raises(ValueError, match=r"vector_u in state must have shape \(1, 2\)"):
        dense.normalized_weights(params, {"vector_u": jnp.ones((1, 3))})
    with pytest.raises(ValueError, match="'kernel' or 'embeddings', got \\['bias'\\]"):
        dense.apply({"bias": params["bias"]}, state, x)
    with pytest.raises(TypeError, match="state must be a dictionary"):
        dense.apply(params, None, x)
    with pytest.raises(ValueError, match=r"^Dense.*params must be"):
        dense.apply({"kernel": params["kernel"]}, state, x)
    with pytest.raises(ValueError, match=r"^Dense.*state must be an empty"):
        dense.apply(params, {**state, "another": x}, x)


def test_embedding_refuses_floats_that_do_not_represent_its_indices() -> None:
    params, state = layers.Embedding(258, 1).init(jax.random.key(0), (3,))
    layer = layers.Embedding(258, 1)
    layer.apply(params, state, jnp.ones((2, 3), jnp.float16))
    with pytest.raises(ValueError, match="all indices below input_dim, got bfloat16"):
        layer.apply(params, state, jnp.ones((2, 3), jnp.bfloat16))


def test_adapt_refuses_data_without_the_statistics_that_it_computes() -> None:
    with pytest.raises(ValueError, match="mean and variance must be None for adapt"):
        layers.Normalization(mean=0.0, variance=1.0).adapt(jnp.ones((2, 3)))
    for data in (jnp.ones((0, 3)), jnp.ones(())):
        with pytest.raises(ValueError, match=r"data must be .* at least one example, got an arr"):
            layers.Normalization().adapt(data)
    with pytest.raises(ValueError, match="axis must be an axis of an input with 1 axes"):
        layers.Normalization().adapt(jnp.ones(3))
    with pytest.raises(TypeError, match="data must be an array, got list"):
        layers.Normalization().adapt([1.0])


def test_errors_in_a_sequential_have_notes_that_name_the_layers() -> None:
    inner = Sequential([layers.Flatten(), layers.Conv2D(2, 3)], name="inner")
    model = Sequential([layers.ReLU(), inner], name="outer")
    notes = [
        "In layer 1 of Sequential 'inner', 'conv2d'.",
        "In layer 1 of Sequential 'outer', 'inner'.",
    ]
    for call in (
        lambda: model.init(jax.random.key(0), (4, 4, 1)),
        lambda: model.output_shape((4, 4, 1)),
        lambda: model.apply({}, {}, jnp.ones((1, 4, 4, 1))),
        lambda: Sequential([layers.ReLU(), inner], (4, 4, 1), name="outer"),
    ):
        with pytest.raises(ValueError, match=r"needs examples of shape|must be") as error_info:
            call()
        assert error_info.value.__notes__ == notes


def test_the_error_for_an_unknown_name_suggests_the_nearest_ones() -> None:
    with pytest.raises(ValueError, match="unknown activation 'rellu'; did you mean 'relu'"):
        layers.Dense(2, activation="rellu")
    with pytest.raises(ValueError, match=r"unknown initializer '!'\. Known names: .*he_normal"):
        layers.Dense(2, kernel_initializer="!")


def test_a_layer_without_apply_raises_not_implemented_error() -> None:
    with pytest.raises(NotImplementedError, match="Layer does not define apply"):
        layers.Layer().apply({}, {}, jnp.ones(1))
