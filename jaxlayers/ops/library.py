"""A convolution and its two gradients as JAX's own: what accelerators run.

cuDNN and the TPU's compiler choose among algorithms of their own; on them nothing measured
faster.
"""

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops.geometry import Extents, Geometry


def forward(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """Returns y; see `trilinear.forward`."""
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
    """Returns x; see `trilinear.input_gradient`."""
    images, taps, _ = dimension_numbers(geometry.rank)
    if geometry.groups == 1:
        # The exchange in the layout alone: the form that XLA knows as the gradient of cuDNN.
        back, taps = lax.rev(kernel, tuple(range(geometry.rank))), taps.replace("IO", "OI")
    else:
        back = turned(kernel, geometry.groups)
    padding = [
        ((size - 1) * dilation - front, extent - 1 + front - (windows - 1) * stride)
        for extent, windows, size, stride, (front, _), dilation in zip(
            spatial, y.shape[1:-1], kernel.shape[:-2], *geometry[:3], strict=True
        )
    ]
    return lax.conv_general_dilated(
        y,
        back,
        (1,) * geometry.rank,
        padding,
        lhs_dilation=geometry.strides,
        rhs_dilation=geometry.dilation,
        dimension_numbers=(images, taps, images),
        feature_group_count=geometry.groups,
    )


def kernel_gradient(x: Array, y: Array, window: Extents, geometry: Geometry) -> Array:
    """Returns the kernel; see `trilinear.kernel_gradient`."""
    padding = [
        (front, (size - 1) * dilation + (windows - 1) * stride + 1 - extent - front)
        for extent, windows, size, stride, (front, _), dilation in zip(
            x.shape[1:-1], y.shape[1:-1], window, *geometry[:3], strict=True
        )
    ]
    axes = _AXES[-geometry.rank :]
    return lax.conv_general_dilated(
        x,
        y,
        geometry.dilation,
        padding,
        rhs_dilation=geometry.strides,
        dimension_numbers=(f"C{axes}N", f"I{axes}O", f"{axes}NC"),
        batch_group_count=geometry.groups,
    )


def turned(kernel: Array, groups: int) -> Array:
    """Returns the kernel of the way back: taps reversed, channels and filters exchanged.

    [*window, channels / groups, filters] becomes [*window, filters / groups, channels].
    """
    *window, inputs, filters = kernel.shape
    kernel = kernel.reshape(*window, inputs, groups, filters // groups)
    kernel = jnp.moveaxis(kernel, -1, len(window)).swapaxes(-1, -2)
    kernel = kernel.reshape(*window, filters // groups, groups * inputs)
    return lax.rev(kernel, tuple(range(len(window))))


def dimension_numbers(rank: int) -> tuple[str, str, str]:
    """Returns the layouts of image, kernel and output, the channels last."""
    axes = _AXES[-rank:]
    return f"N{axes}C", f"{axes}IO", f"N{axes}C"


_AXES = "DHW"
