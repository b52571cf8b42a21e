"""Peak memory of the temporaries of each convolution, according to XLA's buffer assignment."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.shapes import Shape, three_functions
from jaxlayers.ops.convolution import primitives, xla


def measure(shape: Shape) -> Iterator[tuple[str, float, float]]:
    """Yields each function with the MiB of temporaries of ours and of lax's."""
    kernel = (*shape.window, shape.channels // shape.geometry.groups, shape.filters)
    shapes = {
        "x": (shape.batch, *shape.spatial, shape.channels),
        "kernel": kernel,
        "y": (shape.batch, *shape.outputs, shape.filters),
    }
    for name, (function, roles) in three_functions(shape).items():
        operands = [jax.ShapeDtypeStruct(shapes[role], jnp.float32) for role in roles]
        ours, lax = (_temporaries(function(m), operands) for m in (primitives, xla))
        yield name, ours, lax


def _temporaries(function: Callable[..., Any], operands: list[Any]) -> float:
    analysis = jax.jit(function).lower(*operands).compile().memory_analysis()
    return float(analysis.temp_size_in_bytes) / 2**20
