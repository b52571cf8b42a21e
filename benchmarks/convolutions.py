"""Every convolution and its gradients: ours, lax's and PyTorch's, and ours inside a scan."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.shapes import Shape, three_functions
from benchmarks.side_by_side import medians
from jaxlayers import config
from jaxlayers.ops.convolution import primitives, xla
from jaxlayers.ops.convolution.cpu import selection
from jaxlayers.ops.convolution.cpu.libraries import ONEDNN, XLA
from jaxlayers.ops.convolution.cpu.onednn import availability

_SCAN_LENGTH = 4


@dataclass(frozen=True)
class Row:
    """Median seconds of one function of one convolution."""

    shape: Shape
    function: str
    algorithm: str
    flops: float
    seconds: dict[str, float]


def measure(
    shape: Shape,
    dtype: Any = jnp.float32,
    torch_device: str = "cpu",
    names: Sequence[str] = ("forward", "input gradient", "kernel gradient"),
) -> Iterator[Row]:
    """Yields a row for the forward pass and for each gradient, or for those in `names`."""
    rng = np.random.default_rng(0)
    geometry, spatial, window = shape.geometry, shape.spatial, shape.window
    x = rng.standard_normal((shape.batch, *spatial, shape.channels), np.float32)
    kernel_shape = (*window, shape.channels // geometry.groups, shape.filters)
    kernel = rng.standard_normal(kernel_shape, np.float32)
    y = rng.standard_normal((shape.batch, *shape.outputs, shape.filters), np.float32)
    flops = 2.0 * math.prod(kernel_shape) * shape.batch * math.prod(shape.outputs)
    in_torch = _in_torch(shape, x, kernel, y, dtype, torch_device)
    functions, arrays = three_functions(shape), {"x": x, "kernel": kernel, "y": y}
    for name in names:
        function, roles = functions[name]
        operands = [jnp.asarray(arrays[role], dtype) for role in roles]
        calls = {
            "ours": _compiled(function(primitives), *operands),
            "without oneDNN": _without_onednn(function, *operands),
            "lax": _compiled(function(xla), *operands),
            "torch": in_torch[name],
            "outside a scan": _compiled(_once(function(primitives)), *operands),
            "in a scan": _compiled(_repeated(function(primitives)), *operands),
        }
        seconds = medians(calls, rounds=9, seconds=3)
        seconds["in a scan"] /= _SCAN_LENGTH
        # The forward pass of a transposed convolution is the input gradient of a convolution.
        swapped = (
            {"forward": "input gradient", "input gradient": "forward"} if shape.transposed else {}
        )
        yield Row(shape, swapped.get(name, name), _algorithm(name, shape), flops, seconds)


def _algorithm(name: str, shape: Shape) -> str:
    """Returns the algorithm that the CPU selects, or nothing on another backend."""
    if jax.default_backend() != "cpu":
        return ""
    library = ONEDNN if availability.usable(config.get_cpu_convolutions()) else XLA
    select = {
        "forward": selection.forward,
        "input gradient": selection.input_gradient,
        "kernel gradient": selection.kernel_gradient,
    }[name]
    x = (shape.batch, *shape.spatial, shape.channels)
    kernel = (*shape.window, shape.channels // shape.geometry.groups, shape.filters)
    return select(x, kernel, shape.geometry, library).name


def _without_onednn(function: Callable[..., Any], *operands: Any) -> Callable[[], object]:
    chosen = config.get_cpu_convolutions()
    config.cpu_convolutions("xla")
    try:
        return _compiled(function(primitives), *operands)
    finally:
        config.cpu_convolutions(chosen)


def _compiled(function: Callable[..., Any], *operands: Any) -> Callable[[], object]:
    compiled = jax.jit(function).lower(*operands).compile()
    return lambda: jax.block_until_ready(compiled(*operands))


def _once(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function that takes one step of `_repeated`, so that only the loop differs."""
    return lambda a, b: function(a + b.ravel()[0] * 1e-30, b)


def _repeated(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(a: Any, b: Any) -> Any:
        def step(carry: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], None]:
            # Through the carry, so that XLA cannot take the work out of the loop.
            result = function(a + carry[0], b)
            return (result.ravel()[0] * 1e-30, result), None

        shape = jax.eval_shape(function, a, b)
        start = (jnp.zeros((), a.dtype), jnp.zeros(shape.shape, shape.dtype))
        return lax.scan(step, start, None, length=_SCAN_LENGTH)[0]

    return run


def _in_torch(
    shape: Shape, x: Any, kernel: Any, y: Any, dtype: Any, device: str
) -> dict[str, Callable[[], object]]:
    import torch

    rank = len(shape.spatial)
    layout = {2: torch.channels_last, 3: torch.channels_last_3d}.get(rank, torch.contiguous_format)
    torch_dtype = torch.bfloat16 if dtype == jnp.bfloat16 else torch.float32

    def tensor(array: Any) -> torch.Tensor:
        first = torch.from_numpy(np.ascontiguousarray(array)).to(device, torch_dtype)
        return first.contiguous(memory_format=layout)

    strides, pads, dilation, groups = shape.geometry
    # PyTorch pads equally on both sides; if that is not possible, the image is padded outside of
    # the measurement.
    x = np.moveaxis(x, -1, 1)
    padding = [front for front, _ in pads]
    if any(front != behind for front, behind in pads):
        x, padding = np.pad(x, [(0, 0), (0, 0), *pads]), [0] * rank
    images, outputs = tensor(x), tensor(np.moveaxis(y, -1, 1))
    weights = tensor(np.moveaxis(kernel, (-1, -2), (0, 1)))
    forward = getattr(torch.nn.functional, f"conv{rank}d")

    def backward(mask: list[bool]) -> Callable[[], object]:
        return lambda: torch.ops.aten.convolution_backward(
            outputs,
            images,
            weights,
            None,
            list(strides),
            padding,
            list(dilation),
            False,
            [0] * rank,
            groups,
            mask,
        )

    def waited(call: Callable[[], object]) -> Callable[[], object]:
        def run() -> None:
            call()
            if device != "cpu":
                torch.cuda.synchronize()

        return run

    return {
        "forward": waited(
            lambda: forward(images, weights, None, strides, padding, dilation, groups)
        ),
        "input gradient": waited(backward([True, False, False])),
        "kernel gradient": waited(backward([False, True, False])),
    }
