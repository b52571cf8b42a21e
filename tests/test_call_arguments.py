"""Errors of functions and methods name the argument, the value received and the values allowed."""

import re
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
from jaxlayers.models import cnn, dcgan
from jaxlayers.train.augmentation import Flip, augment
from tests.wrong_values import (
    BOOLEANS,
    COUNTS,
    DATA_FORMATS,
    IDENTIFIERS,
    INFINITY,
    NAN,
    assert_informative_error,
)

DENSE, IMAGE, KEY = layers.Dense(2), (8, 8, 1), jax.random.key(0)
DENSE_PARAMS, _ = DENSE.init(KEY, (3,))
VECTORS, IMAGES = jnp.ones((2, 3)), jnp.ones((2, *IMAGE))
MODEL = Sequential(
    [layers.Conv2D(2, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(4)], IMAGE
)
PARAMS, STATE = MODEL.init(KEY)
NORMALIZATION = layers.BatchNormalization()
NORMALIZATION_WEIGHTS = NORMALIZATION.init(KEY, (3,))
LAYERS_WITH_WEIGHTS = [
    (DENSE, (3,)),
    (layers.Conv2D(2, 3), IMAGE),
    (layers.Conv2DTranspose(2, 3), IMAGE),
    (NORMALIZATION, (3,)),
]
OPTIMIZER = optax.sgd(0.1)
NOT_KEYS = [None, 0, 1.5, "x", np.zeros(2), jnp.zeros((), jnp.uint32)]


def _returns_none(*arguments: Any) -> None:
    """A function that returns None instead of an array."""


# The call, the owner in the error, the argument, and the value received in the message.
# Arguments of `export` that are refused by the model.
_REFUSED_BY_MODEL = [("params", {}), ("state", {"a": 1}), ("input_shape", "x")]

WRONG_CALLS = {
    # init
    **{
        f"{type(layer).__name__}-init-key-{key!r}": (
            lambda layer=layer, shape=shape, key=key: layer.init(key, shape),
            repr(layer),
            "key",
            repr(key),
        )
        for layer, shape in LAYERS_WITH_WEIGHTS
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
    "Dense-activation-returns-None": (
        lambda: layers.Dense(2, activation=_returns_none).apply(DENSE_PARAMS, {}, VECTORS),
        "Dense",
        "activation",
        "None",
    ),
    "Activation-returns-None": (
        lambda: layers.Activation(_returns_none).apply({}, {}, VECTORS),
        "Activation",
        "activation",
        "None",
    ),
    "Conv2D-activation-returns-None": (
        lambda: layers.Conv2D(2, 3, activation=_returns_none).apply(PARAMS["conv2d"], {}, IMAGES),
        "Conv2D",
        "activation",
        "None",
    ),
    **{
        f"Dense-kernel_initializer-returns-{result!r}": (
            lambda result=result: layers.Dense(2, kernel_initializer=lambda *a: result).init(
                KEY, (3,)
            ),
            "Dense",
            "kernel_initializer",
            received,
        )
        for result, received in [(None, "None"), (1.5, "1.5"), (np.zeros((1, 1)), "(1, 1)")]
    },
    "Dense-kernel_regularizer-returns-a-vector": (
        lambda: layers.Dense(2, kernel_regularizer=jnp.ravel).penalty(DENSE_PARAMS, {}),
        "Dense",
        "kernel_regularizer",
        "(6,)",
    ),
    "Dense-activity_regularizer-returns-None": (
        lambda: layers.Dense(2, activity_regularizer=_returns_none).apply(
            DENSE_PARAMS, {"activity_penalty": jnp.zeros(())}, VECTORS
        ),
        "Dense",
        "activity_regularizer",
        "None",
    ),
    "Dense-kernel_constraint-returns-another-shape": (
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
        f"Sequential-{name}-{value!r}": (
            lambda value=value, name=name: MODEL.apply(
                **{"params": PARAMS, "state": STATE, "x": IMAGES, name: value}
            ),
            "Sequential 'sequential'",
            name,
            repr(value),
        )
        for name in ("params", "state")
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
        for layer, shape in [*LAYERS_WITH_WEIGHTS, (layers.ReLU(), (3,)), (layers.Flatten(), (3,))]
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
    # indices of a Sequential
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
            getattr(value, "__name__", repr(value)),
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
            "Dense" if (argument, value) in _REFUSED_BY_MODEL else "export",
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
    ("call", "owner", "argument", "received"),
    WRONG_CALLS.values(),
    # Without the addresses of functions, which differ between the test processes.
    ids=[re.sub(r" at 0x\w+", "", name) for name in WRONG_CALLS],
)
def test_wrong_arguments_of_functions_are_refused(call, owner, argument, received) -> None:
    assert_informative_error(call, owner, argument, received)
