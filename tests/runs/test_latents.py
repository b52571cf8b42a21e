import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers.runs import latents

START, END = np.random.default_rng(0).uniform(-1, 1, (2, 3, 5)).astype(np.float32)
POSITIONS = np.linspace(0, 1, 4)


def test_latent_vectors_are_uniform_from_minus_one_to_one():
    vectors = np.asarray(latents.uniform(jax.random.key(0), 200, 50))
    assert vectors.shape == (200, 50)
    assert -1 <= vectors.min() < -0.99 and 0.99 < vectors.max() <= 1
    assert vectors.std() == pytest.approx(3**-0.5, rel=0.02)


@pytest.mark.parametrize("interpolate", latents.INTERPOLATIONS.values())
def test_interpolations_contain_both_ends(interpolate):
    vectors = interpolate(START, END, POSITIONS)
    assert vectors.shape == (4, 3, 5)
    np.testing.assert_allclose(vectors[0], START, rtol=1e-6)
    np.testing.assert_allclose(vectors[-1], END, rtol=1e-6)
    np.testing.assert_allclose(interpolate(START, END, POSITIONS[1]), vectors[1], rtol=1e-6)


def test_linear_interpolation_equals_numpy():
    expected = [[np.interp(POSITIONS, [0, 1], pair) for pair in zip(START[0], END[0], strict=True)]]
    vectors = latents.linear(START[0], END[0], POSITIONS)
    np.testing.assert_allclose(vectors, np.transpose(expected[0]), rtol=1e-6, atol=1e-7)


def test_spherical_interpolation_equals_the_formula():
    start, end = START.astype(np.float64), END.astype(np.float64)
    norms = np.linalg.norm(start, axis=-1) * np.linalg.norm(end, axis=-1)
    angle = np.arccos((start * end).sum(-1) / norms)[:, None]
    for position in POSITIONS:
        expected = (
            np.sin((1 - position) * angle) * start + np.sin(position * angle) * end
        ) / np.sin(angle)
        # The rounding errors of a sum of two vectors in float32.
        np.testing.assert_allclose(
            latents.spherical(START, END, position), expected, rtol=1e-5, atol=1e-6
        )


def test_spherical_interpolation_keeps_the_length():
    start = START / np.linalg.norm(START, axis=-1, keepdims=True)
    end = END / np.linalg.norm(END, axis=-1, keepdims=True)
    lengths = np.linalg.norm(latents.spherical(start, end, POSITIONS), axis=-1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-5)
    assert np.linalg.norm(latents.linear(start, end, 0.5), axis=-1).max() < 0.95


@pytest.mark.parametrize("factor", [2.0, -2.0, 0.0])
def test_spherical_interpolation_of_parallel_vectors_is_linear(factor):
    vectors = latents.spherical(START, factor * START, POSITIONS)
    expected = latents.linear(START, factor * START, POSITIONS)
    np.testing.assert_allclose(vectors, expected, rtol=1e-5, atol=1e-6)


def test_rows_of_vectors_go_from_one_vector_to_the_next():
    four = np.concatenate([START[:2], END[:2]])
    rows = latents.rows_between("spherical", four, 3).reshape(2, 3, 5)
    np.testing.assert_allclose(rows[:, 0], four[::2], rtol=1e-6)
    np.testing.assert_allclose(rows[:, 2], four[1::2], rtol=1e-6)
    middle = latents.spherical(four[::2], four[1::2], 0.5)
    np.testing.assert_allclose(rows[:, 1], middle, rtol=1e-5, atol=1e-6)


def test_arithmetic_computes_with_the_means():
    result = latents.arithmetic(START, END, START[:1])
    np.testing.assert_allclose(result, START.mean(0) - END.mean(0) + START[0], rtol=1e-5)


def test_truncation_scales_vectors():
    np.testing.assert_allclose(latents.truncate(START, 0.7), 0.7 * START, rtol=1e-6)
    np.testing.assert_array_equal(latents.truncate(START, 1), START)
    np.testing.assert_array_equal(latents.truncate(jnp.asarray(START), 0), 0 * START)
    scaled = jax.vmap(latents.truncate, (None, 0))(jnp.asarray(START), jnp.array([0.5, 1.0]))
    np.testing.assert_allclose(scaled[0], 0.5 * START, rtol=1e-6)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: latents.linear(START, END[:2], 0.5), "linear: start and end .* got shapes"),
        (lambda: latents.spherical(1.0, 2.0, 0.5), "spherical: start and end must be"),
        (lambda: latents.linear(START, END, np.zeros((2, 2))), r"position .* shape \(2, 2\)"),
        (lambda: latents.truncate(START, 1.5), "truncation must be a number from 0 to 1, got 1.5"),
        (lambda: latents.truncate(START, float("nan")), "truncation must be .* got nan"),
        (lambda: latents.arithmetic(START, END[:0], START), r"arithmetic: b must .*\(0, 5\)"),
        (lambda: latents.arithmetic(START, END, START[0]), r"arithmetic: c must .*\(5,\)"),
        (lambda: latents.rows_between("cubic", START, 3), "name must be .*'linear'.*got 'cubic'"),
        (lambda: latents.rows_between("linear", START, 3), "even number of vectors, got 3"),
        (lambda: latents.rows_between("linear", START, 1), "columns must be .* 2, got 1"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
