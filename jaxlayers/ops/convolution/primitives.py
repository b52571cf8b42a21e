"""A convolution and its two gradients, as three JAX primitives that are each other's transposes.

The product of a convolution of x by a kernel with any y is the sum of
x[position] * kernel[tap] * y[window] over all windows and taps. It is linear in each of the three.
With two of them given it is one of three bilinear functions:

    forward(x, kernel) -> y
    input_gradient(y, kernel) -> x          also the transposed convolution
    kernel_gradient(x, y) -> kernel

The derivatives of each are the other two. With one transposition rule per operand the primitives
support forward and reverse mode to any order. The algorithm is selected when a primitive is
lowered, for the platform that it is lowered for.

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
from jax.interpreters import ad, batching, mlir
from jax.interpreters.xla import apply_primitive
from jax.sharding import AxisType

from jaxlayers import config
from jaxlayers.ops.convolution import xla
from jaxlayers.ops.convolution.cpu import dispatch
from jaxlayers.ops.convolution.cpu.libraries import ONEDNN, XLA
from jaxlayers.ops.convolution.cpu.onednn import availability
from jaxlayers.ops.convolution.geometry import Extents, Geometry


def forward(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """Returns y, the correlation of x with the kernel."""
    if _explicitly_sharded(x, kernel):
        return xla.forward(x, kernel, geometry)
    return _bind(_forward, x, kernel, geometry, ())


def input_gradient(y: Array, kernel: Array, spatial: Extents, geometry: Geometry) -> Array:
    """Returns the gradient of sum(y * forward(x, kernel)) with respect to an x of `spatial`."""
    if _explicitly_sharded(y, kernel):
        return xla.input_gradient(y, kernel, spatial, geometry)
    return _bind(_input_gradient, y, kernel, geometry, tuple(spatial))


def kernel_gradient(x: Array, y: Array, window: Extents, geometry: Geometry) -> Array:
    """Returns the gradient of sum(y * forward(x, kernel)) with respect to a kernel of `window`."""
    return _bind(_kernel_gradient, x, y, geometry, tuple(window))


def _bind(
    primitive: Primitive, first: Array, second: Array, geometry: Geometry, extents: Extents
) -> Array:
    first, second = _vary_over_same_axes(first, second)
    # Read in the context of the caller: the lowering comes later.
    precision = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    result: Array = primitive.bind(
        first,
        second,
        geometry=geometry,
        extents=extents,
        precision=precision,
        cpu_library=config.get_cpu_convolutions(),
    )
    return result


def _define(
    name: str, on_accelerators: Callable[..., Array], on_cpu: Callable[..., Array]
) -> Primitive:
    """Returns a bilinear primitive without its rules of differentiation and batching."""
    primitive = Primitive(name)

    def function(implementation: Callable[..., Array]) -> Callable[..., Array]:
        def compute(
            first: Array,
            second: Array,
            *,
            geometry: Geometry,
            extents: Extents,
            precision: Any,
            cpu_library: str,
        ) -> Array:
            with jax.default_matmul_precision(precision):
                return implementation(first, second, *((extents,) if extents else ()), geometry)

        return compute

    xla_function = function(on_accelerators)

    @functools.cache
    def result(first: Any, second: Any, static: tuple[tuple[str, Any], ...]) -> Any:
        # Shape, dtype and sharding are those of JAX's own convolution.
        traced = jax.make_jaxpr(functools.partial(xla_function, **dict(static)))
        return traced(first, second).out_avals[0]

    # As JAX's own primitives: compiled, also under jax.disable_jit.
    primitive.def_impl(functools.partial(apply_primitive, primitive))
    primitive.def_abstract_eval(
        lambda first, second, **static: result(first, second, tuple(static.items()))
    )

    def lower_on_cpu(context: Any, *operands: Any, cpu_library: str, **static: Any) -> Any:
        onednn = _may_use_onednn(context.module_context, cpu_library)
        implementation = functools.partial(on_cpu, library=ONEDNN if onednn else XLA)
        lower = mlir.lower_fun(_in_float32(function(implementation)), multiple_results=False)
        return lower(context, *operands, cpu_library=cpu_library, **static)

    mlir.register_lowering(primitive, mlir.lower_fun(xla_function, multiple_results=False))
    mlir.register_lowering(primitive, lower_on_cpu, platform="cpu")
    return primitive


def _may_use_onednn(module_context: Any, cpu_library: str) -> bool:
    """Whether a module may contain oneDNN's custom calls.

    An exported module may be run by another version of XLA, and XLA's partitioner cannot divide a
    custom call among devices.
    """
    parameters, axes = module_context.lowering_parameters, module_context.axis_context
    one_device = getattr(axes, "num_devices", None) == 1
    one_device |= hasattr(axes, "mesh") and axes.manual_axes == frozenset(axes.mesh.axis_names)
    exported = getattr(parameters, "for_export", True)
    return one_device and not exported and availability.usable(cpu_library)


def _in_float32(function: Callable[..., Array]) -> Callable[..., Array]:
    """Computes narrower types in float32: CPUs do so anyway, but would round every sum."""

    def compute(first: Array, second: Array, **static: Any) -> Array:
        if first.dtype.itemsize >= 4:
            return function(first, second, **static)
        wide = (operand.astype(jnp.float32) for operand in (first, second))
        return function(*wide, **static).astype(first.dtype)

    return compute


_forward = _define("convolution", xla.forward, dispatch.forward)
_input_gradient = _define("convolution_input_gradient", xla.input_gradient, dispatch.input_gradient)
_kernel_gradient = _define(
    "convolution_kernel_gradient", xla.kernel_gradient, dispatch.kernel_gradient
)


# Transposition. The operand with respect to which a function is transposed is a placeholder with
# a shape.


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


# Batching. Any two of x, kernel and y share an axis: x and y the batch, x and kernel the channels,
# kernel and y the filters. A mapped axis of one operand is merged into the axis that this operand
# shares with the result; one of both operands becomes groups.

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
    """Merges the first axis of an array into another."""
    count, *shape = array.shape
    if into == "batch":
        return array.reshape(count * shape[0], *shape[1:])
    if into == "channels" and role == "kernel":
        return jnp.moveaxis(array, 0, -3).reshape(*shape[:-2], count * shape[-2], shape[-1])
    if into == "groups":
        return jnp.moveaxis(array, 0, -2).reshape(*shape[:-1], count * shape[-1])
    # Channels and filters are ordered by group: the new axis goes inside of each group.
    array = array.reshape(count, *shape[:-1], groups, shape[-1] // groups)
    return jnp.moveaxis(array, 0, -2).reshape(*shape[:-1], count * shape[-1])


def _split(array: Array, role: str, into: str, groups: int, count: int) -> Array:
    """Moves a merged axis of extent `count` to the front."""
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


def _vary_over_same_axes(first: Array, second: Array) -> tuple[Array, Array]:
    """Marks both operands as varying over the mesh axes that either varies over.

    Inside shard_map one may vary over the devices while the other is replicated.
    """
    axes = _varying(first) | _varying(second)

    def vary(array: Array) -> Array:
        missing = tuple(axes - _varying(array))
        return lax.pcast(array, missing, to="varying") if missing else array

    return vary(first), vary(second)


def _varying(array: Array) -> frozenset[str]:
    kind = getattr(jax.typeof(array), "manual_axis_type", None)
    return frozenset() if kind is None else kind.varying
