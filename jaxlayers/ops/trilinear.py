"""A convolution and its two gradients, as three primitives that are each other's transposes.

A convolution is a trilinear form of an image x, a kernel and an output y: the sum of
x[position] * kernel[tap] * y[window] over all that belong together. With two of the three given
it is one of three bilinear functions:

    forward(x, kernel) -> y
    input_gradient(y, kernel) -> x          which is also the transposed convolution
    kernel_gradient(x, y) -> kernel

The derivative of any of them is made of the other two. As JAX primitives with one transposition
rule an operand they have all of autodiff: jvp, vjp, and both of those again, as often as one
likes. How each is computed is chosen when it is lowered, for the platform it is lowered for.

Shapes: x [batch, *spatial, channels], kernel [*window, channels / groups, filters],
y [batch, *windows, filters].
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir, xla
from jax.sharding import AxisType

from jaxlayers.ops import cpu, library
from jaxlayers.ops.geometry import Extents, Geometry


def forward(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """Returns y, the correlation of x with the kernel."""
    if _explicitly_sharded(x, kernel):
        return library.forward(x, kernel, geometry)
    return _bind(_forward, x, kernel, geometry, ())


def input_gradient(y: Array, kernel: Array, spatial: Extents, geometry: Geometry) -> Array:
    """Returns the x of the given spatial extents whose product with any x is y * forward(x)."""
    if _explicitly_sharded(y, kernel):
        return library.input_gradient(y, kernel, spatial, geometry)
    return _bind(_input_gradient, y, kernel, geometry, tuple(spatial))


def kernel_gradient(x: Array, y: Array, window: Extents, geometry: Geometry) -> Array:
    """Returns the kernel of the given extents whose product with any kernel is y * forward."""
    return _bind(_kernel_gradient, x, y, geometry, tuple(window))


def _bind(
    primitive: Primitive, first: Array, second: Array, geometry: Geometry, extents: Extents
) -> Array:
    first, second = _vary_alike(first, second)
    # Read here, where the caller's context is: the lowering comes later.
    precision = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    static = {"geometry": geometry, "extents": extents, "precision": precision}
    return primitive.bind(first, second, **static)


def _define(name: str, on_library: Callable[..., Array], on_cpu: Callable[..., Array]) -> Primitive:
    """Returns a bilinear primitive; its derivatives and its batching come after."""
    primitive = Primitive(name)

    def function(implementation: Callable[..., Array]) -> Callable[..., Array]:
        def compute(
            first: Array, second: Array, *, geometry: Geometry, extents: Extents, precision: Any
        ) -> Array:
            with jax.default_matmul_precision(precision):
                return implementation(first, second, *((extents,) if extents else ()), geometry)

        return compute

    library_function = function(on_library)

    @functools.cache
    def result(first: Any, second: Any, static: tuple[tuple[str, Any], ...]) -> Any:
        # What JAX says of its own convolution, sharding and all.
        traced = jax.make_jaxpr(functools.partial(library_function, **dict(static)))
        return traced(first, second).out_avals[0]

    # As JAX's own primitives: compiled, also under jax.disable_jit.
    primitive.def_impl(functools.partial(xla.apply_primitive, primitive))
    primitive.def_abstract_eval(
        lambda first, second, **static: result(first, second, tuple(static.items()))
    )
    lower = functools.partial(mlir.lower_fun, multiple_results=False)
    mlir.register_lowering(primitive, lower(library_function))
    mlir.register_lowering(primitive, lower(_in_single(function(on_cpu))), platform="cpu")
    return primitive


def _in_single(function: Callable[..., Array]) -> Callable[..., Array]:
    """Computes in float32 what is narrower: CPUs do so anyway, but would round every sum."""

    def compute(first: Array, second: Array, **static: Any) -> Array:
        if first.dtype.itemsize >= 4:
            return function(first, second, **static)
        wide = (operand.astype(jnp.float32) for operand in (first, second))
        return function(*wide, **static).astype(first.dtype)

    return compute


_forward = _define("convolution", library.forward, cpu.forward)
_input_gradient = _define("convolution_input_gradient", library.input_gradient, cpu.input_gradient)
_kernel_gradient = _define(
    "convolution_kernel_gradient", library.kernel_gradient, cpu.kernel_gradient
)


# Transposition. An operand that is transposed comes as a placeholder that knows its shape.


def _shape(placeholder: Any) -> tuple[int, ...]:
    return tuple(placeholder.aval.shape)


ad.defbilinear(
    _forward,
    lambda y, x, kernel, *, geometry, **_: input_gradient(y, kernel, _shape(x)[1:-1], geometry),
    lambda y, x, kernel, *, geometry, **_: kernel_gradient(x, y, _shape(kernel)[:-2], geometry),
)
ad.defbilinear(
    _input_gradient,
    lambda x, y, kernel, *, geometry, **_: forward(x, kernel, geometry),
    lambda x, y, kernel, *, geometry, **_: kernel_gradient(x, y, _shape(kernel)[:-2], geometry),
)
ad.defbilinear(
    _kernel_gradient,
    lambda kernel, x, y, *, geometry, **_: input_gradient(y, kernel, _shape(x)[1:-1], geometry),
    lambda kernel, x, y, *, geometry, **_: forward(x, kernel, geometry),
)


# Batching. Each two of x, kernel and y share an axis: x and y the batch, x and kernel the
# channels, kernel and y the filters. A new axis of one operand goes into the axis that this one
# shares with the result; one of both operands makes groups.

_SHARED = {
    frozenset({"x", "y"}): "batch",
    frozenset({"x", "kernel"}): "channels",
    frozenset({"kernel", "y"}): "filters",
}


def _batch_rule(primitive: Primitive, roles: tuple[str, str], result: str) -> None:
    def rule(
        operands: tuple[Array, Array], axes: tuple[Any, Any], *, geometry: Geometry, **static: Any
    ) -> tuple[Array, int]:
        mapped = [i for i, axis in enumerate(axes) if axis is not None]
        count = operands[mapped[0]].shape[axes[mapped[0]]]
        groups = geometry.groups
        if len(mapped) == 2:
            into, geometry = "groups", geometry._replace(groups=groups * count)
        else:
            into = _SHARED[frozenset({roles[mapped[0]], result})]
        merged = [
            operand if axis is None else _merge(jnp.moveaxis(operand, axis, 0), role, into, groups)
            for operand, axis, role in zip(operands, axes, roles, strict=True)
        ]
        out = primitive.bind(*merged, geometry=geometry, **static)
        return _split(out, result, into, groups, count), 0

    batching.primitive_batchers[primitive] = rule


def _merge(array: Array, role: str, into: str, groups: int) -> Array:
    """Puts the first axis of an array into one of the others."""
    count, *shape = array.shape
    if into == "batch":
        return array.reshape(count * shape[0], *shape[1:])
    if into == "channels" and role == "kernel":
        return jnp.moveaxis(array, 0, -3).reshape(*shape[:-2], count * shape[-2], shape[-1])
    if into == "groups":
        return jnp.moveaxis(array, 0, -2).reshape(*shape[:-1], count * shape[-1])
    # Channels and filters are in order of their groups: the new axis goes inside each.
    array = array.reshape(count, *shape[:-1], groups, shape[-1] // groups)
    return jnp.moveaxis(array, 0, -2).reshape(*shape[:-1], count * shape[-1])


def _split(array: Array, role: str, into: str, groups: int, count: int) -> Array:
    """Takes an axis of extent `count` out again, to the front."""
    *shape, last = array.shape
    if into == "batch":
        return array.reshape(count, shape[0] // count, *shape[1:], last)
    if into == "channels" and role == "kernel":
        array = array.reshape(*shape[:-1], count, shape[-1] // count, last)
        return jnp.moveaxis(array, -3, 0)
    if into == "groups":
        return jnp.moveaxis(array.reshape(*shape, count, last // count), -2, 0)
    array = array.reshape(*shape, groups, count, last // count // groups)
    return jnp.moveaxis(array, -2, 0).reshape(count, *shape, last // count)


_batch_rule(_forward, ("x", "kernel"), "y")
_batch_rule(_input_gradient, ("y", "kernel"), "x")
_batch_rule(_kernel_gradient, ("x", "y"), "kernel")


# Several devices. Under jit with automatic axes there is nothing to do.


def _explicitly_sharded(*arrays: Array) -> bool:
    """Whether the types of arrays say how they are sharded.

    There a derivative needs to know how its result is to be sharded, which JAX's own convolution
    does and the bilinear functions do not.
    """
    return any(AxisType.Explicit in jax.typeof(array).sharding.mesh.axis_types for array in arrays)


def _vary_alike(first: Array, second: Array) -> tuple[Array, Array]:
    """Marks both operands as varying over the mesh axes that either varies over.

    Inside shard_map one may differ from device to device while the other is the same on all.
    """
    axes = _varying(first) | _varying(second)

    def vary(array: Array) -> Array:
        missing = tuple(axes - _varying(array))
        return lax.pcast(array, missing, to="varying") if missing else array

    return vary(first), vary(second)


def _varying(array: Array) -> frozenset[str]:
    kind = getattr(jax.typeof(array), "manual_axis_type", None)
    return frozenset() if kind is None else kind.varying
