"""Array functions that the layers are built on."""

from jaxlayers.ops.convolution import (
    convolution,
    convolution_transpose,
    depthwise_convolution,
    upsampled_convolution,
    upsampled_convolution_transpose,
)
from jaxlayers.ops.normalization import spectral_norm, standardize, unit_norm
from jaxlayers.ops.pooling import (
    adaptive_average_pool,
    adaptive_max_pool,
    average_pool,
    max_pool,
    sum_pool,
)
from jaxlayers.ops.upsampling import repeat_pixels, resize_images

__all__ = [
    "adaptive_average_pool",
    "adaptive_max_pool",
    "average_pool",
    "convolution",
    "convolution_transpose",
    "depthwise_convolution",
    "max_pool",
    "repeat_pixels",
    "resize_images",
    "spectral_norm",
    "standardize",
    "sum_pool",
    "unit_norm",
    "upsampled_convolution",
    "upsampled_convolution_transpose",
]
