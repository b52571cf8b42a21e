"""What every class and function says of a wrong argument: who, which, what came, what may come."""

import dataclasses
import inspect
import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxlayers import (
    Sequential,
    activations,
    config,
    constraints,
    export,
    initializers,
    layers,
    regularizers,
    train,
)
from jaxlayers.layer import Layer
from jaxlayers.models import cnn, dcgan
from jaxlayers.precision import InBfloat16
from jaxlayers.train.augmentation import Cutout, Flip, Shift, augment
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
    STRINGS,
    assert_complete,
    without,
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
_WITH_WINDOW = {
    "filters": COUNTS,
    "kernel_size": PAIRS,
    "strides": PAIRS,
    "padding": CHOICES,
    "data_format": DATA_FORMATS,
    "dilation_rate": PAIRS,
    **_WITH_KERNEL,
}
_POOLING = {
    "pool_size": PAIRS,
    "strides": without(PAIRS, None),
    "padding": [*CHOICES, "SAME"],
    "data_format": DATA_FORMATS,
}
_GLOBAL_POOLING = {"data_format": DATA_FORMATS, "keepdims": BOOLEANS}
_FACTOR = FINITE_NOT_NEGATIVE

# Every class whose arguments are checked: the arguments that it needs, and for each of all its
# arguments the values that are wrong.
CLASSES: dict[type, tuple[dict[str, Any], dict[str, list[Any]]]] = {
    layers.Dense: ({"units": 2}, {"units": COUNTS, **_WITH_KERNEL}),
    layers.Conv2D: ({"filters": 2, "kernel_size": 3}, {**_WITH_WINDOW, "groups": COUNTS}),
    layers.Conv2DTranspose: (
        {"filters": 2, "kernel_size": 3},
        {**_WITH_WINDOW, "output_padding": [*PADDINGS, 1]},
    ),
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
    layers.MaxPooling2D: ({}, _POOLING),
    layers.AveragePooling2D: ({"pool_size": 2}, _POOLING),
    layers.SumPooling2D: ({}, _POOLING),
    layers.GlobalAveragePooling2D: ({}, _GLOBAL_POOLING),
    layers.GlobalMaxPooling2D: ({}, _GLOBAL_POOLING),
    layers.UpSampling2D: (
        {},
        {"size": PAIRS, "data_format": DATA_FORMATS, "interpolation": [*CHOICES, "area"]},
    ),
    layers.ZeroPadding2D: (
        {},
        {"padding": [*PADDINGS, None, ((1, 2), (3,))], "data_format": DATA_FORMATS},
    ),
    layers.Reshape: ({}, {"target_shape": [*SHAPES, None, (-2, 5), (-1, -1)]}),
    layers.Flatten: ({}, {"data_format": DATA_FORMATS}),
    # None is Keras's linear activation here as well.
    layers.Activation: ({}, {"activation": IDENTIFIERS}),
    layers.ReLU: (
        {},
        {
            "max_value": without(NOT_NEGATIVE, None),
            "negative_slope": FINITE_NOT_NEGATIVE,
            "threshold": FINITE_NOT_NEGATIVE,
        },
    ),
    layers.LeakyReLU: (
        {},
        {"negative_slope": FINITE_NOT_NEGATIVE, "alpha": without(FINITE_NOT_NEGATIVE, None)},
    ),
    layers.Softmax: ({}, {"axis": AXES}),
    layers.Dropout: (
        {"rate": 0.5},
        {"rate": FRACTIONS, "noise_shape": ["x", 3, (2, 1.5), (2, 0), (2, -1), (2, True)]},
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
    InBfloat16: ({}, {"layer": [None, "relu", 3, layers.ReLU]}),
    initializers.Constant: ({}, {"value": without(NUMBERS, NAN, 1j)}),
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
            "scaling": without(CHOICES, None),
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
                    "checkpoint_every",
                    "keep",
                ],
                COUNTS,
            ),
            "seed": [*INTEGERS, -1, 2**63],
            "best": without(STRINGS, None),
            "devices": without(COUNTS, None),
        },
    ),
    Shift: ({}, {"pixels": COUNTS}),
    Cutout: ({}, {"size": COUNTS}),
    Flip: ({}, {}),
}

WRONG_FIELDS = [
    pytest.param(cls, needed, name, value, id=f"{cls.__name__}-{name}-{value!r}")
    for cls, (needed, arguments) in CLASSES.items()
    for name, values in arguments.items()
    for value in values
]


@pytest.mark.parametrize(("cls", "needed", "name", "value"), WRONG_FIELDS)
def test_a_wrong_argument_of_a_class_is_refused_completely(cls, needed, name, value) -> None:
    # Of a list of layers the one that is wrong is named.
    received = value[0] if name == "layers" and isinstance(value, list) and value else value
    assert_complete(lambda: cls(**{**needed, name: value}), cls.__name__, name, repr(received))


def test_the_table_has_every_class_and_every_argument() -> None:
    checked = {
        *(getattr(layers, name) for name in layers.__all__ if name != "Layer"),
        *initializers.BY_NAME.values(),
        *regularizers.BY_NAME.values(),
        *constraints.BY_NAME.values(),
    }
    assert checked <= CLASSES.keys()
    for cls, (_, arguments) in CLASSES.items():
        assert arguments.keys() == inspect.signature(cls).parameters.keys(), cls


DENSE, IMAGE, KEY = layers.Dense(2), (8, 8, 1), jax.random.key(0)
DENSE_PARAMS, _ = DENSE.init(KEY, (3,))
VECTORS, IMAGES = jnp.ones((2, 3)), jnp.ones((2, *IMAGE))
MODEL = Sequential(
    [layers.Conv2D(2, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(4)], IMAGE
)
PARAMS, STATE = MODEL.init(KEY)
NORMALIZATION = layers.BatchNormalization()
NORMALIZATION_WEIGHTS = NORMALIZATION.init(KEY, (3,))
EACH_WITH_WEIGHTS = [
    (DENSE, (3,)),
    (layers.Conv2D(2, 3), IMAGE),
    (layers.Conv2DTranspose(2, 3), IMAGE),
    (NORMALIZATION, (3,)),
]
OPTIMIZER = optax.sgd(0.1)
NOT_KEYS = [None, 0, 1.5, "x", np.zeros(2), jnp.zeros((), jnp.uint32)]


def _one(*arguments: Any) -> None:
    """A function that makes no array."""


# The call, who refuses it, which argument, and what of it is in the message.
WRONG_CALLS = {
    # init
    **{
        f"{type(layer).__name__}-init-key-{key!r}": (
            lambda layer=layer, shape=shape, key=key: layer.init(key, shape),
            repr(layer),
            "key",
            repr(key),
        )
        for layer, shape in EACH_WITH_WEIGHTS
        for key in NOT_KEYS
    },
    **{
        f"Sequential-init-key-{key!r}": (
            lambda key=key: MODEL.init(key),
            "Sequential 'sequential'",
            "key",
            repr(key),
        )
        for key in NOT_KEYS
    },
    **{
        f"{initializer}-key-{key!r}": (
            lambda initializer=initializer, key=key: initializers.get(initializer)(key, (3, 2)),
            "",
            "key",
            repr(key),
        )
        for initializer in ("RandomNormal", "TruncatedNormal", "RandomUniform", "Orthogonal")
        for key in NOT_KEYS
    },
    **{
        f"{type(layer).__name__}-{shape!r}": (
            lambda layer=layer, shape=shape: layer.init(KEY, shape),
            repr(layer),
            "input_shape",
            repr(shape),
        )
        for layer in (
            layers.Conv2D(2, 3),
            layers.Conv2DTranspose(2, 3),
            layers.MaxPooling2D(),
            layers.GlobalAveragePooling2D(),
            layers.UpSampling2D(),
            layers.ZeroPadding2D(),
        )
        for shape in [(2, 8, 8, 3), (8, 8), 8, None, "x", (8, 8, -1), (8, 8, None), (8, 8, 1.5)]
    },
    "Conv2D-window": (
        lambda: layers.Conv2D(2, 5).init(KEY, (2, 2, 3)),
        "Conv2D",
        "input_shape",
        "(2, 2, 3)",
    ),
    "MaxPooling2D-window": (
        lambda: layers.MaxPooling2D(3).output_shape((2, 2, 3)),
        "MaxPooling2D",
        "input_shape",
        "(2, 2, 3)",
    ),
    "Dense-no-axes": (lambda: DENSE.init(KEY, ()), "Dense", "input_shape", "()"),
    "Reshape": (
        lambda: layers.Reshape((4,)).init(KEY, (3,)),
        "Reshape",
        "input_shape",
        "(3,)",
    ),
    "Softmax-axis": (lambda: layers.Softmax(5).init(KEY, (3,)), "Softmax", "axis", "axis=5"),
    "Normalization-axis": (
        lambda: layers.BatchNormalization(5).init(KEY, (3,)),
        "BatchNormalization",
        "axis",
        "axis=5",
    ),
    "Conv2D-strides-and-dilation": (
        lambda: layers.Conv2D(2, 3, strides=2, dilation_rate=2),
        "Conv2D",
        "dilation_rate",
        "strides=(2, 2), dilation_rate=(2, 2)",
    ),
    "Conv2D-filters-and-groups": (
        lambda: layers.Conv2D(5, 3, groups=2),
        "Conv2D",
        "groups",
        "filters=5, groups=2",
    ),
    # functions
    **{
        f"Dense-{argument}-{function}": (
            lambda argument=argument, f=function: layers.Dense(2, **{argument: f}),
            "Dense",
            argument,
            repr(function),
        )
        for argument, function in [
            ("activation", lambda: None),
            ("activation", lambda x, y: x),
            ("kernel_initializer", lambda shape: None),
            ("bias_initializer", lambda key, shape, dtype, more: None),
            ("kernel_regularizer", lambda: 0.0),
            ("bias_constraint", lambda w, axis: w),
        ]
    },
    "Dense-activation-makes-None": (
        lambda: layers.Dense(2, activation=_one).apply(DENSE_PARAMS, {}, VECTORS),
        "Dense",
        "activation",
        "None",
    ),
    "Activation-makes-None": (
        lambda: layers.Activation(_one).apply({}, {}, VECTORS),
        "Activation",
        "activation",
        "None",
    ),
    "Conv2D-activation-makes-None": (
        lambda: layers.Conv2D(2, 3, activation=_one).apply(PARAMS["conv2d"], {}, IMAGES),
        "Conv2D",
        "activation",
        "None",
    ),
    **{
        f"Dense-kernel_initializer-makes-{made!r}": (
            lambda made=made: layers.Dense(2, kernel_initializer=lambda *a: made).init(KEY, (3,)),
            "Dense",
            "kernel_initializer",
            received,
        )
        for made, received in [(None, "None"), (1.5, "1.5"), (np.zeros((1, 1)), "(1, 1)")]
    },
    "Dense-kernel_regularizer-makes-a-vector": (
        lambda: layers.Dense(2, kernel_regularizer=jnp.ravel).penalty(DENSE_PARAMS, {}),
        "Dense",
        "kernel_regularizer",
        "(6,)",
    ),
    "Dense-activity_regularizer-makes-None": (
        lambda: layers.Dense(2, activity_regularizer=_one).apply(
            DENSE_PARAMS, {"activity_penalty": jnp.zeros(())}, VECTORS
        ),
        "Dense",
        "activity_regularizer",
        "None",
    ),
    "Dense-kernel_constraint-makes-another-shape": (
        lambda: layers.Dense(2, kernel_constraint=jnp.sum).constrain(DENSE_PARAMS),
        "Dense",
        "kernel_constraint",
        "()",
    ),
    # params and state
    **{
        f"Dense-params-{params!r}": (
            lambda params=params: DENSE.apply(params, {}, VECTORS),
            repr(DENSE),
            "params",
            received,
        )
        for params, received in [
            (None, "None"),
            ("x", "'x'"),
            ([], "[]"),
            ({}, "[]"),
            ({"kernel": jnp.ones((3, 2))}, "['kernel']"),
            ({**DENSE_PARAMS, "foo": jnp.ones(1)}, "'foo'"),
            ({**DENSE_PARAMS, "kernel": jnp.ones((4, 2))}, "(4, 2)"),
            ({**DENSE_PARAMS, "kernel": "x"}, "'x'"),
            ({**DENSE_PARAMS, "bias": None}, "None"),
        ]
    },
    **{
        f"Dense-state-{state!r}": (
            lambda state=state: DENSE.apply(DENSE_PARAMS, state, VECTORS),
            repr(DENSE),
            "state",
            received,
        )
        for state, received in [(None, "None"), ("x", "'x'"), (DENSE_PARAMS, "'kernel'")]
    },
    "BatchNormalization-state-empty": (
        lambda: NORMALIZATION.apply(NORMALIZATION_WEIGHTS[0], {}, VECTORS),
        repr(NORMALIZATION),
        "state",
        "[]",
    ),
    "BatchNormalization-swapped": (
        lambda: NORMALIZATION.apply(*NORMALIZATION_WEIGHTS[::-1], VECTORS),
        repr(NORMALIZATION),
        "params",
        "'moving_mean'",
    ),
    **{
        f"Sequential-{which}-{value!r}": (
            lambda value=value, which=which: MODEL.apply(
                **{"params": PARAMS, "state": STATE, "x": IMAGES, which: value}
            ),
            "Sequential 'sequential'",
            which,
            repr(value),
        )
        for which in ("params", "state")
        for value in (None, "x", 3, [])
    },
    "Sequential-layer-missing": (
        lambda: MODEL.apply({"conv2d": PARAMS["conv2d"]}, STATE, IMAGES),
        "BatchNormalization",
        "params",
        "[]",
    ),
    "Sequential-swapped": (lambda: MODEL.apply(STATE, PARAMS, IMAGES), "Conv2D", "params", "[]"),
    "Sequential-penalty": (
        lambda: MODEL.penalty(None, {}),
        "Sequential 'sequential'",
        "params",
        "None",
    ),
    "Sequential-constrain": (
        lambda: MODEL.constrain(None),
        "Sequential 'sequential'",
        "params",
        "None",
    ),
    # x, training and key
    **{
        f"{type(layer).__name__}-x-{x!r}": (
            lambda layer=layer, shape=shape, x=x: layer.apply(*layer.init(KEY, shape), x),
            repr(layer),
            "x",
            type(x).__name__,
        )
        for layer, shape in [*EACH_WITH_WEIGHTS, (layers.ReLU(), (3,)), (layers.Flatten(), (3,))]
        for x in (None, "x", [[1.0, 2.0, 3.0]], 3.0)
    },
    **{
        f"Dense-x-{x.dtype}": (
            lambda x=x: DENSE.apply(DENSE_PARAMS, {}, x),
            repr(DENSE),
            "x",
            str(x.dtype),
        )
        for x in (np.array([["a", "b", "c"]]), np.array([[None, 1, 2]]))
    },
    "Conv2D-x-without-batch": (
        lambda: layers.Conv2D(2, 3).apply(PARAMS["conv2d"], {}, IMAGES[0]),
        "Conv2D",
        "x",
        "(8, 8, 1)",
    ),
    "Sequential-x-without-batch": (
        lambda: Sequential([layers.Dense(2)], (3,)).apply({"dense": DENSE_PARAMS}, {}, VECTORS[0]),
        "Sequential 'sequential'",
        "x",
        "(3,)",
    ),
    **{
        f"{owner.split()[0]}-training-{value!r}": (
            lambda apply=apply, value=value: apply(value),
            owner,
            "training",
            repr(value),
        )
        for owner, apply in [
            ("Sequential 'sequential'", lambda t: MODEL.apply(PARAMS, STATE, IMAGES, training=t)),
            ("Dropout", lambda t: layers.Dropout(0.5).apply({}, {}, VECTORS, training=t)),
            (
                "BatchNormalization",
                lambda t: NORMALIZATION.apply(*NORMALIZATION_WEIGHTS, VECTORS, training=t),
            ),
        ]
        for value in ("yes", None, 2)
    },
    **{
        f"Dropout-key-{key!r}": (
            lambda key=key: layers.Dropout(0.5).apply({}, {}, VECTORS, training=True, key=key),
            "Dropout(rate=0.5)",
            "key",
            repr(key),
        )
        for key in NOT_KEYS
    },
    **{
        f"Sequential-key-{key!r}": (
            lambda key=key: MODEL.apply(PARAMS, STATE, IMAGES, key=key),
            "Sequential 'sequential'",
            "key",
            repr(key),
        )
        for key in NOT_KEYS
        if key is not None
    },
    "Dropout-noise_shape": (
        lambda: layers.Dropout(0.5, (7, 1)).apply({}, {}, VECTORS, training=True, key=KEY),
        "Dropout",
        "noise_shape",
        "(7, 1)",
    ),
    # parts of a Sequential
    **{
        f"Sequential-index-{index!r}": (
            lambda index=index: MODEL[index],
            "Sequential 'sequential'",
            "index",
            repr(index),
        )
        for index in (7, -5, "foo", 1.5, None)
    },
    "Sequential-slice": (lambda: MODEL[::2], "Sequential 'sequential'", "slice", "2"),
    "Sequential-input_shape": (
        lambda: MODEL.init(KEY, (9, 9, 1)),
        "Sequential 'sequential'",
        "input_shape",
        "(9, 9, 1)",
    ),
    "Sequential-no-input_shape": (
        lambda: Sequential([DENSE]).init(KEY),
        "Sequential 'sequential'",
        "input_shape",
        "None",
    ),
    # models
    **{
        f"{make.__name__}-{argument}-{value!r}": (
            lambda make=make, argument=argument, value=value: make(**{argument: value}),
            make.__name__,
            argument,
            repr(value),
        )
        for make, arguments in [
            (cnn.lenet, ("image_shape", "classes", "width", "hidden", "dropout")),
            (cnn.vgg, ("image_shape", "classes", "width", "stages", "dropout")),
            (dcgan.generator, ("image_shape", "latent_size", "width", "dropout", "logits")),
            (dcgan.discriminator, ("image_shape", "width", "dropout", "logits")),
        ]
        for argument in arguments
        for value in {
            "image_shape": [3, "x", None, (28, 28), (0, 28, 1), (28, 28, 1.5)],
            "dropout": ["x", None, -1, 2, NAN],
            "logits": BOOLEANS,
        }.get(argument, COUNTS)
    },
    "lenet-classes-1": (lambda: cnn.lenet(classes=1), "lenet", "classes", "1"),
    "vgg-stages-9": (lambda: cnn.vgg(stages=9), "vgg", "image_shape", "stages=9"),
    "generator-image_shape": (
        lambda: dcgan.generator((30, 28, 1)),
        "generator",
        "image_shape",
        "(30, 28, 1)",
    ),
    # optimizers
    **{
        f"rmsprop-{argument}-{value!r}": (
            lambda argument=argument, value=value: train.rmsprop(**{argument: value}),
            "rmsprop",
            argument,
            repr(value),
        )
        for argument in ("learning_rate", "rho", "epsilon", "decay")
        for value in ["x", None, NAN, -1, INFINITY, True]
    },
    "rmsprop-rho-2": (lambda: train.rmsprop(rho=2.0), "rmsprop", "rho", "2.0"),
    **{
        f"inverse_time_decay-{argument}-{value!r}": (
            lambda value=value, argument=argument: train.inverse_time_decay(
                **{"learning_rate": 0.1, "decay": 0.1, argument: value}
            ),
            "inverse_time_decay",
            argument,
            repr(value),
        )
        for argument in ("learning_rate", "decay")
        for value in ["x", None, NAN, -1]
    },
    **{
        f"constrained-optimizer-{value!r}": (
            lambda value=value: train.constrained(value, DENSE),
            "constrained",
            "optimizer",
            repr(value),
        )
        for value in ("adam", None, 1e-3, optax.adam)
    },
    **{
        f"constrained-model-{value!r}": (
            lambda value=value: train.constrained(OPTIMIZER, value),
            "constrained",
            "model",
            repr(value),
        )
        for value in ("x", None, layers.Dense)
    },
    "constrained-params": (
        lambda: train.constrained(OPTIMIZER, DENSE).update(DENSE_PARAMS, ()),
        "constrained",
        "params",
        "None",
    ),
    # names
    **{
        f"get-{kind}-{value!r}": (
            lambda get=get, value=value: get(value),
            kind,
            kind,
            repr(value),
        )
        for kind, get in [
            ("activation", activations.get),
            ("initializer", initializers.get),
            ("regularizer", regularizers.get),
            ("constraint", constraints.get),
        ]
        for value in IDENTIFIERS
    },
    **{
        f"set_image_data_format-{value!r}": (
            lambda value=value: config.set_image_data_format(value),
            "set_image_data_format",
            "data_format",
            repr(value),
        )
        for value in [*DATA_FORMATS, None]
    },
    # files of exported models
    **{
        f"export-{argument}-{value!r}": (
            lambda argument=argument, value=value: export(
                **{
                    "model": DENSE,
                    "params": DENSE_PARAMS,
                    "state": {},
                    "path": "nowhere.bin",
                    "input_shape": (3,),
                    argument: value,
                }
            ),
            "Dense" if argument in ("params", "state", "input_shape") else "export",
            argument,
            received,
        )
        for argument, value, received in [
            ("model", 3, "3"),
            ("model", None, "None"),
            ("params", {}, "[]"),
            ("params", None, "None"),
            ("state", None, "None"),
            ("input_shape", None, "None"),
            ("input_shape", "x", "'x'"),
            ("dtype", "floaty", "'floaty'"),
            ("dtype", None, "None"),
            ("dtype", str, "str"),
            ("vjp_order", -1, "-1"),
            ("vjp_order", "x", "'x'"),
            ("platforms", "cpu", "'cpu'"),
            ("platforms", [], "[]"),
            ("platforms", ["gpu"], "['gpu']"),
        ]
    },
    # augmentations
    **{
        f"augment-{value!r}": (
            lambda value=value: augment(value, KEY, IMAGES),
            "augment",
            "augmentations",
            repr(value),
        )
        for value in ("flip", None, 3, [3], ["flip"], Flip, [Flip], [lambda image: image])
    },
}


@pytest.mark.parametrize(
    ("call", "owner", "argument", "received"), WRONG_CALLS.values(), ids=WRONG_CALLS.keys()
)
def test_a_wrong_argument_of_a_function_is_refused_completely(
    call, owner, argument, received
) -> None:
    assert_complete(call, owner, argument, received)


@pytest.mark.parametrize(
    ("given", "equal"),
    [
        (lambda: layers.Dense(np.int64(3), use_bias=np.False_), layers.Dense(3, use_bias=False)),
        (lambda: layers.Conv2D(np.uint8(2), np.array([3, 3])), layers.Conv2D(2, 3)),
        (lambda: layers.Dropout(np.float32(0.5)), layers.Dropout(0.5)),
        (lambda: layers.Dropout(jnp.float32(0.5)), layers.Dropout(0.5)),
        (lambda: layers.Softmax(np.int8(1)), layers.Softmax(1)),
        (lambda: layers.Reshape(np.array([2, -1])), layers.Reshape((2, -1))),
        (lambda: regularizers.L2(np.float64(0.25)), regularizers.L2(0.25)),
        (lambda: initializers.RandomNormal(np.int32(1)), initializers.RandomNormal(1.0)),
        (lambda: train.FitConfig(np.int64(3)), train.FitConfig(3)),
        (lambda: layers.Dense(2, use_bias=1), layers.Dense(2)),
    ],
)
def test_scalars_of_numpy_become_those_of_python(given, equal) -> None:
    assert given() == equal
    assert repr(given()) == repr(equal)
    assert hash(given()) == hash(equal)


def test_fields_are_those_of_an_ordinary_dataclass() -> None:
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


@dataclasses.dataclass(frozen=True)
class Scale(Layer):
    """A layer of one's own, whose annotations nothing checks, and whose init calls super().init."""

    factor: Any = "unchecked"

    def init(self, key: Any, input_shape: Any) -> Any:
        params, state = super().init(key, input_shape)
        return {**params, "scale": jnp.ones(input_shape[-1])}, state

    def apply(self, params: Any, state: Any, x: Any, *, training: Any = False, key: Any = None):
        return params["scale"] * x, state


class OwnShape(Scale):
    def output_shape(self, input_shape: Any) -> Any:
        if len(input_shape) != 1:
            raise ValueError(f"OwnShape: input_shape must have one axis, got {input_shape}")
        return super().output_shape(input_shape)


class NeedsShape(Scale):
    def init(self, key: Any, input_shape: Any) -> Any:
        return {"scale": jnp.ones(self.output_shape(input_shape))}, {}


@pytest.mark.parametrize("layer", [Scale(), OwnShape()])
def test_a_layer_may_call_what_it_overrides(layer) -> None:
    assert layer.output_shape((3,)) == (3,)
    params, state = layer.init(KEY, (3,))
    assert layer.apply(params, state, VECTORS)[0].shape == (2, 3)


def test_the_init_of_layer_checks_the_shape_by_an_overriding_output_shape() -> None:
    with pytest.raises(ValueError, match="must have one axis"):
        OwnShape().init(KEY, (3, 4))


def test_an_init_that_needs_the_shape_that_is_found_by_init_is_refused() -> None:
    with pytest.raises(TypeError, match="NeedsShape: output_shape must be defined"):
        NeedsShape().init(KEY, (3,))


def test_a_layer_that_is_no_dataclass_has_the_repr_of_an_object() -> None:
    class Plain(Layer):
        def __init__(self, factor: float) -> None:
            self.factor = factor

    plain = Plain(2.0)
    assert repr(plain) == object.__repr__(plain)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int32])
def test_a_maximum_of_booleans_and_integers_keeps_the_dtype(dtype) -> None:
    x = np.arange(32).reshape(1, 4, 4, 2).astype(dtype)
    y, _ = layers.MaxPooling2D(2).apply({}, {}, jnp.asarray(x))
    assert y.dtype == dtype
    expected = x.reshape(1, 2, 2, 2, 2, 2).max((2, 4))
    np.testing.assert_array_equal(y, expected)
