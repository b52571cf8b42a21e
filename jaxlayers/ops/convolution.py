"""Convolution and transposed convolution, in one to three spatial dimensions."""

import operator
from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

from jaxlayers.ops import library, trilinear, upsampled, windows
from jaxlayers.ops.geometry import Extents, Geometry
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
    upsampling: Sequence[int] | None = None,
) -> Array:
    """Correlates images with a kernel, as `keras.ops.conv`.

    Args:
        x: [batch, *spatial, channels], or [batch, channels, *spatial] for channels_first.
        kernel: [*window, channels / groups, filters].
        strides: steps between windows, one for each spatial axis.
        padding: `"valid"` or `"same"`.
        dilation: steps between the positions of a window, one for each spatial axis.
        groups: into how many groups channels and filters are divided.
        data_format: `"channels_last"` or `"channels_first"`.
        upsampling: how often each position of `x` is repeated before, one number for each
            spatial axis; where strides are 1, without the upsampled image if that is cheaper.

    Returns:
        [batch, *windows, filters], or [batch, filters, *windows]; of the dtype to which JAX
        promotes those of `x` and `kernel`.
    """
    x, kernel = _promote(x, kernel)
    x = _channels_last(x, data_format)
    factors = tuple(upsampling or (1,) * len(strides))
    extents = tuple(map(operator.mul, x.shape[1:-1], factors))
    geometry = _geometry(extents, kernel.shape[:-2], strides, padding, dilation, groups)
    return _as(data_format, _convolve(x, kernel, factors, geometry))


def convolution_transpose(
    x: Array,
    kernel: Array,
    *,
    strides: Sequence[int],
    padding: str,
    output_padding: Sequence[int | None],
    dilation: Sequence[int],
    data_format: str = "channels_last",
    upsampling: Sequence[int] | None = None,
) -> Array:
    """The transpose of a convolution by its input, as `keras.ops.conv_transpose`.

    Args:
        x: [batch, *spatial, channels], or [batch, channels, *spatial] for channels_first.
        kernel: [*window, filters, channels].
        strides: how far apart the windows that the positions of `x` spread over are.
        padding: `"valid"` or `"same"`.
        output_padding: positions added behind, one for each spatial axis; `None` for Keras's
            default.
        dilation: steps between the positions of a window, one for each spatial axis.
        data_format: `"channels_last"` or `"channels_first"`.
        upsampling: how often each position of `x` is repeated before, one number for each
            spatial axis; where strides are 1, without the upsampled image if that is cheaper.

    Returns:
        [batch, *output, filters], or [batch, filters, *output]; of the dtype to which JAX
        promotes those of `x` and `kernel`.
    """
    x, kernel = _promote(x, kernel)
    x = _channels_last(x, data_format)
    factors = tuple(upsampling or (1,) * len(strides))
    extents, window = tuple(map(operator.mul, x.shape[1:-1], factors)), kernel.shape[:-2]
    pads = _transposed_padding(window, strides, padding, output_padding, dilation)
    # The convolution of which this is the transpose: it pads by what is left of its windows.
    spans = map(windows.span, window, dilation)
    around = tuple(
        (span - 1 - front, span - 1 - behind)
        for span, (front, behind) in zip(spans, pads, strict=True)
    )
    spatial = tuple(map(windows.transposed_extent, extents, window, strides, dilation, pads))
    if 0 in spatial:
        y = jnp.zeros((x.shape[0], *spatial, kernel.shape[-2]), x.dtype)
    elif max(strides) == 1 < max(factors):
        # With strides 1 it is the convolution by the kernel turned around.
        turned = library.turned(kernel, groups=1)
        y = _convolve(x, turned, factors, Geometry(tuple(strides), pads, tuple(dilation)))
    else:
        x = repeat_pixels(x, factors, range(1, x.ndim - 1))
        geometry = Geometry(tuple(strides), around, tuple(dilation))
        y = trilinear.input_gradient(x, kernel, spatial, geometry)
    return _as(data_format, y)


def _convolve(x: Array, kernel: Array, factors: Extents, geometry: Geometry) -> Array:
    """Returns the convolution of `x` upsampled by `factors`."""
    if max(factors) > 1 and upsampled.pays(x.shape[1:-1], kernel.shape[:-2], factors, geometry):
        return upsampled.convolve_upsampled(x, kernel, factors, geometry)
    x = repeat_pixels(x, factors, range(1, x.ndim - 1))
    return trilinear.forward(x, kernel, geometry)


def _geometry(
    spatial: Extents,
    window: Extents,
    strides: Sequence[int],
    padding: str,
    dilation: Sequence[int],
    groups: int = 1,
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
) -> tuple[tuple[int, int], ...]:
    return tuple(
        windows.transposed_padding(size, stride, rate, padding, behind)
        for size, stride, rate, behind in zip(
            window, strides, dilation, output_padding, strict=True
        )
    )


def _promote(x: Array, kernel: Array) -> tuple[Array, Array]:
    dtype = jnp.result_type(x, kernel)
    return jnp.asarray(x, dtype), jnp.asarray(kernel, dtype)


def _channels_last(x: Array, data_format: str) -> Array:
    return x if data_format == "channels_last" else jnp.moveaxis(x, 1, -1)


def _as(data_format: str, y: Array) -> Array:
    return y if data_format == "channels_last" else jnp.moveaxis(y, -1, 1)
