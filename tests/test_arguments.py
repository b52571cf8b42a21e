"""Errors of wrong arguments name the argument, the value received and the values allowed."""

import dataclasses
import inspect
import pickle
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers import (
    Functional,
    Input,
    Sequential,
    constraints,
    initializers,
    layers,
    regularizers,
    train,
)
from jaxlayers import _fields as fields
from jaxlayers.input_layer import InputLayer
from jaxlayers.layers import InBfloat16
from jaxlayers.train.augmentation import Cutout, Flip, Shift
from tests.wrong_values import (
    AXES,
    BOOLEANS,
    CHOICES,
    COUNTS,
    DATA_FORMATS,
    FINITE_NOT_NEGATIVE,
    FRACTIONS,
    IDENTIFIERS,
    INFINITY,
    INTEGERS,
    NAN,
    NOT_NEGATIVE,
    NUMBERS,
    PADDINGS,
    PAIRS,
    POSITIVE,
    REQUIRED_IDENTIFIERS,
    SHAPES,
    SINGLES,
    STRINGS,
    TRIPLES,
    assert_informative_error,
    excluding,
)

_WITH_KERNEL = {
    "activation": IDENTIFIERS,
    "use_bias": BOOLEANS,
    "kernel_initializer": REQUIRED_IDENTIFIERS,
    "bias_initializer": REQUIRED_IDENTIFIERS,
    "kernel_regularizer": IDENTIFIERS,
    "bias_regularizer": IDENTIFIERS,
    "activity_regularizer": IDENTIFIERS,
    "kernel_constraint": IDENTIFIERS,
    "bias_constraint": IDENTIFIERS,
}
_TUPLES = {1: SINGLES, 2: PAIRS, 3: TRIPLES}
_OUTPUT_PADDINGS = {
    1: ["x", 1.5, -1, (-1,), (1, 2), True, {}, 1],
    2: [*PADDINGS, 1],
    3: ["x", 1.5, -1, (0, 0, -1), (0, 0), True, {}, 1, (0, 1, 0)],
}
# Of padding and cropping.
_SIDES = {
    1: [*PADDINGS, None, ((1, 2),)],
    2: [*PADDINGS, None, ((1, 2), (3,))],
    3: ["x", None, 1.5, -1, (1, 1, -1), (1,), (1, 2), (1, 2, "a"), True, {}, ((1, 2), 3, (4,))],
}


def _with_window(rank: int, prefixes: tuple[str, ...] = ("kernel",)) -> dict[str, list[Any]]:
    """Returns wrong values of the arguments of convolutions, except `filters` and a few others."""
    of_kernels = {
        argument.replace("kernel", prefix): values
        for prefix in prefixes
        for argument, values in _WITH_KERNEL.items()
    }
    return {
        "kernel_size": _TUPLES[rank],
        "strides": _TUPLES[rank],
        "padding": CHOICES if rank == 1 else [*CHOICES, "causal"],
        "data_format": DATA_FORMATS,
        "dilation_rate": _TUPLES[rank],
        # The fields of a base class, which the layers in two dimensions test.
        **{name: values if rank == 2 else values[:1] for name, values in of_kernels.items()},
    }


def _with_pool(rank: int) -> dict[str, list[Any]]:
    return {
        "pool_size": _TUPLES[rank],
        "strides": excluding(_TUPLES[rank], None),
        "padding": [*CHOICES, "SAME"],
        "data_format": DATA_FORMATS,
    }


_GLOBAL_POOLING = {"data_format": DATA_FORMATS, "keepdims": BOOLEANS}
_NORMALIZATION = {
    "epsilon": FINITE_NOT_NEGATIVE,
    "center": BOOLEANS,
    "scale": BOOLEANS,
    "beta_initializer": REQUIRED_IDENTIFIERS,
    "gamma_initializer": REQUIRED_IDENTIFIERS,
    "beta_regularizer": IDENTIFIERS,
    "gamma_regularizer": IDENTIFIERS,
    "beta_constraint": IDENTIFIERS,
    "gamma_constraint": IDENTIFIERS,
}
_ARRAYS = ["x", None, NAN, INFINITY, True, 1j, [], [[1.0], [1.0, 2.0]], ["x"], {}]
_WINDOW = {"filters": 2, "kernel_size": 3}
_FACTOR = FINITE_NOT_NEGATIVE

# Every class whose arguments are checked: its required arguments, and wrong values of each of its
# arguments.
CLASSES: dict[type, tuple[dict[str, Any], dict[str, list[Any]]]] = {
    layers.Dense: ({"units": 2}, {"units": COUNTS, **_WITH_KERNEL}),
    **{
        cls: (_WINDOW, {"filters": COUNTS, **_with_window(rank), "groups": COUNTS})
        for rank, cls in enumerate((layers.Conv1D, layers.Conv2D, layers.Conv3D), 1)
    },
    **{
        cls: (
            _WINDOW,
            {
                "filters": COUNTS,
                **_with_window(rank),
                "output_padding": _OUTPUT_PADDINGS[rank],
            },
        )
        for rank, cls in enumerate(
            (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose), 1
        )
    },
    **{
        cls: (
            {"kernel_size": 3},
            {**_with_window(rank, ("depthwise",)), "depth_multiplier": COUNTS},
        )
        for rank, cls in enumerate((layers.DepthwiseConv1D, layers.DepthwiseConv2D), 1)
    },
    **{
        cls: (
            _WINDOW,
            {
                "filters": COUNTS,
                **_with_window(rank, ("depthwise", "pointwise")),
                "depth_multiplier": COUNTS,
            },
        )
        for rank, cls in enumerate((layers.SeparableConv1D, layers.SeparableConv2D), 1)
    },
    layers.BatchNormalization: (
        {},
        {
            "axis": INTEGERS,
            "momentum": FRACTIONS,
            "epsilon": FINITE_NOT_NEGATIVE,
            "center": BOOLEANS,
            "scale": BOOLEANS,
            "beta_initializer": REQUIRED_IDENTIFIERS,
            "gamma_initializer": REQUIRED_IDENTIFIERS,
            "moving_mean_initializer": REQUIRED_IDENTIFIERS,
            "moving_variance_initializer": REQUIRED_IDENTIFIERS,
            "beta_regularizer": IDENTIFIERS,
            "gamma_regularizer": IDENTIFIERS,
            "beta_constraint": IDENTIFIERS,
            "gamma_constraint": IDENTIFIERS,
            "renorm": BOOLEANS,
            "renorm_clipping": [3, "rmax", ["rmax"], {"rmax": "x"}, {"dmax": -1.0}, {"rmin": NAN}],
            "renorm_momentum": FRACTIONS,
            "synchronized": [*BOOLEANS, True],
        },
    ),
    **{
        cls: ({}, _with_pool(rank))
        for rank, cls in enumerate(
            (layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D), 1
        )
    },
    **{
        cls: ({"pool_size": 2}, _with_pool(rank))
        for rank, cls in enumerate(
            (layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D), 1
        )
    },
    layers.SumPooling2D: ({}, _with_pool(2)),
    **{
        getattr(layers, f"Global{kind}Pooling{rank}D"): ({}, _GLOBAL_POOLING)
        for kind in ("Average", "Max")
        for rank in _TUPLES
    },
    **{
        getattr(layers, f"Adaptive{kind}Pooling{rank}D"): (
            {"output_size": 2},
            {"output_size": values, "data_format": DATA_FORMATS},
        )
        for kind in ("Average", "Max")
        for rank, values in _TUPLES.items()
    },
    layers.UpSampling1D: ({}, {"size": [*COUNTS, (2,)]}),
    layers.UpSampling2D: (
        {},
        {"size": PAIRS, "data_format": DATA_FORMATS, "interpolation": [*CHOICES, "area"]},
    ),
    layers.UpSampling3D: ({}, {"size": TRIPLES, "data_format": DATA_FORMATS}),
    **{
        getattr(layers, f"ZeroPadding{rank}D"): (
            {},
            {"padding": values, "data_format": DATA_FORMATS},
        )
        for rank, values in _SIDES.items()
    },
    layers.Cropping1D: ({}, {"cropping": _SIDES[1]}),
    **{
        cls: ({}, {"cropping": _SIDES[rank], "data_format": DATA_FORMATS})
        for rank, cls in enumerate((layers.Cropping2D, layers.Cropping3D), 2)
    },
    layers.Reshape: ({}, {"target_shape": [*SHAPES, None, (-2, 5), (-1, -1)]}),
    layers.Flatten: ({}, {"data_format": DATA_FORMATS}),
    # None is the linear activation, as in Keras.
    layers.Activation: ({}, {"activation": IDENTIFIERS}),
    layers.ReLU: (
        {},
        {
            "max_value": excluding(NOT_NEGATIVE, None),
            "negative_slope": FINITE_NOT_NEGATIVE,
            "threshold": FINITE_NOT_NEGATIVE,
        },
    ),
    layers.LeakyReLU: (
        {},
        {"negative_slope": FINITE_NOT_NEGATIVE, "alpha": excluding(FINITE_NOT_NEGATIVE, None)},
    ),
    layers.Softmax: ({}, {"axis": AXES}),
    layers.Dropout: (
        {"rate": 0.5},
        {"rate": FRACTIONS, "noise_shape": ["x", 3, (2, 1.5), (2, 0), (2, -1), (2, True)]},
    ),
    **dict.fromkeys(
        [layers.SpatialDropout2D, layers.SpatialDropout3D],
        ({"rate": 0.5}, {"rate": FRACTIONS, "data_format": DATA_FORMATS}),
    ),
    layers.SpatialDropout1D: ({"rate": 0.5}, {"rate": FRACTIONS}),
    layers.AlphaDropout: (
        {"rate": 0.5},
        {"rate": [*FRACTIONS, 1.0], "noise_shape": ["x", 3, (2, 1.5), (2, 0)]},
    ),
    layers.GaussianDropout: ({"rate": 0.5}, {"rate": [*FRACTIONS, 1.0]}),
    layers.GaussianNoise: ({"stddev": 0.5}, {"stddev": FRACTIONS}),
    layers.LayerNormalization: ({}, {"axis": AXES, **_NORMALIZATION}),
    layers.GroupNormalization: (
        {},
        {"groups": [*INTEGERS, 0, -2], "axis": INTEGERS, **_NORMALIZATION},
    ),
    layers.RMSNormalization: ({}, {"axis": AXES, "epsilon": FINITE_NOT_NEGATIVE}),
    layers.UnitNormalization: ({}, {"axis": AXES}),
    layers.SpectralNormalization: (
        {"layer": layers.Dense(2)},
        {"layer": [None, "relu", 3, layers.Dense], "power_iterations": COUNTS},
    ),
    layers.Embedding: (
        {"input_dim": 3, "output_dim": 2},
        {
            "input_dim": COUNTS,
            "output_dim": COUNTS,
            "embeddings_initializer": REQUIRED_IDENTIFIERS,
            "embeddings_regularizer": IDENTIFIERS,
            "embeddings_constraint": IDENTIFIERS,
            "mask_zero": [*BOOLEANS, True],
        },
    ),
    layers.ELU: ({}, {"alpha": [*NUMBERS, INFINITY]}),
    layers.PReLU: (
        {},
        {
            "alpha_initializer": REQUIRED_IDENTIFIERS,
            "alpha_regularizer": IDENTIFIERS,
            "alpha_constraint": IDENTIFIERS,
            "shared_axes": ["x", 1.5, 0, -1, True, (0,), (1, "x"), {}],
        },
    ),
    layers.ActivityRegularization: ({}, {"l1": _FACTOR, "l2": _FACTOR}),
    layers.Identity: ({}, {}),
    layers.Permute: ({}, {"dims": [*excluding(SHAPES, {}), None, (0, 1), (1, 1), (2,)]}),
    layers.RepeatVector: ({}, {"n": COUNTS}),
    layers.Rescaling: ({"scale": 2}, {"scale": _ARRAYS, "offset": _ARRAYS}),
    layers.Normalization: (
        {"mean": 0.0, "variance": 1.0},
        {
            "axis": ["x", 1.5, True, (1, "x"), (1.5,)],
            "mean": [*_ARRAYS, (1.0,)],
            "variance": [*_ARRAYS, (1.0,), -1.0],
            "invert": BOOLEANS,
        },
    ),
    Sequential: (
        {"layers": [layers.ReLU()]},
        {
            "layers": ["relu", 3, None, [], ["relu"], [layers.ReLU], layers.ReLU()],
            "input_shape": SHAPES,
            "name": STRINGS,
            "names": ["x", 3, [3], [""], ("a", "b"), ()],
            "fuse": BOOLEANS,
        },
    ),
    **{
        getattr(layers, name): ({}, {})
        for name in ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract")
    },
    layers.Concatenate: ({}, {"axis": [*INTEGERS, 0]}),
    layers.Dot: (
        {"axes": 1},
        {"axes": [*INTEGERS[:-2], 0, (1,), (1, 0), (1, "x"), {}], "normalize": BOOLEANS},
    ),
    InputLayer: (
        {"shape": (3,)},
        {"shape": excluding(SHAPES, (2, None)), "dtype": ["x", 3, ("float32",)]},
    ),
    Functional: (
        {"inputs": Input((3,)), "outputs": "x"},
        {
            "inputs": [3, None, [], {}, [Input((3,)), "x"], ("x", 1.5, 0), ("x", -1, 0)],
            "outputs": [3, None, [], {}, {3: "x"}],
            "name": STRINGS,
            "nodes": ["x", 3, ["x"], [("x", 3)], [("x", layers.ReLU())], [(3, layers.ReLU(), "x")]],
            "fuse": BOOLEANS,
        },
    ),
    **dict.fromkeys(
        [layers.Frozen, InBfloat16, layers.InferenceMode],
        ({}, {"layer": [None, "relu", 3, layers.ReLU]}),
    ),
    layers.LayerScale: (
        {"init_values": 1.0, "projection_dim": 2},
        {"init_values": NUMBERS, "projection_dim": COUNTS},
    ),
    layers.CustomScaleLayer: ({}, {"scale": NUMBERS}),
    initializers.Constant: ({}, {"value": excluding(NUMBERS, NAN, 1j)}),
    initializers.Identity: ({}, {"gain": NUMBERS}),
    initializers.RandomNormal: ({}, {"mean": NUMBERS, "stddev": FINITE_NOT_NEGATIVE}),
    initializers.TruncatedNormal: ({}, {"mean": NUMBERS, "stddev": FINITE_NOT_NEGATIVE}),
    initializers.RandomUniform: ({}, {"minval": [*NUMBERS, 5.0], "maxval": [*NUMBERS, -5.0]}),
    initializers.VarianceScaling: (
        {},
        {
            "scale": POSITIVE,
            "mode": [*CHOICES, "FAN_IN"],
            "distribution": CHOICES,
            "input_axes": ["x", 3, (1.5,), ("x",)],
            "output_axes": ["x", 3, (1.5,), ("x",)],
        },
    ),
    **{
        getattr(initializers, name): ({}, {"input_axes": ["x", 3], "output_axes": ["x", 3]})
        for name in (
            "GlorotUniform",
            "GlorotNormal",
            "HeUniform",
            "HeNormal",
            "LecunUniform",
            "LecunNormal",
        )
    },
    initializers.Orthogonal: ({}, {"gain": NUMBERS}),
    initializers.STFT: (
        {},
        {
            "side": CHOICES,
            "window": ["unknown", 3, ("x",), True],
            "scaling": excluding(CHOICES, None),
            "periodic": BOOLEANS,
        },
    ),
    initializers.Zeros: ({}, {}),
    initializers.Ones: ({}, {}),
    regularizers.L1: ({}, {"l1": _FACTOR}),
    regularizers.L2: ({}, {"l2": _FACTOR}),
    regularizers.L1L2: ({}, {"l1": _FACTOR, "l2": _FACTOR}),
    regularizers.OrthogonalRegularizer: ({}, {"factor": _FACTOR, "mode": CHOICES}),
    constraints.MaxNorm: ({}, {"max_value": NOT_NEGATIVE, "axis": AXES}),
    constraints.MinMaxNorm: (
        {},
        {
            "min_value": [*FINITE_NOT_NEGATIVE, 5.0],
            "max_value": NOT_NEGATIVE,
            "rate": FRACTIONS,
            "axis": AXES,
        },
    ),
    constraints.UnitNorm: ({}, {"axis": AXES}),
    constraints.NonNeg: ({}, {}),
    train.FitConfig: (
        {},
        {
            **dict.fromkeys(
                [
                    "steps",
                    "batch_size",
                    "log_every",
                    "sample_every",
                    "samples",
                    "evaluate_every",
                    "score_every",
                    "checkpoint_every",
                    "keep",
                ],
                COUNTS,
            ),
            "seed": [*INTEGERS, -1, 2**63],
            "best": excluding(STRINGS, None),
            "sample_columns": excluding(COUNTS, None),
            "devices": excluding(COUNTS, None),
        },
    ),
    Shift: ({}, {"pixels": COUNTS}),
    Cutout: ({}, {"size": COUNTS}),
    Flip: ({}, {}),
}

WRONG_FIELDS = [
    pytest.param(cls, required, name, value, id=f"{cls.__name__}-{name}-{value!r}")
    for cls, (required, arguments) in CLASSES.items()
    for name, values in arguments.items()
    for value in values
]


@pytest.mark.parametrize(("cls", "required", "name", "value"), WRONG_FIELDS)
def test_wrong_arguments_of_classes_are_refused(cls, required, name, value) -> None:
    # For a list of layers, the error names the wrong one.
    received = value[0] if name == "layers" and isinstance(value, list) and value else value
    assert_informative_error(
        lambda: cls(**{**required, name: value}), cls.__name__, name, repr(received)
    )


def test_the_table_includes_every_class_and_argument() -> None:
    checked = {
        *(getattr(layers, name) for name in layers.__all__ if name != "Layer"),
        *initializers.BY_NAME.values(),
        *regularizers.BY_NAME.values(),
        *constraints.BY_NAME.values(),
    }
    assert checked <= CLASSES.keys()
    for cls, (_, arguments) in CLASSES.items():
        assert arguments.keys() == inspect.signature(cls).parameters.keys(), cls


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: layers.Dense(np.int64(3), use_bias=np.False_), layers.Dense(3, use_bias=False)),
        (lambda: layers.Conv2D(np.uint8(2), np.array([3, 3])), layers.Conv2D(2, 3)),
        (lambda: layers.Dropout(np.float32(0.5)), layers.Dropout(0.5)),
        (lambda: layers.Dropout(jnp.float32(0.5)), layers.Dropout(0.5)),
        (lambda: layers.Softmax(np.int8(1)), layers.Softmax(1)),
        (lambda: layers.Rescaling(np.float32(0.5), jnp.ones(2)), layers.Rescaling(0.5, (1, 1))),
        (lambda: layers.Reshape(np.array([2, -1])), layers.Reshape((2, -1))),
        (lambda: regularizers.L2(np.float64(0.25)), regularizers.L2(0.25)),
        (lambda: initializers.RandomNormal(np.int32(1)), initializers.RandomNormal(1.0)),
        (lambda: train.FitConfig(np.int64(3)), train.FitConfig(3)),
        (lambda: layers.Dense(2, use_bias=1), layers.Dense(2)),
    ],
)
def test_numpy_scalars_become_python_scalars(make, expected) -> None:
    assert make() == expected
    assert repr(make()) == repr(expected)
    assert hash(make()) == hash(expected)


def test_numbers_can_have_an_exclusive_upper_bound() -> None:
    decay = fields.Number(at_least=0, below=1)
    assert decay.check("GAN", "ema", 0) == 0.0
    with pytest.raises(ValueError, match="GAN: ema must be a number from 0 to below 1, got 1"):
        decay.check("GAN", "ema", 1)


def test_fields_behave_as_in_a_standard_dataclass() -> None:
    conv = layers.Conv2D(4, 3, strides=[2, 1])
    assert dataclasses.replace(conv, filters=8) == layers.Conv2D(8, (3, 3), (2, 1))
    assert pickle.loads(pickle.dumps(conv)) == conv
    assert dataclasses.asdict(conv)["strides"] == (2, 1)
    parameters = inspect.signature(layers.Conv2D).parameters
    assert parameters["filters"].default is inspect.Parameter.empty
    assert parameters["strides"].default == layers.Conv2D.strides == (1, 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        conv.filters = 3
    with pytest.raises(TypeError, match="'filters' and 'kernel_size'"):
        layers.Conv2D()
    with pytest.raises(AttributeError, match="Conv2D has no value of filters"):
        _ = layers.Conv2D.filters
