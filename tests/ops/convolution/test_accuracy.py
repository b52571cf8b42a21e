"""Float32 against float64: the rounding of XLA's convolution, or of a plain sum.

XLA has slow code for some shapes, for example few positions, which adds the products in several
partial sums and is therefore more exact than any fast code, oneDNN's and PyTorch's included.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers import config
from jaxlayers.ops.convolution import primitives, xla
from jaxlayers.ops.convolution.geometry import Geometry

# (batch, extent, channels, window, filters, strides, padding, groups)
SHAPES = {
    "4x4x128 -> 256, 5": (8, 4, 128, 5, 256, 1, (2, 2), 1),
    "7x7x64 -> 128, 5, strides 2": (8, 7, 64, 5, 128, 2, (2, 2), 1),
    "14x14x64 -> 64, 3": (8, 14, 64, 3, 64, 1, (1, 1), 1),
    "14x14x32 -> 1, 5": (8, 14, 32, 5, 1, 1, (2, 2), 1),
    "14x14x1 -> 64, 5, strides 2": (8, 14, 1, 5, 64, 2, (1, 2), 1),
    "14x14x64, depthwise": (8, 14, 64, 3, 64, 1, (1, 1), 64),
    "14x14x64 -> 64, 4 groups": (8, 14, 64, 3, 64, 1, (1, 1), 4),
    "14x14x64 -> 128, 1": (8, 14, 64, 1, 128, 1, (0, 0), 1),
    # Row by row, as LeNet's second convolution; column by column; an odd number of channels.
    "12x12x32 -> 64, 3, 32 images": (32, 12, 32, 3, 64, 1, (0, 0), 1),
    "4x4x32 -> 48, 5, 32 images": (32, 4, 32, 5, 48, 1, (2, 2), 1),
    "12x12x3 -> 24, 3": (8, 12, 3, 3, 24, 1, (1, 1), 1),
}


@pytest.mark.optimized
@pytest.mark.parametrize("library", ["auto", "xla"])
@pytest.mark.parametrize("name", SHAPES)
def test_float32_is_as_exact_as_lax_or_a_plain_sum(name, library, monkeypatch) -> None:
    monkeypatch.setattr(config, "_cpu_convolutions", library)
    batch, extent, channels, window, filters, strides, pads, groups = SHAPES[name]
    geometry = Geometry((strides,) * 2, (pads,) * 2, (1, 1), groups)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, extent, extent, channels))
    kernel = rng.standard_normal((window, window, channels // groups, filters))
    y = rng.standard_normal((batch, *geometry.outputs((extent,) * 2, (window,) * 2), filters))
    functions = [
        (lambda m: lambda x, k: m.forward(x, k, geometry), (x, kernel)),
        (lambda m: lambda y, k: m.input_gradient(y, k, (extent,) * 2, geometry), (y, kernel)),
        (lambda m: lambda x, y: m.kernel_gradient(x, y, (window,) * 2, geometry), (x, y)),
    ]
    for function, operands in functions:
        with jax.enable_x64(True):
            rounded = [jnp.asarray(np.float32(a), jnp.float64) for a in operands]
            exact = np.asarray(jax.jit(function(xla))(*rounded))

        def error(module, function=function, operands=operands, exact=exact):
            narrow = [jnp.asarray(a, jnp.float32) for a in operands]
            return np.linalg.norm(jax.jit(function(module))(*narrow) - exact)

        # Of n products that are added one after another, the partial sums grow as the square root
        # of their number; each is rounded to 24 bits, which adds up to sqrt(n / 6) such errors.
        products = math.prod(kernel.shape) * math.prod(y.shape[:-1]) / exact.size
        plain_sum = math.sqrt(products / 6) * 2**-24 * np.linalg.norm(exact)
        # One more rounding of the result: where lax is exact to the last bit, twice is nothing.
        last_bit = 2**-24 * np.linalg.norm(exact)
        assert error(primitives) <= max(2 * error(xla) + last_bit, plain_sum)
