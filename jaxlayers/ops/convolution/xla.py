"""A convolution and its two gradients, each as one XLA convolution, for accelerators.

cuDNN and the TPU compiler select an algorithm themselves; no other formulation was faster.
"""

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops import windows
from jaxlayers.ops.convolution.geometry import Extents, Geometry


def forward(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """Returns y; see `primitives.forward`."""
    return lax.conv_general_dilated(
        x,
        kernel,
        geometry.strides,
        geometry.padding,
        rhs_dilation=geometry.dilation,
        dimension_numbers=dimension_numbers(geometry.rank),
        feature_group_count=geometry.groups,
    )


def input_gradient(y: Array, kernel: Array, spatial: Extents, geometry: Geometry) -> Array:
    """Returns x; see `primitives.input_gradient`."""
    images, taps, _ = dimension_numbers(geometry.rank)
    if geometry.groups == 1:
        # Channels and filters are exchanged only in the dimension numbers, so that XLA recognizes
        # this as cuDNN's gradient with respect to the input.
        flipped_kernel, taps = (
            lax.rev(kernel, tuple(range(geometry.rank))),
            taps.replace("IO", "OI"),
        )
    else:
        flipped_kernel = flipped(kernel, geometry.groups)
    padding = input_gradient_padding(spatial, y.shape[1:-1], kernel.shape[:-2], geometry)
    return lax.conv_general_dilated(
        y,
        flipped_kernel,
        (1,) * geometry.rank,
        padding,
        lhs_dilation=geometry.strides,
        rhs_dilation=geometry.dilation,
        dimension_numbers=(images, taps, images),
        feature_group_count=geometry.groups,
    )


def kernel_gradient(x: Array, y: Array, window: Extents, geometry: Geometry) -> Array:
    """Returns the kernel; see `primitives.kernel_gradient`."""
    axes = _AXES[-geometry.rank :]
    return lax.conv_general_dilated(
        x,
        y,
        geometry.dilation,
        kernel_gradient_padding(x.shape[1:-1], y.shape[1:-1], window, geometry),
        rhs_dilation=geometry.strides,
        dimension_numbers=(f"C{axes}N", f"I{axes}O", f"{axes}NC"),
        batch_group_count=geometry.groups,
    )


def input_gradient_padding(
    spatial: Extents, outputs: Extents, window: Extents, geometry: Geometry
) -> tuple[windows.Padding, ...]:
    """Returns the padding with which the convolution of dilated y is the input gradient."""
    return tuple(
        (windows.span(size, dilation) - 1 - before, extent - 1 + before - (count - 1) * stride)
        for extent, count, size, stride, (before, _), dilation in zip(
            spatial, outputs, window, *geometry[:3], strict=True
        )
    )


def kernel_gradient_padding(
    spatial: Extents, outputs: Extents, window: Extents, geometry: Geometry
) -> tuple[windows.Padding, ...]:
    """Returns the padding with which the convolution of x with y is the kernel gradient."""
    return tuple(
        (before, windows.span(size, dilation) + (count - 1) * stride - extent - before)
        for extent, count, size, stride, (before, _), dilation in zip(
            spatial, outputs, window, *geometry[:3], strict=True
        )
    )


def flipped(kernel: Array, groups: int) -> Array:
    """Returns the kernel with its taps reversed and its channels and filters exchanged.

    Args:
        kernel: [*window, channels / groups, filters].
        groups: Number of groups.

    Returns:
        [*window, filters / groups, channels].
    """
    *window, inputs, filters = kernel.shape
    kernel = kernel.reshape(*window, inputs, groups, filters // groups)
    kernel = jnp.moveaxis(kernel, -1, len(window)).swapaxes(-1, -2)
    kernel = kernel.reshape(*window, filters // groups, groups * inputs)
    return lax.rev(kernel, tuple(range(len(window))))


def dimension_numbers(rank: int) -> tuple[str, str, str]:
    """Returns the channels-last dimension numbers of image, kernel and output."""
    axes = _AXES[-rank:]
    return f"N{axes}C", f"{axes}IO", f"N{axes}C"


_AXES = "DHW"
