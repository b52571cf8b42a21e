"""Convolution and transposed convolution, in one to three spatial dimensions."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops import windows


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
    """Correlates images with a kernel, as `keras.ops.conv`.

    Args:
        x: [batch, *spatial, channels], or [batch, channels, *spatial] for channels_first.
        kernel: [*window, channels / groups, filters].
        strides: steps between windows, one for each spatial axis.
        padding: `"valid"` or `"same"`.
        dilation: steps between the positions of a window, one for each spatial axis.
        groups: into how many groups channels and filters are divided.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        [batch, *windows, filters], or [batch, filters, *windows]; of the dtype to which JAX
        promotes those of `x` and `kernel`.
    """
    x, kernel = _promote(x, kernel)
    pads = [
        windows.padding(*axis, padding)
        for axis in zip(_spatial(x, data_format), kernel.shape, strides, dilation, strict=False)
    ]
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=strides,
        padding=pads,
        rhs_dilation=dilation,
        feature_group_count=groups,
        dimension_numbers=_dimension_numbers(x.ndim, data_format),
    )


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

    Returns:
        [batch, *output, filters], or [batch, filters, *output]; of the dtype to which JAX
        promotes those of `x` and `kernel`.
    """
    x, kernel = _promote(x, kernel)
    pads = [
        windows.transposed_padding(size, stride, rate, padding, behind)
        for size, stride, rate, behind in zip(
            kernel.shape, strides, dilation, output_padding, strict=False
        )
    ]
    spatial = tuple(range(kernel.ndim - 2))
    return lax.conv_general_dilated(
        x,
        jnp.flip(kernel, spatial).swapaxes(-1, -2),
        window_strides=(1,) * len(spatial),
        padding=pads,
        lhs_dilation=strides,
        rhs_dilation=dilation,
        dimension_numbers=_dimension_numbers(x.ndim, data_format),
    )


def _promote(x: Array, kernel: Array) -> tuple[Array, Array]:
    dtype = jnp.result_type(x, kernel)
    return x.astype(dtype), kernel.astype(dtype)


def _spatial(x: Array, data_format: str) -> tuple[int, ...]:
    return x.shape[1:-1] if data_format == "channels_last" else x.shape[2:]


def _dimension_numbers(ndim: int, data_format: str) -> tuple[str, str, str]:
    axes = "DHW"[5 - ndim :]
    images = f"N{axes}C" if data_format == "channels_last" else f"NC{axes}"
    return images, f"{axes}IO", images
