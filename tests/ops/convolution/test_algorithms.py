"""Every algorithm of the CPU tables against NumPy, by direct call, and the shapes that select it.

The cases are asymmetric: extents, windows, strides, dilations and padding differ between the axes
wherever the algorithm admits it.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers.ops.convolution.cpu import dispatch, selection
from jaxlayers.ops.convolution.cpu.algorithms import Forward, InputGradient, KernelGradient
from jaxlayers.ops.convolution.cpu.libraries import ONEDNN, XLA, Library
from jaxlayers.ops.convolution.cpu.onednn import availability
from jaxlayers.ops.convolution.geometry import Geometry
from tests.ops.convolution.test_primitives import (
    Case,
    make,
    numpy_forward,
    numpy_input_gradient,
    numpy_kernel_gradient,
)

# Geometry, spatial, window, channels and filters per group, batch.
STRIDED = (Geometry((2, 1), ((1, 2), (0, 1)), (1, 2)), (7, 8), (3, 2), 3, 5, 2)
PADDED = (Geometry((1, 2), ((3, 0), (1, 2)), (2, 1)), (4, 5), (3, 4), 3, 5, 2)
CROPPED = (Geometry((1, 1), ((-1, 2), (2, -1)), (1, 1)), (7, 6), (3, 2), 3, 2, 3)
SEQUENCE = (Geometry((3,), ((2, 1),), (2,)), (17,), (4,), 3, 2, 2)
VOLUME = (Geometry((1, 2, 1), ((1, 2), (0, 1), (2, 0)), (2, 1, 1)), (5, 6, 4), (2, 3, 2), 2, 3, 2)
ONE_TAP = (Geometry((2, 3), ((1, 0), (0, 2)), (1, 1)), (8, 7), (1, 1), 3, 5, 2)
# Two groups are computed together, and there are three pairs of them.
GROUPED = (Geometry((2, 1), ((1, 2), (0, 1)), (1, 2), 6), (7, 6), (3, 2), 17, 3, 2)
GROUPED_VOLUME = (VOLUME[0]._replace(groups=2), *VOLUME[1:])
DEPTHWISE = (Geometry((2, 1), ((1, 2), (0, 1)), (1, 2), 5), (7, 8), (3, 2), 1, 1, 2)
MULTIPLIER = (Geometry((1, 2), ((2, 0), (1, 1)), (2, 1), 5), (7, 8), (3, 2), 1, 3, 2)
# The last step of the strides is not full, and images end before it does, or after it.
STEPS = (Geometry((2, 3), ((1, 2), (-1, 1)), (1, 1)), (7, 11), (3, 4), 2, 5, 2)
STEPS_OF_SEQUENCE = (Geometry((3,), ((2, 1),), (1,)), (17,), (2,), 3, 2, 2)
ONE_CHANNEL_CASES = [(*case[:3], 1, *case[4:]) for case in (STRIDED, PADDED, SEQUENCE, VOLUME)]
# Phases that no tap reaches, and a window shorter than a stride.
GAPS = (Geometry((3, 2), ((0, 1), (1, 0)), (1, 1)), (11, 9), (2, 1), 3, 5, 2)

IMAGES = [STRIDED, PADDED, CROPPED, SEQUENCE]
PLAIN = [*IMAGES, VOLUME]
FORWARD = {
    Forward.CONVOLUTION: PLAIN,
    Forward.CONVOLUTION_IN_CHUNKS: PLAIN,
    Forward.ONE_TAP: [ONE_TAP],
    Forward.TAP_BY_TAP: PLAIN,
    Forward.IM2COL: PLAIN,
    Forward.SHIFTED_SUMS: PLAIN,
    Forward.DEPTHWISE: [DEPTHWISE, MULTIPLIER],
    Forward.GROUPED: [GROUPED, MULTIPLIER, GROUPED_VOLUME],
    Forward.PER_DEPTH: [VOLUME],
}
INPUT_GRADIENT = {
    InputGradient.SHIFTED_SUMS: PLAIN,
    InputGradient.PHASES: [*PLAIN, GAPS, DEPTHWISE],
    InputGradient.DILATED_OUTPUT: [*PLAIN, GAPS, DEPTHWISE, MULTIPLIER, GROUPED],
    InputGradient.GROUPED: [GROUPED, MULTIPLIER, GROUPED_VOLUME],
}
KERNEL_GRADIENT = {
    KernelGradient.CONVOLUTION: [*PLAIN, GROUPED, MULTIPLIER, GROUPED_VOLUME],
    KernelGradient.CHANNELS_AS_AXIS: IMAGES,
    KernelGradient.ONE_TAP: [ONE_TAP],
    KernelGradient.TAP_BY_TAP: PLAIN,
    KernelGradient.IM2COL: PLAIN,
    KernelGradient.IM2COL_TAPS_FIRST: ONE_CHANNEL_CASES,
    KernelGradient.ROW_BY_ROW: PLAIN,
    KernelGradient.OUTPUT_PATCHES: PLAIN,
    KernelGradient.DEPTHWISE: [DEPTHWISE, MULTIPLIER],
    KernelGradient.GROUPED: [GROUPED, MULTIPLIER, GROUPED_VOLUME],
    KernelGradient.SPACE_TO_DEPTH: [STEPS, STEPS_OF_SEQUENCE],
    KernelGradient.PER_DEPTH: [VOLUME],
}


def compute(
    algorithm: Forward | InputGradient | KernelGradient, case: Case, library: Library = XLA
) -> jax.Array:
    """The result of an algorithm, compiled, in float64 for XLA and in float32 for oneDNN."""
    geometry, spatial, window = case.geometry, case.x.shape[1:-1], case.kernel.shape[:-2]
    with jax.enable_x64(library is XLA), jax.numpy_rank_promotion("raise"):
        x, kernel, y = map(jnp.asarray, (case.x, case.kernel, case.y))
        if isinstance(algorithm, Forward):
            run = jax.jit(
                lambda x, kernel: dispatch.run_forward(algorithm, x, kernel, geometry, library)
            )
            return run(x, kernel)
        if isinstance(algorithm, InputGradient):
            run = jax.jit(
                lambda y, kernel: dispatch.run_input_gradient(
                    algorithm, y, kernel, spatial, geometry, library
                )
            )
            return run(y, kernel)
        run = jax.jit(
            lambda x, y: dispatch.run_kernel_gradient(algorithm, x, y, window, geometry, library)
        )
        return run(x, y)


def expected(algorithm: Forward | InputGradient | KernelGradient, case: Case) -> np.ndarray:
    if isinstance(algorithm, Forward):
        return numpy_forward(case)
    if isinstance(algorithm, InputGradient):
        return numpy_input_gradient(case)
    return numpy_kernel_gradient(case)


TABLES = [(Forward, FORWARD), (InputGradient, INPUT_GRADIENT), (KernelGradient, KERNEL_GRADIENT)]
CASES = [
    pytest.param(algorithm, case, id=f"{type(algorithm).__name__}.{algorithm.name}-{number}")
    for _, cases in TABLES
    for algorithm in cases
    for number, case in enumerate(cases[algorithm])
]


def test_every_algorithm_of_the_tables_has_cases() -> None:
    for table, cases in TABLES:
        assert set(cases) == set(table)
        assert all(cases.values())
        # An Enum makes equal members one: none of the names may be an alias.
        assert len(table.__members__) == len(list(table))


@pytest.mark.optimized
@pytest.mark.parametrize(("algorithm", "case"), CASES)
def test_every_algorithm_agrees_with_numpy(algorithm, case) -> None:
    made = make(*case)
    # Both are sums of at most some hundred float64 products.
    np.testing.assert_allclose(
        compute(algorithm, made, XLA), expected(algorithm, made), rtol=1e-10, atol=1e-10
    )


@pytest.mark.optimized
@pytest.mark.skipif(not availability.usable("auto"), reason="oneDNN cannot be used here")
@pytest.mark.parametrize(("algorithm", "case"), CASES)
def test_every_algorithm_agrees_with_numpy_by_onednn(algorithm, case) -> None:
    made = make(*case)
    # Sums of at most some hundred float32 products.
    np.testing.assert_allclose(
        compute(algorithm, made, ONEDNN), expected(algorithm, made), rtol=1e-4, atol=1e-4
    )


SAME_3, SAME_5 = ((1, 1), (1, 1)), ((2, 2), (2, 2))
VALID = ((0, 0), (0, 0))
ONES = (1, 1)
# The image, the kernel, the geometry: what each algorithm is for.
SEPARABLE = ((64, 14, 14, 256), (3, 3, 1, 256), Geometry(ONES, SAME_3, ONES, 256))
STRIDED_SEPARABLE = (*SEPARABLE[:2], Geometry((2, 2), SAME_3, ONES, 256))
STEM = ((8, 224, 224, 3), (7, 7, 3, 64), Geometry((2, 2), ((2, 3), (2, 3)), ONES))
FOUR_GROUPS = ((16, 28, 28, 128), (3, 3, 32, 128), Geometry(ONES, SAME_3, ONES, 4))
MANY_IN_VOLUME = ((8, 16, 16, 16, 16), (3, 3, 3, 16, 16))
PLAIN_VOLUME = (*MANY_IN_VOLUME, Geometry((1, 1, 1), ((1, 1),) * 3, (1, 1, 1)))
HALVED = ((64, 14, 14, 64), (5, 5, 64, 128), Geometry((2, 2), SAME_5, ONES))
LENET = ((64, 26, 26, 32), (3, 3, 32, 64), Geometry(ONES, VALID, ONES))
POINTWISE = ((16, 56, 56, 256), (1, 1, 256, 64), Geometry(ONES, VALID, ONES))
ONE_FILTER = ((64, 28, 28, 32), (5, 5, 32, 1), Geometry(ONES, SAME_5, ONES))
ONE_CHANNEL = ((64, 28, 28, 1), (3, 3, 1, 32), Geometry(ONES, VALID, ONES))
ONE_STRIDED_CHANNEL = ((64, 28, 28, 1), (5, 5, 1, 64), Geometry((2, 2), SAME_5, ONES))
FEW_POSITIONS = ((64, 4, 4, 256), (5, 5, 256, 512), Geometry(ONES, SAME_5, ONES))
ONE_SMALL_IMAGE = ((1, 7, 7, 512), (3, 3, 512, 512), Geometry(ONES, SAME_3, ONES))
SELECTED_BY_XLA = {
    Forward.CONVOLUTION_IN_CHUNKS: LENET,
    Forward.ONE_TAP: POINTWISE,
    Forward.TAP_BY_TAP: ONE_CHANNEL,
    Forward.IM2COL: FEW_POSITIONS,
    Forward.SHIFTED_SUMS: ONE_FILTER,
    Forward.DEPTHWISE: SEPARABLE,
    Forward.GROUPED: FOUR_GROUPS,
    Forward.PER_DEPTH: PLAIN_VOLUME,
    InputGradient.SHIFTED_SUMS: ONE_STRIDED_CHANNEL,
    InputGradient.PHASES: HALVED,
    InputGradient.GROUPED: FOUR_GROUPS,
    KernelGradient.CONVOLUTION: HALVED,
    KernelGradient.ONE_TAP: POINTWISE,
    KernelGradient.TAP_BY_TAP: ((64, 8, 8, 64), (3, 3, 64, 64), Geometry((2, 2), SAME_3, ONES)),
    KernelGradient.IM2COL: ONE_SMALL_IMAGE,
    KernelGradient.IM2COL_TAPS_FIRST: ONE_STRIDED_CHANNEL,
    KernelGradient.ROW_BY_ROW: LENET,
    KernelGradient.OUTPUT_PATCHES: ONE_FILTER,
    KernelGradient.DEPTHWISE: SEPARABLE,
    KernelGradient.GROUPED: FOUR_GROUPS,
    KernelGradient.PER_DEPTH: PLAIN_VOLUME,
}
SELECTED_BY_ONEDNN = {
    Forward.CONVOLUTION: SEPARABLE,
    Forward.ONE_TAP: POINTWISE,
    Forward.TAP_BY_TAP: ONE_CHANNEL,
    Forward.IM2COL: ONE_SMALL_IMAGE,
    Forward.SHIFTED_SUMS: ONE_FILTER,
    InputGradient.SHIFTED_SUMS: ONE_STRIDED_CHANNEL,
    InputGradient.PHASES: FOUR_GROUPS,
    InputGradient.DILATED_OUTPUT: STRIDED_SEPARABLE,
    KernelGradient.CONVOLUTION: PLAIN_VOLUME,
    KernelGradient.CHANNELS_AS_AXIS: FEW_POSITIONS,
    KernelGradient.ONE_TAP: POINTWISE,
    KernelGradient.TAP_BY_TAP: ((64, 32, 32, 64), (4, 4, 64, 128), Geometry((2, 2), SAME_3, ONES)),
    KernelGradient.IM2COL: ((64, 32, 32, 3), (3, 3, 3, 32), Geometry(ONES, SAME_3, ONES)),
    KernelGradient.IM2COL_TAPS_FIRST: ONE_STRIDED_CHANNEL,
    KernelGradient.SPACE_TO_DEPTH: STEM,
    KernelGradient.ROW_BY_ROW: LENET,
    KernelGradient.OUTPUT_PATCHES: ONE_FILTER,
    KernelGradient.DEPTHWISE: SEPARABLE,
    KernelGradient.GROUPED: FOUR_GROUPS,
}
SELECT = {
    Forward: selection.forward,
    InputGradient: selection.input_gradient,
    KernelGradient: selection.kernel_gradient,
}


def test_every_algorithm_is_selected_for_some_shape() -> None:
    reached = set()
    for library, table in ((XLA, SELECTED_BY_XLA), (ONEDNN, SELECTED_BY_ONEDNN)):
        for algorithm, shapes in table.items():
            assert SELECT[type(algorithm)](*shapes, library) is algorithm
            reached.add(algorithm)
    assert reached == {algorithm for table in SELECT for algorithm in table}


@pytest.mark.optimized
def test_the_kernel_gradient_of_a_grouped_volume_does_not_crash_the_compiler() -> None:
    made = make(Geometry((1,) * 3, ((1, 1),) * 3, (1,) * 3, 2), (4, 4, 4), (3, 3, 3), 8, 8, 1)
    x, y = (jnp.asarray(array, jnp.float32) for array in (made.x, made.y))
    ours = jax.jit(lambda x, y: dispatch.kernel_gradient(x, y, (3, 3, 3), made.geometry))(x, y)
    # Sums of 64 float32 products.
    np.testing.assert_allclose(ours, numpy_kernel_gradient(made), rtol=1e-4, atol=1e-4)
