"""Layers in one and three dimensions, and depthwise layers, compared with Keras's."""

import inspect

import keras
import pytest

from jaxlayers import layers
from tests.parity.oracle import compare

FIRST = {"data_format": "channels_first"}
WEIGHTS = {
    "activation": "tanh",
    "activity_regularizer": "l2",
    "bias_regularizer": "l1",
    "bias_constraint": "non_neg",
}
KERNEL = {"kernel_regularizer": "l2", "kernel_constraint": "max_norm"}
DEPTHWISE = {"depthwise_regularizer": "l2", "depthwise_constraint": "max_norm"}
POINTWISE = {"pointwise_regularizer": "l1", "pointwise_constraint": "unit_norm"}

# The layer, its arguments, and the shape of one example. Except for the first case of each layer,
# they are slow tests.
CASES = [
    (
        "Conv1D",
        {"filters": 4, "kernel_size": 3, "padding": "CAUSAL", "dilation_rate": 2, "groups": 2}
        | FIRST,
        (4, 5),
    ),
    ("Conv1D", {"filters": 4, "kernel_size": (3,), "padding": "causal", "strides": 2}, (8, 3)),
    ("Conv1D", {"filters": 4, "kernel_size": 3, **WEIGHTS, **KERNEL}, (7, 2)),
    ("Conv1D", {"filters": 2, "kernel_size": 4, "padding": "same", "strides": 3}, (7, 3)),
    ("Conv3D", {"filters": 4, "kernel_size": (1, 2, 3), **WEIGHTS, **KERNEL}, (3, 4, 5, 2)),
    (
        "Conv3D",
        {"filters": 4, "kernel_size": 3, "padding": "same", "strides": (2, 1, 2), "groups": 2}
        | FIRST,
        (2, 3, 4, 5),
    ),
    ("Conv3D", {"filters": 2, "kernel_size": 2, "dilation_rate": (1, 2, 1)}, (3, 4, 3, 2)),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 3, **WEIGHTS, **KERNEL}, (4, 2)),
    (
        "Conv1DTranspose",
        {"filters": 3, "kernel_size": 4, "strides": 3, "padding": "same", "output_padding": 1}
        | FIRST,
        (2, 4),
    ),
    ("Conv3DTranspose", {"filters": 2, "kernel_size": (1, 3, 2), **WEIGHTS}, (2, 3, 2, 2)),
    (
        "Conv3DTranspose",
        {"filters": 2, "kernel_size": 3, "strides": (1, 2, 2), "output_padding": (0, 1, 1)} | FIRST,
        (2, 2, 3, 2),
    ),
    ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2, **WEIGHTS, **DEPTHWISE}, (6, 3)),
    ("DepthwiseConv1D", {"kernel_size": 3, "strides": 2, "padding": "same", **FIRST}, (3, 6)),
    ("DepthwiseConv2D", {"kernel_size": (3, 2), **WEIGHTS, **DEPTHWISE}, (5, 4, 3)),
    # Strides and dilation are both above 1.
    (
        "DepthwiseConv2D",
        {"kernel_size": 3, "strides": 2, "padding": "same", "dilation_rate": 2}
        | {"depth_multiplier": 2, "use_bias": False, **FIRST},
        (3, 7, 6),
    ),
    (
        "SeparableConv1D",
        {"filters": 4, "kernel_size": 3, "depth_multiplier": 2, **WEIGHTS, **DEPTHWISE} | POINTWISE,
        (6, 3),
    ),
    ("SeparableConv1D", {"filters": 4, "kernel_size": 3, "dilation_rate": 2, **FIRST}, (3, 6)),
    (
        "SeparableConv2D",
        {"filters": 4, "kernel_size": (3, 2), "strides": 2, "padding": "same"}
        | WEIGHTS
        | DEPTHWISE
        | POINTWISE,
        (5, 4, 3),
    ),
    ("SeparableConv2D", {"filters": 4, "kernel_size": 2, "use_bias": False, **FIRST}, (3, 4, 5)),
    ("MaxPooling1D", {}, (5, 2)),
    ("MaxPooling1D", {"pool_size": 3, "strides": 2, "padding": "same", **FIRST}, (2, 6)),
    ("MaxPooling3D", {"pool_size": (1, 2, 3), "strides": (1, 2, 1)}, (3, 4, 5, 2)),
    ("MaxPooling3D", {"padding": "same", **FIRST}, (2, 3, 4, 5)),
    ("AveragePooling1D", {"pool_size": 3, "strides": 2, "padding": "same"}, (6, 2)),
    ("AveragePooling1D", {"pool_size": (2,), **FIRST}, (2, 5)),
    ("AveragePooling3D", {"pool_size": 2, "padding": "same"}, (3, 4, 5, 2)),
    ("AveragePooling3D", {"pool_size": (2, 1, 2), "strides": 1, **FIRST}, (2, 3, 2, 3)),
    *(
        (f"Global{kind}Pooling{rank}D", arguments, shape)
        for kind in ("Average", "Max")
        for rank, shape in ((1, (4, 2)), (3, (2, 3, 4, 2)))
        for arguments in ({}, {"keepdims": True, **FIRST})
    ),
    *(
        (f"Adaptive{kind}Pooling{name}", arguments, shape)
        for kind in ("Average", "Max")
        for name, arguments, shape in (
            # Windows of different sizes, of the same size, and fewer positions than windows.
            ("1D", {"output_size": (3,), **FIRST}, (2, 8)),
            ("1D", {"output_size": 3}, (6, 2)),
            ("2D", {"output_size": (3, 2)}, (8, 6, 2)),
            ("2D", {"output_size": 4, **FIRST}, (2, 3, 7)),
            ("3D", {"output_size": (1, 2, 3)}, (4, 5, 2, 2)),
            ("3D", {"output_size": 2, **FIRST}, (2, 3, 2, 4)),
        )
    ),
    ("UpSampling1D", {"size": 3}, (3, 2)),
    ("UpSampling3D", {}, (2, 1, 3, 2)),
    ("UpSampling3D", {"size": (1, 2, 3), **FIRST}, (2, 2, 3, 1)),
    ("ZeroPadding1D", {}, (3, 2)),
    ("ZeroPadding1D", {"padding": (0, 2), **FIRST}, (2, 3)),
    ("ZeroPadding3D", {}, (2, 1, 3, 2)),
    ("ZeroPadding3D", {"padding": ((1, 0), (0, 2), (1, 1)), **FIRST}, (2, 2, 3, 1)),
    ("ZeroPadding3D", {"padding": (2, 0, 1)}, (2, 2, 3, 1)),
    ("Cropping1D", {}, (3, 2)),
    ("Cropping1D", {"cropping": (0, 2)}, (4, 2)),
    ("Cropping2D", {}, (3, 2, 2)),
    ("Cropping2D", {"cropping": 1}, (3, 4, 2)),
    ("Cropping2D", {"cropping": ((0, 1), (2, 0)), **FIRST}, (2, 3, 4)),
    ("Cropping3D", {}, (3, 4, 3, 2)),
    ("Cropping3D", {"cropping": ((0, 1), (2, 0), (0, 0)), **FIRST}, (2, 3, 4, 1)),
    ("Cropping3D", {"cropping": (0, 1, 0)}, (1, 3, 1, 2)),
]


FIRST_CASES = {case[0]: i for i, case in reversed([*enumerate(CASES)])}


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        pytest.param(*case, marks=() if FIRST_CASES[case[0]] == i else pytest.mark.slow)
        for i, case in enumerate(CASES)
    ],
    ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)],
)
def test_layer_equals_keras(name, arguments, shape) -> None:
    compare(getattr(layers, name)(**arguments), getattr(keras.layers, name)(**arguments), shape)


NAMES = sorted(
    name
    for name in layers.__all__
    if name.endswith(("1D", "2D", "3D", "1DTranspose", "2DTranspose", "3DTranspose"))
    and hasattr(keras.layers, name)
    and not name.startswith("SpatialDropout")  # in test_other_layers.py
)


@pytest.mark.parametrize("name", NAMES)
def test_arguments_and_defaults_are_those_of_keras(name) -> None:
    layer, keras_layer = getattr(layers, name), getattr(keras.layers, name)
    expected = dict(inspect.signature(keras_layer).parameters)
    del expected["kwargs"]
    expected.pop("name", None)
    assert [*inspect.signature(layer).parameters] == [*expected]
    required = {
        argument: 2
        for argument, parameter in expected.items()
        if parameter.default is inspect.Parameter.empty
    }
    defaults = {
        argument: parameter.default
        for argument, parameter in expected.items()
        if argument not in required
    }
    assert layer(**required) == layer(**required, **defaults)


def test_the_cases_include_every_layer() -> None:
    two_dimensional = {
        "AveragePooling2D",
        "Conv2D",
        "Conv2DTranspose",
        "GlobalAveragePooling2D",
        "GlobalMaxPooling2D",
        "MaxPooling2D",
        "UpSampling2D",
        "ZeroPadding2D",
    }
    assert {name for name, *_ in CASES} == {*NAMES} - two_dimensional
