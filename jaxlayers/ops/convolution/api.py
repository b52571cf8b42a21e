"""Convolutions and transposed convolutions with Keras's arguments, also of upsampled images."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

from jaxlayers.ops import windows
from jaxlayers.ops.convolution import primitives, upsampled, xla
from jaxlayers.ops.convolution.geometry import Extents, Geometry
from jaxlayers.ops.upsampling import repeat_pixels


def convolution(
    x: Array,
    kernel: Array,
    *,
    strides: Sequence[int],
    padding: str,
    dilation: Sequence[int],
    groups: int = 1,
    data_format: str = "channels_last",
) -> Array:
    """Computes a convolution, like `keras.ops.conv`.

    Args:
        x: [batch, *spatial, channels], or [batch, channels, *spatial] for channels_first.
        kernel: [*window, channels / groups, filters].
        strides: Strides of the window, one integer per spatial axis.
        padding: `"valid"`, `"same"` or `"causal"`.
        dilation: Dilation of the window, one integer per spatial axis.
        groups: Number of groups that channels and filters are divided into.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        [batch, *windows, filters], or [batch, filters, *windows]. The dtype is the
        one that JAX promotes the dtypes of `x` and `kernel` to.
    """
    x, kernel = _prepare(x, kernel, data_format)
    geometry = _geometry(x.shape[1:-1], kernel.shape[:-2], strides, padding, dilation, groups)
    return _in_format(primitives.forward(x, kernel, geometry), data_format)


def depthwise_convolution(
    x: Array,
    kernel: Array,
    *,
    strides: Sequence[int],
    padding: str,
    dilation: Sequence[int],
    data_format: str = "channels_last",
) -> Array:
    """Convolves each channel with its own kernels, like `keras.ops.depthwise_conv`.

    Args:
        x: As in `convolution`.
        kernel: [*window, channels, multiplier].
        strides: Strides of the window, one integer per spatial axis.
        padding: `"valid"`, `"same"` or `"causal"`.
        dilation: Dilation of the window, one integer per spatial axis.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        As in `convolution`, with `channels * multiplier` filters, those of the first channel first.
    """
    *window, channels, multiplier = kernel.shape
    return convolution(
        x,
        jnp.reshape(kernel, (*window, 1, channels * multiplier)),
        strides=strides,
        padding=padding,
        dilation=dilation,
        groups=channels,
        data_format=data_format,
    )


def upsampled_convolution(
    x: Array,
    kernel: Array,
    size: Sequence[int],
    *,
    padding: str,
    dilation: Sequence[int],
    groups: int = 1,
    data_format: str = "channels_last",
) -> Array:
    """Upsamples images by nearest neighbors, then applies `convolution` with strides 1.

    The upsampled image is not computed if a convolution of `x` takes fewer multiplications.

    Args:
        x: As in `convolution`, before upsampling.
        kernel: [*window, channels / groups, filters].
        size: Number of times each position is repeated, one integer per spatial axis.
        padding: `"valid"`, `"same"` or `"causal"`.
        dilation: Dilation of the window, one integer per spatial axis.
        groups: Number of groups that channels and filters are divided into.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        As in `convolution`.
    """
    x, kernel = _prepare(x, kernel, data_format)
    extents, window = _upsampled_extents(x, size), kernel.shape[:-2]
    geometry = _geometry(extents, window, (1,) * len(size), padding, dilation, groups)
    return _in_format(_convolve_upsampled(x, kernel, size, geometry), data_format)


def convolution_transpose(
    x: Array,
    kernel: Array,
    *,
    strides: Sequence[int],
    padding: str,
    output_padding: Sequence[int | None],
    dilation: Sequence[int],
    data_format: str = "channels_last",
) -> Array:
    """Computes a transposed convolution, like `keras.ops.conv_transpose`.

    Args:
        x: [batch, *spatial, channels], or [batch, channels, *spatial] for channels_first.
        kernel: [*window, filters, channels].
        strides: Strides, one integer per spatial axis.
        padding: `"valid"` or `"same"`.
        output_padding: Number of positions added at the end of the output, one integer per spatial
            axis; `None` for Keras's default.
        dilation: Dilation of the window, one integer per spatial axis.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        [batch, *output, filters], or [batch, filters, *output]. The dtype is the
        one that JAX promotes the dtypes of `x` and `kernel` to.
    """
    x, kernel = _prepare(x, kernel, data_format)
    window = kernel.shape[:-2]
    pads = _transposed_padding(window, strides, padding, output_padding, dilation)
    spatial = tuple(map(windows.transposed_extent, x.shape[1:-1], window, strides, dilation, pads))
    if 0 in spatial:
        return _in_format(_zeros(x, spatial, kernel), data_format)
    # The padding of the convolution that this is the transpose of.
    spans = map(windows.span, window, dilation)
    around = tuple(
        (span - 1 - before, span - 1 - after)
        for span, (before, after) in zip(spans, pads, strict=True)
    )
    geometry = Geometry(tuple(strides), around, tuple(dilation))
    return _in_format(primitives.input_gradient(x, kernel, spatial, geometry), data_format)


def upsampled_convolution_transpose(
    x: Array,
    kernel: Array,
    size: Sequence[int],
    *,
    padding: str,
    output_padding: Sequence[int | None],
    dilation: Sequence[int],
    data_format: str = "channels_last",
) -> Array:
    """Upsamples images by nearest neighbors, then applies a transposed convolution.

    It is `convolution_transpose` with strides 1. The upsampled image is not computed if a
    convolution of `x` takes fewer multiplications.

    Args:
        x: As in `convolution_transpose`, before upsampling.
        kernel: [*window, filters, channels].
        size: Number of times each position is repeated, one integer per spatial axis.
        padding: `"valid"` or `"same"`.
        output_padding: As in `convolution_transpose`.
        dilation: Dilation of the window, one integer per spatial axis.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        As in `convolution_transpose`.
    """
    ones = (1,) * len(size)
    if tuple(size) == ones:
        return convolution_transpose(
            x,
            kernel,
            strides=ones,
            padding=padding,
            output_padding=output_padding,
            dilation=dilation,
            data_format=data_format,
        )
    x, kernel = _prepare(x, kernel, data_format)
    extents, window = _upsampled_extents(x, size), kernel.shape[:-2]
    pads = _transposed_padding(window, ones, padding, output_padding, dilation)
    spatial = tuple(map(windows.transposed_extent, extents, window, ones, dilation, pads))
    if 0 in spatial:
        return _in_format(_zeros(x, spatial, kernel), data_format)
    # With strides 1, it is the convolution with the flipped kernel.
    geometry = Geometry(ones, pads, tuple(dilation))
    y = _convolve_upsampled(x, xla.flipped(kernel, groups=1), size, geometry)
    return _in_format(y, data_format)


def _convolve_upsampled(x: Array, kernel: Array, size: Sequence[int], geometry: Geometry) -> Array:
    factors = tuple(size)
    if max(factors) > 1 and upsampled.is_cheaper(
        x.shape[1:-1], kernel.shape[:-2], factors, geometry
    ):
        return upsampled.convolve_upsampled(x, kernel, factors, geometry)
    return primitives.forward(repeat_pixels(x, size, range(1, x.ndim - 1)), kernel, geometry)


def _upsampled_extents(x: Array, size: Sequence[int]) -> Extents:
    return tuple(extent * factor for extent, factor in zip(x.shape[1:-1], size, strict=True))


def _geometry(
    spatial: Extents,
    window: Extents,
    strides: Sequence[int],
    padding: str,
    dilation: Sequence[int],
    groups: int,
) -> Geometry:
    pads = tuple(
        windows.padding(*axis, padding)
        for axis in zip(spatial, window, strides, dilation, strict=True)
    )
    return Geometry(tuple(strides), pads, tuple(dilation), groups)


def _transposed_padding(
    window: Extents,
    strides: Sequence[int],
    padding: str,
    output_padding: Sequence[int | None],
    dilation: Sequence[int],
) -> tuple[windows.Padding, ...]:
    return tuple(
        windows.transposed_padding(size, stride, rate, padding, added)
        for size, stride, rate, added in zip(window, strides, dilation, output_padding, strict=True)
    )


def _zeros(x: Array, spatial: Extents, kernel: Array) -> Array:
    return jnp.zeros((x.shape[0], *spatial, kernel.shape[-2]), x.dtype)


def _prepare(x: Array, kernel: Array, data_format: str) -> tuple[Array, Array]:
    """Returns channels-last images and the kernel, both with the promoted dtype."""
    dtype = jnp.result_type(x, kernel)
    x, kernel = jnp.asarray(x, dtype), jnp.asarray(kernel, dtype)
    return (x if data_format == "channels_last" else jnp.moveaxis(x, 1, -1)), kernel


def _in_format(y: Array, data_format: str) -> Array:
    return y if data_format == "channels_last" else jnp.moveaxis(y, -1, 1)
