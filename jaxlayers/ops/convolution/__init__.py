"""Convolutions in one to three spatial dimensions.

The layers call the functions in `api`. They are built on `primitives`: the forward pass and its two
gradients, differentiable to any order, which are lowered to `xla` on accelerators and to `cpu` on
CPUs.
"""

from jaxlayers.ops.convolution.api import (
    convolution,
    convolution_transpose,
    depthwise_convolution,
    upsampled_convolution,
    upsampled_convolution_transpose,
)

__all__ = [
    "convolution",
    "convolution_transpose",
    "depthwise_convolution",
    "upsampled_convolution",
    "upsampled_convolution_transpose",
]
