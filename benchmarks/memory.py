"""Peak memory of the temporaries of each convolution, according to XLA's buffer assignment."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.shapes import Shape
from jaxlayers.ops.convolution import primitives, xla


def measure(shape: Shape) -> Iterator[tuple[str, float, float]]:
    """Yields each function with the MiB of temporaries of ours and of lax's."""
    geometry, spatial, window = shape.geometry, shape.spatial, shape.window
    x = (shape.batch, *spatial, shape.channels)
    kernel = (*window, shape.channels // geometry.groups, shape.filters)
    y = (shape.batch, *shape.outputs, shape.filters)
    functions = {
        "forward": (lambda m: lambda x, k: m.forward(x, k, geometry), (x, kernel)),
        "input gradient": (
            lambda m: lambda y, k: m.input_gradient(y, k, spatial, geometry),
            (y, kernel),
        ),
        "kernel gradient": (
            lambda m: lambda x, y: m.kernel_gradient(x, y, window, geometry),
            (x, y),
        ),
    }
    for name, (function, shapes) in functions.items():
        operands = [jax.ShapeDtypeStruct(s, jnp.float32) for s in shapes]
        ours, lax = (_temporaries(function(m), operands) for m in (primitives, xla))
        yield name, ours, lax


def _temporaries(function: Callable[..., Any], operands: list[Any]) -> float:
    analysis = jax.jit(function).lower(*operands).compile().memory_analysis()
    return float(analysis.temp_size_in_bytes) / 2**20
