"""Compares oneDNN's results with XLA's own: `python -m` this module, in a process that may abort.

It prints `AGREES` if all of them are equal up to rounding; otherwise the process ends with an
error, or is aborted by XLA.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxlayers.ops.convolution import xla
from jaxlayers.ops.convolution.cpu.onednn import calls
from jaxlayers.ops.convolution.geometry import Geometry

AGREES = "oneDNN agrees with XLA"

# Geometry, batch, spatial, channels per group, window, filters. Extents, padding, strides and
# dilation differ between the axes and the sides, so that no two of them can be exchanged or be off
# by one without changing the result.
CONVOLUTIONS = (
    (Geometry((2,), ((2, 1),), (3,)), 2, (17,), 3, (4,), 5),
    (Geometry((1, 2), ((3, 0), (1, 2)), (1, 1)), 3, (9, 8), 4, (3, 5), 6),
    (Geometry((3, 1), ((0, 2), (2, 1)), (1, 2)), 1, (11, 9), 5, (2, 3), 3),
    (Geometry((1, 1), ((1, 1), (1, 1)), (1, 1)), 2, (12, 10), 16, (3, 3), 32),
    (Geometry((1, 1), ((0, 0), (0, 0)), (1, 1)), 2, (6, 5), 8, (1, 1), 7),
    (Geometry((1, 2), ((1, 2), (0, 1)), (1, 1), 3), 2, (8, 9), 4, (3, 2), 6),
    (Geometry((2, 1), ((1, 0), (2, 1)), (1, 2), 5), 2, (8, 7), 1, (3, 2), 5),
    (Geometry((1, 1), ((1, 0), (0, 1)), (1, 1), 4), 2, (5, 6), 1, (2, 2), 8),
    (Geometry((1, 2, 1), ((1, 0), (0, 2), (2, 1)), (2, 1, 1)), 2, (6, 7, 5), 3, (2, 3, 2), 4),
)
# Contracted axis, rows and columns of the result.
MATMULS = ((37, 5, 11), (256, 64, 24), (1, 3, 2))


def main() -> None:
    """Raises an `AssertionError` if a result differs, else prints `AGREES`."""
    rng = np.random.default_rng(0)
    for geometry, batch, spatial, channels, window, filters in CONVOLUTIONS:
        x = rng.standard_normal((batch, *spatial, channels * geometry.groups), np.float32)
        kernel = rng.standard_normal((*window, channels, filters), np.float32)
        _compare(
            lambda x, kernel, geometry=geometry: calls.convolution(x, kernel, geometry),
            lambda x, kernel, geometry=geometry: xla.forward(x, kernel, geometry),
            x,
            kernel,
        )
    for rows, left, right in MATMULS:
        a, b = (rng.standard_normal((rows, n), np.float32) for n in (left, right))
        _compare(calls.transposed_matmul, lambda a, b: lax.dot(a.T, b), a, b)
        _compare(calls.matmul, lax.dot, np.ascontiguousarray(a.T), b)
    print(AGREES)


def _compare(
    ours: Callable[..., Array], theirs: Callable[..., Array], *operands: np.ndarray
) -> None:
    arrays = [jnp.asarray(operand) for operand in operands]
    # Inside of a loop as well: XLA compiles it as another function.
    looped = jax.jit(lambda *a: lax.map(lambda b: ours(*b), tuple(x[None] for x in a))[0])
    expected = np.asarray(jax.jit(theirs)(*arrays))
    for function in (jax.jit(ours), looped):
        # Sums of at most some hundred float32 products of order 1.
        np.testing.assert_allclose(np.asarray(function(*arrays)), expected, rtol=1e-4, atol=1e-4)


if __name__ == "__main__":
    main()
