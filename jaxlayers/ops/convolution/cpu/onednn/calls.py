"""The custom calls of XLA on the CPU that are computed by oneDNN.

XLA reads their attributes as the JSON form of a protocol buffer, see xla/service/cpu/onednn_config
.proto in openxla/xla, and runs them in xla/backends/cpu/runtime/onednn. Operands are row-major
float32 arrays with static shapes; for anything else XLA may abort the process.
"""

import json
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxlayers.ops.convolution.geometry import Geometry


def supports(*arrays: Array) -> bool:
    """Whether the calls may be used for these operands."""
    return all(
        array.dtype == jnp.float32 and all(isinstance(n, int) and n > 0 for n in array.shape)
        for array in arrays
    )


def convolution(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """Returns y: x [batch, *spatial, channels], kernel [*window, channels / groups, filters].

    The padding of `geometry` must not be negative.
    """
    rank, window = geometry.rank, kernel.shape[:-2]
    axes = list(range(rank))
    images = {
        "dims": rank + 2,
        "data": {"batch_dim": 0, "feature_dim": rank + 1, "spatial_dims": [n + 1 for n in axes]},
    }
    config = {
        "dims": rank + 2,
        "input": images,
        "kernel": {
            "dims": rank + 2,
            "filter": {
                "input_feature_dim": rank,
                "output_feature_dim": rank + 1,
                "spatial_dims": axes,
                "shape": list(kernel.shape),
            },
        },
        "output": images,
        "window": {
            "size": list(window),
            "pad_left": [before for before, _ in geometry.padding],
            "pad_right": [after for _, after in geometry.padding],
            "strides": list(geometry.strides),
            "window_dilations": list(geometry.dilation),
        },
        "feature_groups": geometry.groups,
    }
    shape = (x.shape[0], *geometry.outputs(x.shape[1:-1], window), kernel.shape[-1])
    return _call("__onednn$convolution", {"onednn_conv_config": config}, shape, x, kernel)


def matmul(a: Array, b: Array) -> Array:
    """Returns the product of a [m, k] and b [k, n]: [m, n]."""
    return _matmul(a, b, (a.shape[0], b.shape[1]), transpose_a=False)


def transposed_matmul(a: Array, b: Array) -> Array:
    """Returns the product of the transpose of a [k, m] and b [k, n]: [m, n]."""
    return _matmul(a, b, (a.shape[1], b.shape[1]), transpose_a=True)


def _matmul(a: Array, b: Array, shape: tuple[int, int], transpose_a: bool) -> Array:
    config = {"onednn_matmul_config": {"transpose_a": transpose_a, "transpose_b": False}}
    return _call("__onednn$matmul", config, shape, a, b)


def _call(target: str, config: dict[str, Any], shape: tuple[int, ...], *operands: Array) -> Array:
    result: Array = jax.ffi.ffi_call(
        target,
        jax.ShapeDtypeStruct(shape, operands[0].dtype),
        # The version of XLA's interface in which attributes are a string.
        custom_call_api_version=2,
        legacy_backend_config=json.dumps(config),
    )(*operands)
    return result
