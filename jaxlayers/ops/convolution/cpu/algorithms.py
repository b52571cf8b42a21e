"""The tables of algorithms: one per function of a convolution, each member under its name.

All members of a table compute the same function, up to rounding. To add an algorithm, write it in
the module of its function, enter it here and return it from `selection` where it measures faster.
`tests/ops/convolution/test_algorithms.py` fails until it has a case and a shape that selects it.
"""

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from jax import Array

from jaxlayers.ops.convolution.cpu import (
    depthwise,
    forward,
    grouped,
    input_gradient,
    kernel_gradient,
    per_depth,
    space_to_depth,
    workspace,
)
from jaxlayers.ops.convolution.cpu.decomposition import Decomposition, KernelDecomposition
from jaxlayers.ops.convolution.cpu.workspace import Shapes


class Direct(NamedTuple):
    """An algorithm that computes the result itself."""

    compute: Callable[..., Array]
    # Numbers per image that it needs besides operands and result, by which the batch is divided
    # into chunks; None if it always computes the whole batch at once.
    workspace: Callable[[Shapes], int] | None


class Decomposed(NamedTuple):
    """An algorithm that states the function as other convolutions."""

    decompose: Callable[..., Decomposition]


class DecomposedKernel(NamedTuple):
    """An algorithm that states a gradient with respect to the kernel as other such gradients."""

    decompose: Callable[..., KernelDecomposition]


class Forward(Enum):
    """Algorithms of the forward pass: `(x, kernel, geometry) -> y`."""

    CONVOLUTION = Direct(forward.convolution, None)
    CONVOLUTION_IN_CHUNKS = Direct(forward.convolution, workspace.nothing)
    ONE_TAP = Direct(forward.one_tap, None)
    TAP_BY_TAP = Direct(forward.tap_by_tap, workspace.nothing)
    IM2COL = Direct(forward.im2col, workspace.input_patches)
    SHIFTED_SUMS = Direct(forward.shifted_sums, workspace.output_patches)
    DEPTHWISE = Direct(depthwise.forward, None)
    GROUPED = Decomposed(grouped.forward)
    PER_DEPTH = Decomposed(per_depth.forward)


class InputGradient(Enum):
    """Algorithms of the gradient with respect to x: `(y, kernel, spatial, geometry) -> x`."""

    SHIFTED_SUMS = Direct(input_gradient.shifted_sums, workspace.input_patches)
    PHASES = Decomposed(input_gradient.phases)
    DILATED_OUTPUT = Direct(input_gradient.dilated_output, None)
    GROUPED = Decomposed(grouped.input_gradient)


class KernelGradient(Enum):
    """Algorithms of the gradient with respect to the kernel: `(x, y, window, geometry)`."""

    CONVOLUTION = Direct(kernel_gradient.convolution, workspace.nothing)
    CHANNELS_AS_AXIS = Direct(kernel_gradient.channels_as_axis, None)
    ONE_TAP = Direct(kernel_gradient.one_tap, None)
    TAP_BY_TAP = Direct(kernel_gradient.tap_by_tap, workspace.nothing)
    IM2COL = Direct(kernel_gradient.im2col, workspace.input_patches)
    IM2COL_TAPS_FIRST = Direct(kernel_gradient.im2col_taps_first, workspace.input_patches)
    ROW_BY_ROW = Direct(kernel_gradient.row_by_row, workspace.output_row_patches)
    OUTPUT_PATCHES = Direct(kernel_gradient.output_patches, workspace.output_patches)
    DEPTHWISE = Direct(depthwise.kernel_gradient, None)
    GROUPED = DecomposedKernel(grouped.kernel_gradient)
    SPACE_TO_DEPTH = DecomposedKernel(space_to_depth.kernel_gradient)
    PER_DEPTH = DecomposedKernel(per_depth.kernel_gradient)
