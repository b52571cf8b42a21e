"""Layers compared with Keras's, with random and selected arguments."""

from collections.abc import Callable
from typing import Any

import jax
import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxlayers import layers
from tests.parity.oracle import both, compare

FORMATS = ("channels_last", "channels_first")
ACTIVATIONS = (None, "relu", "leaky_relu", "tanh", "softplus")
REGULARIZERS = (None, "l1", "l2", "l1l2")
CONSTRAINTS = (None, "max_norm", "non_neg", "unit_norm", "min_max_norm")

pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
extents = st.integers(1, 7)


@st.composite
def kernel_and_bias(draw: st.DrawFn, weights: tuple[str, ...] = ("kernel", "bias")) -> dict:
    """Draws the arguments that layers with weights have in common."""
    arguments = {}
    for weight in weights:
        arguments[f"{weight}_regularizer"] = draw(st.sampled_from(REGULARIZERS))
        arguments[f"{weight}_constraint"] = draw(st.sampled_from(CONSTRAINTS))
    return arguments


@st.composite
def convolution_arguments(draw: st.DrawFn) -> dict:
    strides, dilation = draw(pairs), draw(pairs)
    if max(strides) > 1 and max(dilation) > 1:
        strides, dilation = draw(st.sampled_from([(strides, (1, 1)), ((1, 1), dilation)]))
    return {
        "kernel_size": draw(st.tuples(st.integers(1, 5), st.integers(1, 5))),
        "strides": strides,
        "dilation_rate": dilation,
        "padding": draw(st.sampled_from(["valid", "same", "SAME"])),
        "data_format": draw(st.sampled_from(FORMATS)),
        "activation": draw(st.sampled_from(ACTIVATIONS)),
        "use_bias": draw(st.booleans()),
        "activity_regularizer": draw(st.sampled_from(REGULARIZERS)),
        **draw(kernel_and_bias()),
    }


def image(height: int, width: int, channels: int, data_format: str | None) -> tuple[int, ...]:
    first = data_format == "channels_first"
    return (channels, height, width) if first else (height, width, channels)


# Of one unit; the results are compared all the same.
@pytest.mark.filterwarnings("ignore:.*You are using a softmax over axis")
@given(
    units=st.integers(1, 6),
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple),
    activation=st.sampled_from((*ACTIVATIONS, "softmax", "gelu")),
    use_bias=st.booleans(),
    activity=st.sampled_from(REGULARIZERS),
    shared=kernel_and_bias(),
    batch=st.integers(1, 3),
)
def test_dense_equals_keras(units, shape, activation, use_bias, activity, shared, batch) -> None:
    pair = both(
        "Dense",
        units=units,
        activation=activation,
        use_bias=use_bias,
        activity_regularizer=activity,
        **shared,
    )
    compare(*pair, shape, batch=batch)


conv2d_configurations = given(
    arguments=convolution_arguments(),
    groups=st.integers(1, 3),
    multiples=pairs,
    extra=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    batch=st.integers(1, 3),
)


@settings(max_examples=15)
@conv2d_configurations
def test_conv2d_equals_keras(arguments, groups, multiples, extra, batch) -> None:
    spans = [
        (k - 1) * d + 1
        for k, d in zip(arguments["kernel_size"], arguments["dilation_rate"], strict=True)
    ]
    if arguments["padding"] != "valid":
        spans = [1, 1]  # all sizes are allowed, including those smaller than the window
    pair = both("Conv2D", filters=groups * multiples[0], groups=groups, **arguments)
    height, width = (s + e for s, e in zip(spans, extra, strict=True))
    shape = image(height, width, groups * multiples[1], arguments["data_format"])
    compare(*pair, shape, batch=batch)


conv2d_transpose_configurations = given(
    arguments=convolution_arguments(),
    channels=pairs,
    extent=st.tuples(extents, extents),
    output_padding=st.tuples(st.integers(0, 3), st.integers(0, 3)) | st.none(),
    batch=st.integers(1, 3),
)


@settings(max_examples=15)
@conv2d_transpose_configurations
def test_conv2d_transpose_equals_keras(arguments, channels, extent, output_padding, batch) -> None:
    if output_padding is not None:
        output_padding = tuple(
            min(p, s - 1) for p, s in zip(output_padding, arguments["strides"], strict=True)
        )
    pair = both("Conv2DTranspose", filters=channels[0], output_padding=output_padding, **arguments)
    compare(*pair, image(*extent, channels[1], arguments["data_format"]), batch=batch)


def many(configurations: Callable[..., Any], test: Callable[..., None]) -> Callable[..., None]:
    """Returns a slow test of many more of the configurations of a test."""
    return pytest.mark.slow(settings(max_examples=200)(configurations(test.hypothesis.inner_test)))


test_many_conv2d_equal_keras = many(conv2d_configurations, test_conv2d_equals_keras)
test_many_conv2d_transpose_equal_keras = many(
    conv2d_transpose_configurations, test_conv2d_transpose_equals_keras
)


@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple),
    axis=st.integers(1, 3),
    negative_axis=st.booleans(),
    momentum=st.sampled_from([0.0, 0.5, 0.9, 0.99]),
    epsilon=st.sampled_from([1e-5, 1e-3]),
    center=st.booleans(),
    scale=st.booleans(),
    shared=kernel_and_bias(("gamma", "beta")),
    training=st.booleans(),
    renorm=st.booleans(),
    clipping=st.sampled_from([None, {"rmax": 1.5, "rmin": 0.7, "dmax": 0.5}, {"dmax": 0.1}]),
)
def test_batch_normalization_equals_keras(
    shape, axis, negative_axis, momentum, epsilon, center, scale, shared, training, renorm, clipping
) -> None:
    axis = min(axis, len(shape))
    arguments = {
        "axis": axis - len(shape) - 1 if negative_axis else axis,
        "momentum": momentum,
        "epsilon": epsilon,
        "center": center,
        "scale": scale,
        "renorm": renorm,
        "renorm_clipping": clipping if renorm else None,
        **shared,
    }
    compare(*both("BatchNormalization", **arguments), shape, batch=4, training=training)


@pytest.mark.parametrize("name", ["MaxPooling2D", "AveragePooling2D"])
@given(
    pool=pairs,
    strides=pairs | st.none(),
    padding=st.sampled_from(["valid", "same"]),
    data_format=st.sampled_from(FORMATS),
    extra=st.tuples(st.integers(0, 4), st.integers(0, 4)),
)
def test_pooling_equals_keras(name, pool, strides, padding, data_format, extra) -> None:
    pair = both(name, pool_size=pool, strides=strides, padding=padding, data_format=data_format)
    height, width = ((p if padding == "valid" else 1) + e for p, e in zip(pool, extra, strict=True))
    compare(*pair, image(height, width, 2, data_format))


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_sum_pooling_is_average_pooling_times_the_window_size(padding) -> None:
    shape = (7, 6, 3)
    x = jax.random.normal(jax.random.key(0), (2, *shape))
    summed, _ = layers.SumPooling2D(3, 2, padding).apply({}, {}, x)
    same_pooling = keras.layers.AveragePooling2D(3, 2, padding)
    valid_pooling = keras.layers.AveragePooling2D(3, 2, "valid")
    if padding == "valid":
        assert jax.numpy.allclose(summed, 9 * valid_pooling(x), atol=1e-5)
    else:
        padded = keras.layers.ZeroPadding2D(((1, 1), (0, 1)))
        assert jax.numpy.allclose(summed, 9 * valid_pooling(padded(x)), atol=1e-5)
        assert summed.shape == same_pooling(x).shape


@pytest.mark.parametrize("name", ["GlobalAveragePooling2D", "GlobalMaxPooling2D"])
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("keepdims", [False, True])
def test_global_pooling_equals_keras(name, data_format, keepdims) -> None:
    pair = both(name, data_format=data_format, keepdims=keepdims)
    compare(*pair, image(4, 5, 3, data_format))


@given(
    size=pairs,
    interpolation=st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"]),
    data_format=st.sampled_from(FORMATS),
    extent=st.tuples(extents, extents),
)
def test_up_sampling2d_equals_keras(size, interpolation, data_format, extent) -> None:
    pair = both("UpSampling2D", size=size, interpolation=interpolation, data_format=data_format)
    compare(*pair, image(*extent, 2, data_format))


@given(
    padding=st.integers(0, 3) | pairs | st.tuples(pairs, pairs),
    data_format=st.sampled_from(FORMATS),
)
def test_zero_padding2d_equals_keras(padding, data_format) -> None:
    pair = both("ZeroPadding2D", padding=padding, data_format=data_format)
    compare(*pair, image(3, 4, 2, data_format))


@pytest.mark.parametrize(
    ("shape", "target"),
    [((12,), (3, 4)), ((12,), (-1, 2, 2)), ((2, 6), (12,)), ((2, 3, 4), (4, -1)), ((1,), ())],
)
def test_reshape_equals_keras(shape, target) -> None:
    compare(*both("Reshape", target_shape=target), shape)


@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (2, 3, 4), (2, 3, 4, 2)])
@pytest.mark.parametrize("data_format", [None, *FORMATS])
def test_flatten_equals_keras(shape, data_format) -> None:
    compare(*both("Flatten", data_format=data_format), shape)


@given(
    max_value=st.sampled_from([None, 0.0, 0.5, 6.0, 6]),
    negative_slope=st.sampled_from([0.0, 0.2, 1.5]),
    threshold=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_relu_equals_keras(max_value, negative_slope, threshold) -> None:
    arguments = {"max_value": max_value, "negative_slope": negative_slope, "threshold": threshold}
    compare(*both("ReLU", **arguments), (40,))


@pytest.mark.parametrize("slope", [0, 0.0, 0.2, 0.3, 1.5])
def test_leaky_relu_equals_keras(slope) -> None:
    compare(*both("LeakyReLU", negative_slope=slope), (40,))


ALIASES = [
    alias.format(rank)
    for rank in (1, 2, 3)
    for alias in (
        "AvgPool{}D",
        "Convolution{}D",
        "Convolution{}DTranspose",
        "GlobalAvgPool{}D",
        "GlobalMaxPool{}D",
        "MaxPool{}D",
        "SeparableConvolution{}D",
    )
    if alias.format(rank) != "SeparableConvolution3D"
]


@pytest.mark.parametrize("name", ALIASES)
def test_aliases_are_those_of_keras(name) -> None:
    assert getattr(layers, name).__name__ == getattr(keras.layers, name).__name__


def test_leaky_relu_accepts_the_argument_alpha_of_keras_2() -> None:
    assert layers.LeakyReLU(alpha=0.1) == layers.LeakyReLU(0.1)
    assert layers.LeakyReLU().negative_slope == keras.layers.LeakyReLU().negative_slope


@pytest.mark.parametrize("axis", [-1, 1, 2, -2, (1,), (1, 2), [-1, -2]])
def test_softmax_equals_keras(axis) -> None:
    compare(*both("Softmax", axis=axis), (3, 4))


# threshold has arguments without defaults, so that a layer cannot call it by name.
@pytest.mark.parametrize(
    "name", sorted({*keras.src.activations.ALL_OBJECTS_DICT} - {"glu", "threshold"})
)
def test_activation_equals_keras(name) -> None:
    compare(*both("Activation", activation=name), (6, 8))


@pytest.mark.parametrize("rate", [0, 0.0, 0.4, 1, 1.0])
def test_dropout_is_the_identity_in_inference(rate) -> None:
    compare(*both("Dropout", rate=rate), (3, 4))


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_dropout_with_rates_0_and_1_equals_keras(rate) -> None:
    compare(*both("Dropout", rate=rate), (3, 4), training=True)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda k, t: k.Dense(4, activation="gelu", kernel_regularizer="l2", **t), (5,)),
        (lambda k, t: k.Conv2D(4, 3, strides=2, padding="same", **t), (7, 8, 3)),
        (lambda k, t: k.Conv2D(4, 3, dilation_rate=2, groups=2, **t), (7, 8, 4)),
        (lambda k, t: k.Conv2DTranspose(4, 5, strides=2, padding="same", **t), (4, 3, 2)),
        (lambda k, t: k.BatchNormalization(momentum=0.9, **t), (4, 3, 2)),
        (lambda k, t: k.AveragePooling2D(2, padding="same", **t), (5, 5, 2)),
        (lambda k, t: k.MaxPooling2D(3, 2, **t), (7, 7, 2)),
        (lambda k, t: k.UpSampling2D(2, interpolation="bicubic", **t), (4, 3, 2)),
        (lambda k, t: k.Softmax(**t), (5,)),
    ],
    ids=["dense", "conv", "dilated", "transposed", "batchnorm", "average", "max", "up", "softmax"],
)
@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_float64_and_bfloat16_equal_keras(make: Callable[..., Any], shape, dtype) -> None:
    with jax.enable_x64(dtype == "float64"):
        layer, keras_layer = make(layers, {}), make(keras.layers, {"dtype": dtype})
        # Keras normalizes batches in float32 even in a float64 model; this library uses float64.
        keras_in_float32 = dtype == "float64" and isinstance(layer, layers.BatchNormalization)
        precision = "float32" if keras_in_float32 else dtype
        compare(layer, keras_layer, shape, dtype=dtype, precision=precision, training=True)
