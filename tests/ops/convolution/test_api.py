"""Convolutions in one to three dimensions against plain loops."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers import ops
from tests.ops import reference

# Extent, window, strides, dilation.
GEOMETRIES = [
    ((7,), (3,), (1,), (1,)),
    ((7,), (4,), (3,), (1,)),
    ((9,), (3,), (1,), (2,)),
    ((5, 4), (3, 2), (1, 1), (1, 1)),
    ((5, 6), (2, 3), (2, 3), (1, 1)),
    ((7, 6), (3, 2), (1, 1), (2, 3)),
    ((3, 2), (1, 2), (4, 1), (1, 1)),
    ((3, 4, 5), (2, 3, 2), (1, 2, 2), (1, 1, 1)),
    ((4, 3, 4), (2, 1, 2), (1, 1, 1), (2, 1, 3)),
]
geometries = pytest.mark.parametrize(("spatial", "window", "strides", "dilation"), GEOMETRIES)
paddings = pytest.mark.parametrize("padding", ["valid", "same"])
formats = pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape)


def close(a: np.ndarray, b: np.ndarray) -> None:
    # Both are sums of at most 100 float64 products.
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def in_format(function, data_format: str, x: np.ndarray, *arguments, **keywords) -> np.ndarray:
    first = data_format == "channels_first"
    with jax.enable_x64(True):
        x = jnp.asarray(np.moveaxis(x, -1, 1) if first else x)
        arguments = tuple(map(jnp.asarray, arguments))
        y = function(x, *arguments, data_format=data_format, **keywords)
    return np.moveaxis(y, 1, -1) if first else np.asarray(y)


@geometries
@paddings
@pytest.mark.parametrize(
    ("data_format", "groups"), [("channels_last", 1), ("channels_last", 2), ("channels_first", 2)]
)
def test_a_convolution_is_a_sum_over_its_windows(
    spatial, window, strides, dilation, padding, data_format, groups
) -> None:
    x, kernel = random(2, *spatial, 4), random(*window, 4 // groups, 6)
    ours = in_format(
        ops.convolution,
        data_format,
        x,
        kernel,
        strides=strides,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    close(ours, reference.convolution(x, kernel, strides, padding, dilation, groups))


@geometries
@formats
def test_a_transposed_convolution_spreads_each_position_over_its_window(
    spatial, window, strides, dilation, data_format
) -> None:
    x, kernel = random(2, *spatial, 3), random(*window, 2, 3)
    behind = tuple(s - 1 for s in strides)
    ours = in_format(
        ops.convolution_transpose,
        data_format,
        x,
        kernel,
        strides=strides,
        padding="valid",
        output_padding=behind,
        dilation=dilation,
    )
    spread = reference.convolution_transpose(x, kernel, strides, dilation)
    close(ours, np.pad(spread, [(0, 0), *((0, rows) for rows in behind), (0, 0)]))


@geometries
@paddings
def test_a_transposed_convolution_is_the_adjoint_of_the_convolution(
    spatial, window, strides, dilation, padding
) -> None:
    v, kernel = random(2, *spatial, 3), random(*window, 2, 3)
    transposed = in_format(
        ops.convolution_transpose,
        "channels_last",
        v,
        kernel,
        strides=strides,
        padding=padding,
        output_padding=(None,) * len(spatial),
        dilation=dilation,
    )
    u = random(*transposed.shape)
    convolved = reference.convolution(u, kernel, strides, padding, dilation, 1)
    assert convolved.shape == v.shape
    np.testing.assert_allclose(np.vdot(convolved, v), np.vdot(u, transposed), rtol=1e-9)


@pytest.mark.parametrize(
    ("x", "kernel", "y"),
    [
        ("float32", "bfloat16", "float32"),
        ("bfloat16", "bfloat16", "bfloat16"),
        ("uint8", "float32", "float32"),
    ],
)
def test_the_dtype_is_the_one_that_jax_promotes_to(x, kernel, y) -> None:
    images, weights = jnp.ones((1, 4, 4, 2), x), jnp.ones((3, 3, 2, 2), kernel)
    rest = {"strides": (1, 1), "padding": "same", "dilation": (1, 1)}
    transpose = functools.partial(ops.convolution_transpose, output_padding=(None, None))
    for function in (ops.convolution, transpose):
        assert function(images, weights, **rest).dtype == y
