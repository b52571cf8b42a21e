"""A convolution and its two gradients on the CPU, each by the algorithm selected for its shapes."""

import math
from collections.abc import Callable

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops.convolution.cpu import selection
from jaxlayers.ops.convolution.cpu.algorithms import (
    Decomposed,
    DecomposedKernel,
    Forward,
    InputGradient,
    KernelGradient,
)
from jaxlayers.ops.convolution.cpu.decomposition import Decomposition, Subproblem
from jaxlayers.ops.convolution.cpu.libraries import XLA, Library
from jaxlayers.ops.convolution.cpu.workspace import Shapes, nothing
from jaxlayers.ops.convolution.geometry import Extents, Geometry


def forward(x: Array, kernel: Array, geometry: Geometry, library: Library = XLA) -> Array:
    """Returns y; see `primitives.forward`."""
    shapes = Shapes.of(x.shape, kernel.shape, geometry)
    if shapes.empty:
        return jnp.zeros(shapes.y, x.dtype)

    library = library.or_xla(x, kernel)
    algorithm = selection.forward(x.shape, kernel.shape, geometry, library)
    return run_forward(algorithm, x, kernel, geometry, library)


def run_forward(
    algorithm: Forward, x: Array, kernel: Array, geometry: Geometry, library: Library
) -> Array:
    """Returns y, computed by `algorithm`."""
    shapes = Shapes.of(x.shape, kernel.shape, geometry)
    if isinstance(algorithm.value, Decomposed):
        decomposition = algorithm.value.decompose(kernel, x.shape[1:-1], geometry)
        return _combined(decomposition, x, shapes, shapes.y, library)
    compute, workspace = algorithm.value
    chunks = _chunks(shapes, workspace, x.dtype)
    return _in_chunks(lambda chunk: compute(chunk, kernel, geometry, library), x, chunks)


def input_gradient(
    y: Array, kernel: Array, spatial: Extents, geometry: Geometry, library: Library = XLA
) -> Array:
    """Returns x; see `primitives.input_gradient`."""
    shape = (y.shape[0], *spatial, kernel.shape[-2] * geometry.groups)
    if Shapes.of(shape, kernel.shape, geometry).empty:
        return jnp.zeros(shape, y.dtype)

    library = library.or_xla(y, kernel)
    algorithm = selection.input_gradient(shape, kernel.shape, geometry, library)
    return run_input_gradient(algorithm, y, kernel, spatial, geometry, library)


def run_input_gradient(
    algorithm: InputGradient,
    y: Array,
    kernel: Array,
    spatial: Extents,
    geometry: Geometry,
    library: Library,
) -> Array:
    """Returns x, computed by `algorithm`."""
    shape = (y.shape[0], *spatial, kernel.shape[-2] * geometry.groups)
    shapes = Shapes(shape, kernel.shape, y.shape)
    if isinstance(algorithm.value, Decomposed):
        decomposition = algorithm.value.decompose(kernel, y.shape[1:-1], spatial, geometry)
        return _combined(decomposition, y, shapes, shapes.x, library)
    compute, workspace = algorithm.value
    chunks = _chunks(shapes, workspace, y.dtype)
    return _in_chunks(lambda chunk: compute(chunk, kernel, spatial, geometry, library), y, chunks)


def kernel_gradient(
    x: Array,
    y: Array,
    window: Extents,
    geometry: Geometry,
    library: Library = XLA,
    of_groups: bool = False,
) -> Array:
    """Returns the kernel; see `primitives.kernel_gradient`, and `selection` for `of_groups`."""
    shape = (*window, x.shape[-1] // geometry.groups, y.shape[-1])
    if Shapes.of(x.shape, shape, geometry).empty:
        return jnp.zeros(shape, x.dtype)
    library = library.or_xla(x, y)
    algorithm = selection.kernel_gradient(x.shape, shape, geometry, library, of_groups)
    return run_kernel_gradient(algorithm, x, y, window, geometry, library)


def run_kernel_gradient(
    algorithm: KernelGradient,
    x: Array,
    y: Array,
    window: Extents,
    geometry: Geometry,
    library: Library,
) -> Array:
    """Returns the kernel, computed by `algorithm`."""
    if isinstance(algorithm.value, DecomposedKernel):
        subproblems, combine = algorithm.value.decompose(x, y, window, geometry)
        of_groups = algorithm is KernelGradient.GROUPED
        return combine(
            [
                kernel_gradient(p.x, p.y, p.window, p.geometry, library, of_groups)
                for p in subproblems
            ]
        )
    compute: Callable[..., Array]
    compute, workspace = algorithm.value
    shape = (*window, x.shape[-1] // geometry.groups, y.shape[-1])
    chunks = _chunks(Shapes.of(x.shape, shape, geometry), workspace, x.dtype)
    if chunks == 1:
        return compute(x, y, window, geometry, library)

    def add(gradient: Array, chunk: tuple[Array, Array]) -> tuple[Array, None]:
        return gradient + compute(*chunk, window, geometry, library), None

    split = (_split(x, chunks), _split(y, chunks))
    return lax.scan(add, jnp.zeros(shape, x.dtype), split)[0]


def _combined(
    decomposition: Decomposition, images: Array, shapes: Shapes, result: Extents, library: Library
) -> Array:
    """Returns the result of a decomposition, an array of shape `result`."""
    subproblems, combine, chunked = decomposition
    if not subproblems:
        return jnp.zeros(result, images.dtype)

    def compute(chunk: Array) -> Array:
        return combine([_solve(each, chunk, library) for each in subproblems])

    chunks = _chunks(shapes, nothing, images.dtype) if chunked else 1
    return _in_chunks(compute, images, chunks)


def _solve(subproblem: Subproblem, images: Array, library: Library) -> Array:
    select, kernel, geometry, spatial = subproblem
    if spatial is None:
        return forward(select(images), kernel, geometry, library)
    return input_gradient(select(images), kernel, spatial, geometry, library)


def _chunks(shapes: Shapes, workspace: Callable[[Shapes], int] | None, dtype: jnp.dtype) -> int:
    """Returns the number of chunks into which the batch is divided."""
    batch, size = shapes.x[0], dtype.itemsize
    if workspace is None or not isinstance(batch, int):
        return 1
    image = sum(math.prod(shape[1:]) for shape in (shapes.x, shapes.y))
    kernel = math.prod(shapes.kernel)
    return selection.chunks(batch, image * size, kernel * size, workspace(shapes) * size)


def _in_chunks(compute: Callable[[Array], Array], images: Array, chunks: int) -> Array:
    """Computes one chunk of the batch after another."""
    if chunks == 1:
        return compute(images)
    results: Array = lax.map(compute, _split(images, chunks))
    return results.reshape(-1, *results.shape[2:])


def _split(images: Array, chunks: int) -> Array:
    return images.reshape(chunks, -1, *images.shape[1:])
