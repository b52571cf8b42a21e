"""A convolution and its two gradients on the CPU, each by the form that `rule` chooses.

Every form takes the same arguments and gives the same numbers, to rounding. To add one: write it
beside the others of its kind, enter it into the table below, and let `rule` name it where it
measures better.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxlayers.ops.cpu import (
    blocks,
    columns,
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

    def choose(batch: Any) -> str:
        return rule.forward((batch, *x.shape[1:]), kernel.shape, geometry)

    def compute(name: str, x: Array) -> Array:
        form, held = _FORWARD[name]
        return _each_part(lambda part: form(part, kernel, geometry), x, shapes.parts(held, x.dtype))

    return _for_its_batch(choose, compute, x)


def input_gradient(y: Array, kernel: Array, spatial: Extents, geometry: Geometry) -> Array:
    """Returns x; see `trilinear.input_gradient`."""
    shape = (y.shape[0], *spatial, kernel.shape[-2] * geometry.groups)
    shapes = _Shapes.of(shape, kernel.shape, geometry)
    if shapes.empty:
        return jnp.zeros(shape, y.dtype)

    def choose(batch: Any) -> str:
        return rule.input_gradient((batch, *shape[1:]), kernel.shape, geometry)

    def compute(name: str, y: Array) -> Array:
        form, held = _INPUT_GRADIENT[name]
        return _each_part(
            lambda part: form(part, kernel, spatial, geometry), y, shapes.parts(held, y.dtype)
        )

    return _for_its_batch(choose, compute, y)


def kernel_gradient(
    x: Array, y: Array, window: Extents, geometry: Geometry, of_groups: bool = False
) -> Array:
    """Returns the kernel; see `trilinear.kernel_gradient`, and `rule` for `of_groups`."""
    shape = (*window, x.shape[-1] // geometry.groups, y.shape[-1])
    shapes = _Shapes.of(x.shape, shape, geometry)
    if shapes.empty:
        return jnp.zeros(shape, x.dtype)
    form, held = _KERNEL_GRADIENT[rule.kernel_gradient(x.shape, shape, geometry, of_groups)]
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
        batch, size = self.x[0], dtype.itemsize
        if held is None or not isinstance(batch, int):
            return 1
        image = math.prod(self.x[1:]) + math.prod(self.y[1:])
        kernel = math.prod(self.kernel)
        return rule.parts(batch, image * size, kernel * size, held(self) * size)


# What a form holds for an image; `None` where it goes as a whole, because it is a single product
# or made of forms that are taken apart themselves.
_Held = Callable[[_Shapes], int] | None


def _nothing(shapes: _Shapes) -> int:
    return 0


def _input_patches(shapes: _Shapes) -> int:
    """Numbers an image in what all taps meet of x."""
    return math.prod(shapes.y[1:-1]) * math.prod(shapes.kernel[:-2]) * shapes.x[-1]


def _output_patches(shapes: _Shapes) -> int:
    """Numbers an image in y, moved to where each tap meets x."""
    return math.prod(shapes.x[1:-1]) * math.prod(shapes.kernel[:-2]) * shapes.y[-1]


def _input_row(shapes: _Shapes) -> int:
    """Numbers an image in what the taps of the last axis meet of x."""
    rows = math.prod(shapes.x[1:-2]) * shapes.y[-2]
    return rows * shapes.kernel[-3] * shapes.x[-1]


def _output_row(shapes: _Shapes) -> int:
    """Numbers an image in y, moved along the last axis to where each tap meets x."""
    rows = math.prod(shapes.y[1:-2]) * shapes.x[-2]
    return rows * shapes.kernel[-3] * shapes.y[-1]


def _for_its_batch(
    choose: Callable[[Any], str], compute: Callable[[str, Array], Array], images: Array
) -> Array:
    """Computes by the form that is chosen for the batch.

    Where the batch is a dimension of `jax.export` the program holds a form for few images beside
    that for many; once the batch is known, the compiler leaves one.
    """
    batch = images.shape[0]
    many = choose(batch)
    if isinstance(batch, int) or (few := choose(rule.MANY_IMAGES - 1)) == many:
        return compute(many, images)
    return lax.cond(
        jnp.asarray(batch) < rule.MANY_IMAGES,
        functools.partial(compute, few),
        functools.partial(compute, many),
        images,
    )


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
    longest = tuple(-(-n // s) for n, s in zip(spatial, geometry.strides, strict=True))
    back = input_gradient_forms.phase_kernels(kernel, outputs, spatial, geometry)

    def compute(part: Array) -> Array:
        nothing = (part.shape[0], *longest, channels)
        phases = (
            jnp.zeros(nothing, y.dtype) if way is None else forward(part, *way) for way in back
        )
        return interleave(list(phases), geometry.strides, spatial)

    if len(back) == 1:
        return compute(y)
    # In parts here, so that no kernel is turned around in a loop.
    shape = (y.shape[0], *spatial, channels)
    return _each_part(compute, y, _Shapes(shape, kernel.shape, y.shape).parts(_nothing, y.dtype))


def _forward_by_blocks(x: Array, kernel: Array, geometry: Geometry) -> Array:
    return blocks.by_blocks(forward, x, kernel, geometry, rule.CHANNELS_TOGETHER)


def _kernel_gradient_by_blocks(x: Array, y: Array, window: Extents, geometry: Geometry) -> Array:
    return blocks.kernel_gradient_by_blocks(
        functools.partial(kernel_gradient, of_groups=True),
        x,
        y,
        window,
        geometry,
        rule.CHANNELS_TOGETHER,
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
    "convolution": (forward_forms.convolution, _nothing),
    "even_convolution": (forward_forms.even_convolution, _nothing),
    "one_tap": (forward_forms.one_tap, None),
    "tap_by_tap": (forward_forms.tap_by_tap, _nothing),
    "patches": (forward_forms.patches, _input_patches),
    "row_by_row": (forward_forms.row_by_row, _input_row),
    "column_by_column": (columns.forward, _nothing),
    "shifted_sums": (forward_forms.shifted_sums, _output_patches),
    "depthwise": (depthwise.forward, None),
    "depthwise_in_parts": (depthwise.forward, _nothing),
    "blocks": (_forward_by_blocks, None),
    "planes": (functools.partial(planes.forward, forward), None),
}
_INPUT_GRADIENT: dict[str, tuple[Callable[..., Array], _Held]] = {
    "shifted_sums": (input_gradient_forms.shifted_sums, _input_patches),
    "column_by_column": (columns.input_gradient, _nothing),
    "phases": (_by_phases, None),
    "blocks": (_input_gradient_by_blocks, None),
}
_KERNEL_GRADIENT: dict[str, tuple[Callable[..., Array], _Held]] = {
    "convolution": (kernel_gradient_forms.convolution, _nothing),
    "tap_by_tap": (kernel_gradient_forms.tap_by_tap, _nothing),
    "patches": (kernel_gradient_forms.patches, _input_patches),
    "row_by_row": (kernel_gradient_forms.row_by_row, _output_row),
    "output_patches": (kernel_gradient_forms.output_patches, _output_patches),
    "depthwise": (depthwise.kernel_gradient, None),
    "depthwise_in_parts": (depthwise.kernel_gradient, _nothing),
    "blocks": (_kernel_gradient_by_blocks, None),
    "planes": (functools.partial(planes.kernel_gradient, kernel_gradient), None),
}
