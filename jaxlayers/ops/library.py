"""A convolution and its two gradients as JAX's own: what accelerators run.

cuDNN and the TPU's compiler choose among algorithms of their own; on them nothing measured
faster.
"""

import jax
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
    channels = kernel.shape[-2] * geometry.groups
    x = jax.ShapeDtypeStruct((y.shape[0], *spatial, channels), y.dtype)
    return jax.linear_transpose(lambda x: forward(x, kernel, geometry), x)(y)[0]


def kernel_gradient(x: Array, y: Array, window: Extents, geometry: Geometry) -> Array:
    """Returns the kernel; see `trilinear.kernel_gradient`."""
    shape = (*window, x.shape[-1] // geometry.groups, y.shape[-1])
    kernel = jax.ShapeDtypeStruct(shape, x.dtype)
    return jax.linear_transpose(lambda kernel: forward(x, kernel, geometry), kernel)(y)[0]


def dimension_numbers(rank: int) -> tuple[str, str, str]:
    """Returns the layouts of image, kernel and output, the channels last."""
    axes = "DHW"[3 - rank :]
    return f"N{axes}C", f"{axes}IO", f"N{axes}C"
