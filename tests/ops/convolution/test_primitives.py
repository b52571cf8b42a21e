"""The three functions of a convolution against NumPy, their derivatives and their batching."""

import itertools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxlayers.ops.convolution import primitives, xla
from jaxlayers.ops.convolution.cpu import selection
from jaxlayers.ops.convolution.geometry import Geometry


@dataclass(frozen=True)
class Case:
    """A geometry and random operands for it."""

    geometry: Geometry
    x: np.ndarray
    kernel: np.ndarray
    y: np.ndarray


def taps_of_numpy(case: Case):
    """Yields each tap with the view of a padded x that it reads."""
    strides, padding, dilation, _ = case.geometry
    padded = np.pad(case.x, [(0, 0), *((max(a, 0), max(b, 0)) for a, b in padding), (0, 0)])
    crop = [
        slice(max(-a, 0), n - max(-b, 0))
        for (a, b), n in zip(padding, padded.shape[1:-1], strict=True)
    ]
    padded = padded[(slice(None), *crop)]
    windows = case.y.shape[1:-1]
    for tap in itertools.product(*map(range, case.kernel.shape[:-2])):
        where = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, dilation, windows, strides, strict=True)
        )
        yield tap, padded, (slice(None), *where)


def grouped(array: np.ndarray, groups: int) -> np.ndarray:
    return array.reshape(*array.shape[:-1], groups, -1)


def numpy_forward(case: Case) -> np.ndarray:
    g = case.geometry.groups
    y = np.zeros_like(grouped(case.y, g))
    for tap, padded, where in taps_of_numpy(case):
        y += np.einsum("...gc,cgo->...go", grouped(padded[where], g), grouped(case.kernel[tap], g))
    return y.reshape(case.y.shape)


def numpy_kernel_gradient(case: Case) -> np.ndarray:
    g = case.geometry.groups
    kernel = np.zeros_like(case.kernel)
    for tap, padded, where in taps_of_numpy(case):
        x, y = grouped(padded[where], g), grouped(case.y, g)
        gradient = np.einsum(
            "mgc,mgo->cgo", x.reshape(-1, *x.shape[-2:]), y.reshape(-1, *y.shape[-2:])
        )
        kernel[tap] = gradient.reshape(kernel[tap].shape)
    return kernel


def numpy_input_gradient(case: Case) -> np.ndarray:
    """Scatters the terms of each tap into a padded image, and removes the padding."""
    g, padding = case.geometry.groups, case.geometry.padding
    spatial = case.x.shape[1:-1]
    axes = list(zip(spatial, padding, strict=True))
    extents = [extent + max(before, 0) + max(after, 0) for extent, (before, after) in axes]
    whole = np.zeros((len(case.x), *extents, case.x.shape[-1]))
    # Negative padding crops: the taps read this view.
    cropped = whole[
        (
            slice(None),
            *(
                slice(max(-before, 0), extent - max(-after, 0))
                for extent, (before, after) in zip(extents, padding, strict=True)
            ),
        )
    ]
    for tap, _, where in taps_of_numpy(case):
        terms = np.einsum("...go,cgo->...gc", grouped(case.y, g), grouped(case.kernel[tap], g))
        cropped[where] += terms.reshape(cropped[where].shape)
    image = (slice(max(before, 0), max(before, 0) + extent) for extent, (before, _) in axes)
    return whole[(slice(None), *image)]


def make(geometry: Geometry, spatial, window, channels, filters, batch, seed=0) -> Case:
    rng = np.random.default_rng(seed)
    g = geometry.groups
    outputs = geometry.outputs(tuple(spatial), tuple(window))
    return Case(
        geometry,
        rng.standard_normal((batch, *spatial, channels * g)),
        rng.standard_normal((*window, channels, filters * g)),
        rng.standard_normal((batch, *outputs, filters * g)),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rank = draw(st.integers(1, 3))

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    dilation, window, strides = each(1, 3), each(1, 4), each(1, 3)
    padding = tuple(zip(each(-1, 3), each(-1, 3), strict=True))
    spans = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
    spatial = tuple(
        max(draw(st.integers(1, 6)), 3 - a - b, span - a - b)
        for span, (a, b) in zip(spans, padding, strict=True)
    )
    geometry = Geometry(strides, padding, dilation, draw(st.sampled_from([1, 1, 1, 2, 3])))
    channels, filters = draw(st.sampled_from([1, 2, 5])), draw(st.sampled_from([1, 2, 4]))
    return make(geometry, spatial, window, channels, filters, draw(st.integers(1, 3)))


def all_three(case: Case, module=primitives):
    """Results of the three functions, by name, in float64."""
    spatial, window = case.x.shape[1:-1], case.kernel.shape[:-2]

    @jax.jit
    def results(x, kernel, y):
        return {
            "forward": module.forward(x, kernel, case.geometry),
            "input_gradient": module.input_gradient(y, kernel, spatial, case.geometry),
            "kernel_gradient": module.kernel_gradient(x, y, window, case.geometry),
        }

    with jax.enable_x64(True):
        return results(case.x, case.kernel, case.y)


def assert_agrees_with_numpy(case: Case, module=primitives) -> None:
    ours = all_three(case, module)
    close = {"rtol": 1e-9, "atol": 1e-9}
    np.testing.assert_allclose(ours["forward"], numpy_forward(case), **close)
    np.testing.assert_allclose(ours["kernel_gradient"], numpy_kernel_gradient(case), **close)
    np.testing.assert_allclose(ours["input_gradient"], numpy_input_gradient(case), **close)


@settings(max_examples=40)
@given(case=cases())
def test_all_three_functions_agree_with_numpy(case) -> None:
    assert_agrees_with_numpy(case)


@pytest.mark.slow
@settings(max_examples=400)
@given(case=cases())
def test_all_three_functions_agree_with_numpy_in_many_configurations(case) -> None:
    assert_agrees_with_numpy(case)


G = Geometry
CHOSEN = {
    "kernel larger than the image": (G((1, 1), ((2, 2), (2, 2)), (1, 1)), (4, 4), (5, 5), 3, 4, 2),
    "few positions, many images": (G((1, 1), ((2, 2), (2, 2)), (1, 1)), (4, 4), (5, 5), 3, 4, 70),
    "few positions, strided, many images": (
        G((2, 1), ((3, 0), (1, 1)), (1, 1)),
        (6, 3),
        (4, 3),
        3,
        4,
        600,
    ),
    "strided, few positions": (G((2, 2), ((1, 2), (1, 2)), (1, 1)), (7, 7), (5, 5), 3, 4, 2),
    "many positions": (G((1, 1), ((1, 1), (1, 1)), (1, 1)), (9, 8), (3, 3), 3, 4, 5),
    "phases that no tap reaches": (G((3, 2), ((0, 0), (0, 0)), (1, 1)), (17, 12), (2, 1), 3, 4, 9),
    "taps that only read padding": (G((1, 1), ((4, 0), (0, 4)), (1, 1)), (2, 2), (5, 5), 3, 4, 2),
    "one output channel": (G((1, 1), ((2, 2), (2, 2)), (1, 1)), (9, 9), (5, 5), 6, 1, 3),
    "one input channel": (G((2, 2), ((1, 2), (1, 2)), (1, 1)), (12, 12), (5, 5), 1, 6, 3),
    "depthwise": (G((2, 2), ((1, 1), (1, 1)), (1, 1), 6), (8, 9), (3, 3), 1, 1, 3),
    "depthwise with a multiplier": (
        G((1, 1), ((1, 1), (1, 1)), (1, 1), 4),
        (8, 9),
        (3, 3),
        1,
        2,
        3,
    ),
    "grouped, wide": (G((1, 1), ((1, 1), (1, 1)), (1, 1), 4), (6, 7), (3, 3), 20, 3, 3),
    "one tap with strides": (G((2, 2), ((0, 0), (0, 0)), (1, 1)), (8, 9), (1, 1), 5, 4, 3),
    "volume": (G((1, 2, 1), ((1, 1), (0, 1), (1, 1)), (1, 1, 1)), (5, 6, 5), (3, 2, 3), 2, 3, 2),
    "dilated sequence": (G((1,), ((4, 0),), (2,)), (30,), (3,), 4, 5, 3),
    "cropped": (G((1, 1), ((-1, 2), (2, -1)), (1, 1)), (7, 7), (3, 3), 2, 3, 3),
}


@pytest.mark.optimized
@pytest.mark.parametrize("name", CHOSEN)
def test_chosen_shapes_agree_with_numpy(name) -> None:
    assert_agrees_with_numpy(make(*CHOSEN[name]))


# XLA's compiler for CPUs aborts the process for some windows that exceed the image.
UNSAFE = {
    "kernel larger than the image",
    "few positions, many images",
    "taps that only read padding",
}
SAFE = sorted(set(CHOSEN) - UNSAFE)


@pytest.mark.parametrize("name", SAFE)
def test_the_lowering_of_other_platforms_agrees_with_numpy(name) -> None:
    assert_agrees_with_numpy(make(*CHOSEN[name]), xla)


@pytest.fixture
def tiny_chunks(monkeypatch):
    monkeypatch.setattr(selection, "MOST_BYTES", 1)
    monkeypatch.setattr(selection, "CHUNK_BYTES", 1)
    jax.clear_caches()
    yield
    jax.clear_caches()


SAME_5 = G((1, 1), ((2, 2), (2, 2)), (1, 1))
IN_CHUNKS = {
    "patches of few images": (SAME_5, (3, 3), (5, 5), 3, 4, 6),
    "an odd number of channels": (SAME_5, (7, 7), (5, 5), 3, 20, 6),
    "a convolution": (SAME_5, (9, 8), (3, 2), 4, 4, 6),
    "a prime batch": (SAME_5, (3, 3), (5, 5), 3, 1, 7),
    "columns of many images": (SAME_5, (4, 3), (5, 3), 3, 4, 64),
    "strides": (G((2, 2), ((1, 2), (0, 1)), (1, 1)), (13, 9), (5, 3), 3, 4, 6),
    "depthwise": (G((2, 2), ((1, 2), (0, 1)), (1, 1), 4), (9, 9), (3, 3), 1, 4, 6),
}


@pytest.mark.optimized
@pytest.mark.parametrize("case", IN_CHUNKS.values(), ids=IN_CHUNKS)
def test_the_batch_is_divided_into_chunks(tiny_chunks, case) -> None:
    made = make(*case)
    assert_agrees_with_numpy(made)
    text = (
        jax.jit(
            lambda x, y: primitives.kernel_gradient(x, y, made.kernel.shape[:-2], made.geometry)
        )
        .lower(made.x, made.y)
        .as_text()
    )
    assert "while" in text


# Derivatives and batching: what JAX's own convolution gives.

GEOMETRY = Geometry((2, 1), ((1, 2), (0, 1)), (1, 1), 2)
SPATIAL, WINDOW = (7, 6), (3, 2)
FUNCTIONS = {
    "forward": lambda m: lambda x, k: m.forward(x, k, GEOMETRY),
    "input_gradient": lambda m: lambda y, k: m.input_gradient(y, k, SPATIAL, GEOMETRY),
    "kernel_gradient": lambda m: lambda x, y: m.kernel_gradient(x, y, WINDOW, GEOMETRY),
}


def operands(name: str, leading: tuple[int, ...] = ()):
    case = make(GEOMETRY, SPATIAL, WINDOW, 2, 3, 3)
    shapes = {"x": case.x.shape, "kernel": case.kernel.shape, "y": case.y.shape}
    roles = {"forward": "x kernel", "input_gradient": "y kernel", "kernel_gradient": "x y"}
    rng = np.random.default_rng(2)
    return [jnp.asarray(rng.standard_normal((*leading, *shapes[r]))) for r in roles[name].split()]


def assert_same(ours, theirs) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("which", [0, 1])
def test_derivatives_of_all_orders_and_modes(name, which) -> None:
    with jax.enable_x64(True):
        a, b = operands(name)

        def results(module):
            def loss(a, b):
                return jnp.sum(jnp.tanh(FUNCTIONS[name](module)(a, b)) ** 2)

            gradient = jax.grad(loss, which)
            norm = lambda a, b: jnp.sum(gradient(a, b) ** 2)  # noqa: E731
            yield gradient(a, b)
            yield jax.jvp(loss, (a, b), (b.sum() * a, a.sum() * b))[1]
            yield from jax.jit(jax.grad(norm, (0, 1)))(a, b)  # reverse over reverse
            yield jax.jvp(gradient, (a, b), (a, b))[1]  # forward over reverse
            yield jax.grad(lambda a: jax.jvp(lambda a: loss(a, b), (a,), (a,))[1])(a)

        for ours, theirs in zip(results(primitives), results(xla), strict=True):
            assert_same(ours, theirs)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (1, 2)])
def test_batching_over_either_operand_and_over_both(name, axes) -> None:
    with jax.enable_x64(True):
        inputs = [
            jnp.moveaxis(operand, 0, axis) if axis else operand if axis == 0 else operand[0]
            for operand, axis in zip(operands(name, (5,)), axes, strict=True)
        ]
        ours = jax.vmap(FUNCTIONS[name](primitives), axes)(*inputs)
        assert_same(ours, jax.vmap(FUNCTIONS[name](xla), axes)(*inputs))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_batching_twice(name) -> None:
    with jax.enable_x64(True):
        a, b = operands(name, (4,))
        twice = lambda f: jax.vmap(jax.vmap(f, (0, None)), (None, 0))  # noqa: E731
        assert_same(twice(FUNCTIONS[name](primitives))(a, b), twice(FUNCTIONS[name](xla))(a, b))


def test_a_loop_gives_what_its_steps_give() -> None:
    with jax.enable_x64(True):
        x, kernel = operands("forward")

        def step(x, _):
            y = FUNCTIONS["forward"](primitives)(x, kernel)
            return x + jnp.tanh(y).sum(), y

        _, outputs = jax.lax.scan(step, x, None, length=3)
        for y in outputs:
            assert_same(y, FUNCTIONS["forward"](xla)(x, kernel))
            x, _ = step(x, None)


def test_other_platforms_are_lowered_to_one_xla_convolution() -> None:
    x, kernel = (jnp.ones((2, 4, 4, 3)), jnp.ones((5, 5, 3, 4)))
    geometry = Geometry((1, 1), ((2, 2), (2, 2)), (1, 1))
    function = jax.jit(lambda x, k: primitives.forward(x, k, geometry))
    text = {
        p: function.trace(x, kernel).lower(lowering_platforms=(p,)).as_text()
        for p in ("cpu", "cuda", "tpu")
    }
    assert "stablehlo.convolution" in text["cuda"]
    assert "stablehlo.convolution" in text["tpu"]
    assert "stablehlo.convolution" not in text["cpu"]  # im2col, for so few positions


def test_the_precision_of_the_context_is_kept() -> None:
    x, kernel = jnp.ones((2, 4, 4, 3)), jnp.ones((3, 3, 3, 4))
    geometry = Geometry((1, 1), ((1, 1), (1, 1)), (1, 1))
    with jax.default_matmul_precision("highest"):
        traced = jax.jit(lambda x, k: primitives.forward(x, k, geometry)).trace(x, kernel)
    assert "HIGHEST" in traced.lower(lowering_platforms=("cuda",)).as_text()


def test_a_narrow_dtype_is_summed_in_single_precision_on_the_cpu() -> None:
    geometry = Geometry((1, 1), ((2, 2), (2, 2)), (1, 1))
    case = make(geometry, (4, 4), (5, 5), 64, 3, 2)
    x, kernel = jnp.asarray(case.x, jnp.bfloat16), jnp.asarray(case.kernel, jnp.bfloat16)
    y = primitives.forward(x, kernel, geometry)
    exact = Case(geometry, np.asarray(x, np.float64), np.asarray(kernel, np.float64), case.y)
    # One rounding to bfloat16, which keeps 8 bits; rounding each of 25 sums would lose 3 more.
    error = np.asarray(y, np.float64) - numpy_forward(exact)
    assert y.dtype == jnp.bfloat16
    assert np.linalg.norm(error) < 2**-8 * np.linalg.norm(numpy_forward(exact))
