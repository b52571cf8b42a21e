"""A convolution and its two gradients on the CPU, each by the form that `rule` chooses.

Every form takes the same arguments and gives the same numbers, to rounding. To add one: write it
beside the others of its kind, enter it into the table below, and let `rule` name it where it
measures better.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops.cpu import (
    blocks,
    depthwise,
    forward_forms,
    input_gradient_forms,
    kernel_gradient_forms,
    planes,
    rule,
)
from jaxlayers.ops.geometry import Extents, Geometry
from jaxlayers.ops.phases import interleave


def forward(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """Returns y; see `trilinear.forward`."""
    shapes = _Shapes.of(x.shape, kernel.shape, geometry)
    if shapes.empty:
        return jnp.zeros(shapes.y, x.dtype)
    form, held = _FORWARD[rule.forward(x.shape, kernel.shape, geometry)]
    return _each_part(lambda part: form(part, kernel, geometry), x, shapes.parts(held, x.dtype))


def input_gradient(y: Array, kernel: Array, spatial: Extents, geometry: Geometry) -> Array:
    """Returns x; see `trilinear.input_gradient`."""
    shape = (y.shape[0], *spatial, kernel.shape[-2] * geometry.groups)
    shapes = _Shapes.of(shape, kernel.shape, geometry)
    if shapes.empty:
        return jnp.zeros(shape, y.dtype)
    form, held = _INPUT_GRADIENT[rule.input_gradient(shape, kernel.shape, geometry)]
    return _each_part(
        lambda part: form(part, kernel, spatial, geometry), y, shapes.parts(held, y.dtype)
    )


def kernel_gradient(x: Array, y: Array, window: Extents, geometry: Geometry) -> Array:
    """Returns the kernel; see `trilinear.kernel_gradient`."""
    shape = (*window, x.shape[-1] // geometry.groups, y.shape[-1])
    shapes = _Shapes.of(x.shape, shape, geometry)
    if shapes.empty:
        return jnp.zeros(shape, x.dtype)
    form, held = _KERNEL_GRADIENT[rule.kernel_gradient(x.shape, shape, geometry)]
    parts = shapes.parts(held, x.dtype)
    if parts == 1:
        return form(x, y, window, geometry)

    def add(gradient: Array, part: tuple[Array, Array]) -> tuple[Array, None]:
        return gradient + form(*part, window, geometry), None

    split = (_split(x, parts), _split(y, parts))
    return lax.scan(add, jnp.zeros(shape, x.dtype), split)[0]


class _Shapes(NamedTuple):
    """The shapes of all that belongs to a convolution."""

    x: Extents
    kernel: Extents
    y: Extents

    @classmethod
    def of(cls, x: Extents, kernel: Extents, geometry: Geometry) -> "_Shapes":
        outputs = geometry.outputs(x[1:-1], kernel[:-2])
        return cls(x, kernel, (x[0], *outputs, kernel[-1]))

    @property
    def empty(self) -> bool:
        return any(isinstance(n, int) and n == 0 for shape in self for n in shape)

    def parts(self, held: "_Held", dtype: jnp.dtype) -> int:
        """Returns into how many parts of the batch a form goes that holds `held`."""
        batch = self.x[0]
        if held is None or not isinstance(batch, int):
            return 1
        return rule.parts(batch, held(self), sum(map(math.prod, self)), dtype.itemsize)


_Held = Callable[[_Shapes], int] | None


def _input_patches(shapes: _Shapes) -> int:
    """Numbers an image in what all taps meet of x."""
    return math.prod(shapes.y[1:-1]) * math.prod(shapes.kernel[:-2]) * shapes.x[-1]


def _output_patches(shapes: _Shapes) -> int:
    """Numbers an image in y, moved to where each tap meets x."""
    return math.prod(shapes.x[1:-1]) * math.prod(shapes.kernel[:-2]) * shapes.y[-1]


def _each_part(compute: Callable[[Array], Array], images: Array, parts: int) -> Array:
    """Computes one part of the batch after the other."""
    if parts == 1:
        return compute(images)
    results = lax.map(compute, _split(images, parts))
    return results.reshape(-1, *results.shape[2:])


def _split(images: Array, parts: int) -> Array:
    return images.reshape(parts, -1, *images.shape[1:])


def _by_phases(y: Array, kernel: Array, spatial: Extents, geometry: Geometry) -> Array:
    """A forward pass for each phase of the strides; with strides 1 there is one."""
    outputs = y.shape[1:-1]
    channels = kernel.shape[-2] * geometry.groups
    longest = (-(-n // s) for n, s in zip(spatial, geometry.strides, strict=True))
    nothing = jnp.zeros((y.shape[0], *longest, channels), y.dtype)
    back = input_gradient_forms.phase_kernels(kernel, outputs, spatial, geometry)
    parts = [nothing if way is None else forward(y, *way) for way in back]
    return interleave(parts, geometry.strides, spatial)


def _forward_by_blocks(x: Array, kernel: Array, geometry: Geometry) -> Array:
    return blocks.by_blocks(forward, x, kernel, geometry, rule.CHANNELS_TOGETHER)


def _kernel_gradient_by_blocks(x: Array, y: Array, window: Extents, geometry: Geometry) -> Array:
    return blocks.kernel_gradient_by_blocks(
        kernel_gradient, x, y, window, geometry, rule.CHANNELS_TOGETHER
    )


def _input_gradient_by_blocks(
    y: Array, kernel: Array, spatial: Extents, geometry: Geometry
) -> Array:
    return blocks.by_blocks(
        lambda y, kernel, geometry: input_gradient(y, kernel, spatial, geometry),
        y,
        kernel,
        geometry,
        rule.CHANNELS_TOGETHER,
    )


# The forms by the names that `rule` gives them, with what they hold beside operands and result.

_FORWARD: dict[str, tuple[Callable[..., Array], _Held]] = {
    "convolution": (forward_forms.convolution, None),
    "one_tap": (forward_forms.one_tap, None),
    "tap_by_tap": (forward_forms.tap_by_tap, None),
    "patches": (forward_forms.patches, _input_patches),
    "row_by_row": (forward_forms.row_by_row, _input_patches),
    "shifted_sums": (forward_forms.shifted_sums, _output_patches),
    "depthwise": (depthwise.forward, None),
    "blocks": (_forward_by_blocks, None),
    "planes": (functools.partial(planes.forward, forward), None),
}
_INPUT_GRADIENT: dict[str, tuple[Callable[..., Array], _Held]] = {
    "shifted_sums": (input_gradient_forms.shifted_sums, _input_patches),
    "phases": (_by_phases, None),
    "blocks": (_input_gradient_by_blocks, None),
}
_KERNEL_GRADIENT: dict[str, tuple[Callable[..., Array], _Held]] = {
    "convolution": (kernel_gradient_forms.convolution, None),
    "tap_by_tap": (kernel_gradient_forms.tap_by_tap, None),
    "patches": (kernel_gradient_forms.patches, _input_patches),
    "output_patches": (kernel_gradient_forms.output_patches, _output_patches),
    "depthwise": (depthwise.kernel_gradient, None),
    "blocks": (_kernel_gradient_by_blocks, None),
    "planes": (functools.partial(planes.kernel_gradient, kernel_gradient), None),
}
