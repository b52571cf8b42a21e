"""Convolution and pooling as loops over positions, for comparison.

Images are [batch, *spatial, channels].
"""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np


def window_positions(
    extent: int, size: int, stride: int, dilation: int, padding: str
) -> list[list]:
    """Returns the positions on an axis in each window, with None for padding."""
    span = (size - 1) * dilation + 1
    if padding == "valid":
        starts = range(0, extent - span + 1, stride)
    else:
        count = len(range(0, extent, stride))
        missing = max((count - 1) * stride + span - extent, 0)
        starts = range(-(missing // 2), -(missing // 2) + count * stride, stride)
    return [[p if 0 <= p < extent else None for p in range(s, s + span, dilation)] for s in starts]


def convolution(
    x: np.ndarray,
    kernel: np.ndarray,
    strides: Sequence[int],
    padding: str,
    dilation: Sequence[int],
    groups: int,
) -> np.ndarray:
    spatial, window = x.shape[1:-1], kernel.shape[:-2]
    axes = [
        window_positions(*axis, padding)
        for axis in zip(spatial, window, strides, dilation, strict=True)
    ]
    y = np.zeros((len(x), *map(len, axes), kernel.shape[-1]))
    inputs, outputs = kernel.shape[-2], kernel.shape[-1] // groups
    for output_position in np.ndindex(*map(len, axes)):
        for tap in np.ndindex(*window):
            input_position = [
                axis[i][k] for axis, i, k in zip(axes, output_position, tap, strict=True)
            ]
            if None in input_position:
                continue
            for group in range(groups):
                input_channels = slice(group * inputs, (group + 1) * inputs)
                output_channels = slice(group * outputs, (group + 1) * outputs)
                y[(slice(None), *output_position, output_channels)] += (
                    x[(slice(None), *input_position, input_channels)]
                    @ kernel[tap][:, output_channels]
                )
    return y


def convolution_transpose(
    x: np.ndarray, kernel: np.ndarray, strides: Sequence[int], dilation: Sequence[int]
) -> np.ndarray:
    """Returns the transposed convolution without padding: each position is added to its window."""
    spatial, window = x.shape[1:-1], kernel.shape[:-2]
    extents = [
        (n - 1) * s + (k - 1) * d + 1
        for n, k, s, d in zip(spatial, window, strides, dilation, strict=True)
    ]
    y = np.zeros((len(x), *extents, kernel.shape[-2]))
    for output_position, tap in product(np.ndindex(*spatial), np.ndindex(*window)):
        input_position = [
            i * s + k * d
            for i, s, k, d in zip(output_position, strides, tap, dilation, strict=True)
        ]
        y[(slice(None), *input_position)] += x[(slice(None), *output_position)] @ kernel[tap].T
    return y


def pool(
    reduce: Callable[..., Any],
    x: np.ndarray,
    pool_size: Sequence[int],
    strides: Sequence[int],
    padding: str,
) -> np.ndarray:
    axes = [
        window_positions(extent, size, stride, 1, padding)
        for extent, size, stride in zip(x.shape[1:-1], pool_size, strides, strict=True)
    ]
    y = np.zeros((len(x), *map(len, axes), x.shape[-1]))
    for output_position in np.ndindex(*map(len, axes)):
        positions = [
            [p for p in axis[i] if p is not None]
            for axis, i in zip(axes, output_position, strict=True)
        ]
        window = x[np.ix_(range(len(x)), *positions, range(x.shape[-1]))]
        y[(slice(None), *output_position)] = reduce(window, axis=tuple(range(1, x.ndim - 1)))
    return y
