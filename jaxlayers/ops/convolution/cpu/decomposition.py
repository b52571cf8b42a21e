"""A convolution stated as other convolutions, whose algorithms are selected in turn."""

from collections.abc import Callable
from typing import NamedTuple

from jax import Array

from jaxlayers.ops.convolution.geometry import Extents, Geometry


class Subproblem(NamedTuple):
    """A forward pass, or a gradient with respect to the input, on part of the images."""

    operand: Callable[[Array], Array]  # of all images, returns those of this subproblem
    kernel: Array
    geometry: Geometry
    spatial: Extents | None = None  # extents of the gradient; None for a forward pass


class Decomposition(NamedTuple):
    """The subproblems of a function of images and a kernel."""

    subproblems: list[Subproblem]
    combine: Callable[[list[Array]], Array]
    chunked: bool = False  # whether all of it is computed for one chunk of the batch at a time


class KernelSubproblem(NamedTuple):
    """A gradient with respect to the kernel."""

    x: Array
    y: Array
    window: Extents
    geometry: Geometry


class KernelDecomposition(NamedTuple):
    """The subproblems of a gradient with respect to the kernel."""

    subproblems: list[KernelSubproblem]
    combine: Callable[[list[Array]], Array]
