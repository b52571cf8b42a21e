"""Fused upsampling and convolution compared with the two layers."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxlayers import Sequential, freeze, layers
from jaxlayers.fusion import fused_convolutions
from jaxlayers.layers import InferenceMode
from jaxlayers.models import dcgan
from jaxlayers.ops.convolution import upsampled
from jaxlayers.ops.convolution.geometry import Geometry

pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))


@settings(max_examples=12)
@given(
    convolution=st.sampled_from([layers.Conv2D, layers.Conv2DTranspose]),
    size=pairs,
    kernel_size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    padding=st.sampled_from(["same", "valid"]),
    dilation=st.sampled_from([1, 1, 2, (1, 3)]),
    data_format=st.sampled_from(["channels_last", "channels_first"]),
    extra=pairs,
)
def test_outputs_and_gradients_equal_those_of_the_two_layers(
    convolution, size, kernel_size, padding, dilation, data_format, extra
) -> None:
    arguments = {"padding": padding, "dilation_rate": dilation, "data_format": data_format}
    model = Sequential(
        [
            layers.UpSampling2D(size, data_format=data_format),
            convolution(4, kernel_size, activation="tanh", **arguments),
        ]
    )
    spans = model[1].kernel_size[0] * 3, model[1].kernel_size[1] * 3
    height, width = (-(-span // s) + e for span, s, e in zip(spans, size, extra, strict=True))
    shape = (height, width, 2) if data_format == "channels_last" else (2, height, width)
    with jax.enable_x64(True):
        params, state = model.init(jax.random.key(0), shape)
        x = jax.random.normal(jax.random.key(1), (2, *shape))

        def results(model):
            loss = lambda p, x: jnp.sum(model.apply(p, state, x)[0] ** 2)  # noqa: E731
            return jax.jit(jax.value_and_grad(loss, (0, 1)))(params, x)

        for actual, expected in zip(
            jax.tree.leaves(results(model)),
            jax.tree.leaves(results(replace(model, fuse=False))),
            strict=True,
        ):
            np.testing.assert_allclose(actual, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    ("pair", "shape"),
    [
        ([layers.UpSampling1D(3), layers.Conv1D(4, 5, padding="causal")], (6, 2)),
        ([layers.UpSampling1D(), layers.Conv1DTranspose(4, 3, padding="same")], (6, 2)),
        ([layers.UpSampling3D((1, 2, 2)), layers.Conv3D(4, (1, 3, 5), groups=2)], (2, 4, 4, 2)),
    ],
)
def test_pairs_in_one_and_three_dimensions_are_fused(pair, shape) -> None:
    assert [*fused_convolutions(pair)] == [1]
    model = Sequential(pair, shape)
    params, state = model.init(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (2, *shape))
    expected, _ = replace(model, fuse=False).apply(params, state, x)
    # Sums of at most 30 products in another order.
    np.testing.assert_allclose(model.apply(params, state, x)[0], expected, rtol=1e-4, atol=1e-5)


def flops(model, params, state, x) -> float:
    function = jax.jit(lambda p, x: model.apply(p, state, x)[0])
    # Lowered for the CPU, whose cost analysis counts the operations.
    lowered = function.trace(params, x).lower(lowering_platforms=("cpu",))
    return lowered.compile().cost_analysis()["flops"]


def test_a_window_of_five_on_a_doubled_image_takes_36_products_instead_of_100() -> None:
    geometry = Geometry((1, 1), ((2, 2), (2, 2)), (1, 1))
    assert upsampled.is_cheaper((14, 14), (5, 5), (2, 2), geometry)
    model = Sequential(
        [layers.UpSampling2D(), layers.Conv2D(64, 5, padding="same")], input_shape=(14, 14, 64)
    )
    params, state = model.init(jax.random.key(0))
    x = jnp.ones((8, 14, 14, 64))
    ratio = flops(replace(model, fuse=False), params, state, x) / flops(model, params, state, x)
    assert ratio == pytest.approx(100 / 36, rel=0.05)


def test_the_upsampled_image_is_not_computed() -> None:
    model = Sequential([layers.UpSampling2D(), layers.Conv2D(8, 3, padding="same")], (16, 16, 32))
    params, state = model.init(jax.random.key(0))
    text = str(
        jax.make_jaxpr(lambda x: model.apply(params, state, x)[0])(jnp.ones((2, 16, 16, 32)))
    )
    assert "[2,32,32,32]" not in text
    unfused = replace(model, fuse=False)
    text = str(
        jax.make_jaxpr(lambda x: unfused.apply(params, state, x)[0])(jnp.ones((2, 16, 16, 32)))
    )
    assert "[2,32,32,32]" in text


@pytest.mark.parametrize(
    "pair",
    [
        [layers.UpSampling2D(interpolation="bilinear"), layers.Conv2D(4, 3)],
        [layers.UpSampling2D(), layers.Conv2D(4, 3, strides=2)],
        [layers.UpSampling2D(), layers.Conv2DTranspose(4, 3, strides=2)],
        [layers.UpSampling2D(), layers.Activation("relu"), layers.Conv2D(4, 3)],
        [
            layers.UpSampling2D(data_format="channels_first"),
            layers.Conv2D(4, 3, data_format="channels_last"),
        ],
        [layers.UpSampling1D(), layers.Conv2D(4, 3)],
        [layers.UpSampling2D(), layers.DepthwiseConv2D(3)],
    ],
)
def test_other_pairs_are_not_fused(pair) -> None:
    assert fused_convolutions(pair) == {}


def test_pairs_are_not_fused_if_that_takes_more_products() -> None:
    geometry = Geometry((1, 1), ((0, 0), (0, 0)), (1, 3))
    assert not upsampled.is_cheaper((16, 16), (1, 1), (1, 1), geometry)
    # Three taps with dilation 3 on an image twice as large read three positions.
    assert not upsampled.is_cheaper((16, 16), (1, 3), (1, 2), geometry)


def test_the_generator_has_two_fused_pairs_and_the_same_outputs() -> None:
    model = dcgan.generator(width=16)
    assert len(fused_convolutions(model.layers)) == 2
    params, state = model.init(jax.random.key(0))
    latents = jax.random.uniform(jax.random.key(1), (3, 100), minval=-1)
    key = jax.random.key(2)
    actual, new_state = model.apply(params, state, latents, training=True, key=key)
    unfused, unfused_state = replace(model, fuse=False).apply(
        params, state, latents, training=True, key=key
    )
    np.testing.assert_allclose(actual, unfused, rtol=1e-4, atol=1e-5)
    for a, b in zip(jax.tree.leaves(new_state), jax.tree.leaves(unfused_state), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_errors_name_the_convolution() -> None:
    model = Sequential([layers.UpSampling2D(), layers.Conv2D(4, 3)], (8, 8, 3))
    params, state = model.init(jax.random.key(0))
    with pytest.raises(ValueError, match="kernel in params must have shape") as error:
        model.apply(params, state, jnp.ones((1, 8, 8, 5)))
    assert "conv2d" in "".join(error.value.__notes__)


def test_frozen_layers_are_fused_without_gradients_of_their_params() -> None:
    pair = [layers.UpSampling2D(), layers.Conv2D(3, 3, padding="same")]
    model = freeze(Sequential([*pair, layers.ReLU()], (2, 3, 2)))
    assert [*fused_convolutions(model.layers)] == [1]
    assert [*fused_convolutions([pair[0], InferenceMode(pair[1])])] == [1]
    params, state = model.init(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (2, 2, 3, 2))

    def loss(model, params, x):
        return jnp.sum(jnp.sin(model.apply(params, state, x)[0]))

    actual, expected = (
        jax.value_and_grad(loss, (1, 2))(m, params, x) for m in (model, replace(model, fuse=False))
    )
    jax.tree.map(
        lambda a, e: np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-5), actual, expected
    )
    assert not any(g.any() for g in jax.tree.leaves(actual[1][0]))
    assert actual[1][1].any()
