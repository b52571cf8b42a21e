"""Convolution and pooling as plain loops over positions, to compare with.

Images are [batch, *spatial, channels].
"""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np


def placements(extent: int, size: int, stride: int, dilation: int, padding: str) -> list[list]:
    """The positions on an axis that each window covers; None for those in the padding."""
    reach = (size - 1) * dilation + 1
    if padding == "valid":
        starts = range(0, extent - reach + 1, stride)
    else:
        count = len(range(0, extent, stride))
        missing = max((count - 1) * stride + reach - extent, 0)
        starts = range(-(missing // 2), -(missing // 2) + count * stride, stride)
    return [[p if 0 <= p < extent else None for p in range(s, s + reach, dilation)] for s in starts]


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
        placements(*axis, padding) for axis in zip(spatial, window, strides, dilation, strict=True)
    ]
    y = np.zeros((len(x), *map(len, axes), kernel.shape[-1]))
    inputs, outputs = kernel.shape[-2], kernel.shape[-1] // groups
    for place in np.ndindex(*map(len, axes)):
        for tap in np.ndindex(*window):
            at = [axis[i][k] for axis, i, k in zip(axes, place, tap, strict=True)]
            if None in at:
                continue
            for group in range(groups):
                ins = slice(group * inputs, (group + 1) * inputs)
                outs = slice(group * outputs, (group + 1) * outputs)
                y[(slice(None), *place, outs)] += x[(slice(None), *at, ins)] @ kernel[tap][:, outs]
    return y


def scatter(
    x: np.ndarray, kernel: np.ndarray, strides: Sequence[int], dilation: Sequence[int]
) -> np.ndarray:
    """The transpose of a convolution without padding: each position spreads over its window."""
    spatial, window = x.shape[1:-1], kernel.shape[:-2]
    extents = [
        (n - 1) * s + (k - 1) * d + 1
        for n, k, s, d in zip(spatial, window, strides, dilation, strict=True)
    ]
    y = np.zeros((len(x), *extents, kernel.shape[-2]))
    for place, tap in product(np.ndindex(*spatial), np.ndindex(*window)):
        at = [i * s + k * d for i, s, k, d in zip(place, strides, tap, dilation, strict=True)]
        y[(slice(None), *at)] += x[(slice(None), *place)] @ kernel[tap].T
    return y


def pool(
    reduce: Callable[..., Any],
    x: np.ndarray,
    pool_size: Sequence[int],
    strides: Sequence[int],
    padding: str,
) -> np.ndarray:
    axes = [
        placements(extent, size, stride, 1, padding)
        for extent, size, stride in zip(x.shape[1:-1], pool_size, strides, strict=True)
    ]
    y = np.zeros((len(x), *map(len, axes), x.shape[-1]))
    for place in np.ndindex(*map(len, axes)):
        covered = [
            [p for p in axis[i] if p is not None] for axis, i in zip(axes, place, strict=True)
        ]
        window = x[np.ix_(range(len(x)), *covered, range(x.shape[-1]))]
        y[(slice(None), *place)] = reduce(window, axis=tuple(range(1, x.ndim - 1)))
    return y
