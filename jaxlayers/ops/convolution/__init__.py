"""Convolutions in one to three spatial dimensions.

`api` is what layers call. It is built on `primitives`: the forward pass and its two gradients,
differentiable to any order, lowered to `xla` on accelerators and to `cpu` on CPUs.
"""

from jaxlayers.ops.convolution.api import (
    convolution,
    convolution_transpose,
    upsampled_convolution,
    upsampled_convolution_transpose,
)

__all__ = [
    "convolution",
    "convolution_transpose",
    "upsampled_convolution",
    "upsampled_convolution_transpose",
]
