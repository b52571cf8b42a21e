"""Keras's initializers: given the same key they draw the same numbers."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from jaxlayers import initializers

SHAPES = [(), (7,), (4, 6), (3, 3, 4, 5)]
# Random ones, with the arguments of their classes.
RANDOM = [
    ("RandomNormal", {}),
    ("RandomNormal", {"mean": 1.0, "stddev": 0.3}),
    ("RandomUniform", {}),
    ("RandomUniform", {"minval": -1.0, "maxval": 3.0}),
    ("TruncatedNormal", {}),
    ("TruncatedNormal", {"mean": 1.0, "stddev": 0.3}),
    ("GlorotNormal", {}),
    ("GlorotUniform", {}),
    ("HeNormal", {}),
    ("HeUniform", {}),
    ("LecunNormal", {}),
    ("LecunUniform", {}),
    *(
        ("VarianceScaling", {"scale": 2.5, "mode": mode, "distribution": distribution})
        for mode in ("fan_in", "fan_out", "fan_avg")
        for distribution in ("normal", "truncated_normal", "untruncated_normal", "Uniform")
    ),
]


def keras_draw(initializer, key, shape):
    # Keras passes a key through to jax.random where it would draw one from an integer seed.
    initializer.seed = key
    return initializer(shape, "float32")


def test_the_names_are_those_of_keras() -> None:
    base = {"Initializer", "initializer"}
    assert initializers.BY_NAME.keys() == initializers_of_keras().keys() - base
    for name, found in initializers_of_keras().items():
        if name not in base:
            assert initializers.BY_NAME[name].__name__ == found.__name__


def initializers_of_keras() -> dict:
    return keras.src.initializers.ALL_OBJECTS_DICT


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("name", "arguments"), RANDOM)
def test_random_values_are_those_of_keras_with_the_same_key(name, arguments, shape) -> None:
    key = jax.random.key(5)
    ours = getattr(initializers, name)(**arguments)(key, shape, jnp.float32)
    theirs = keras_draw(getattr(keras.initializers, name)(**arguments), key, shape)
    assert ours.dtype == jnp.float32
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("axes", [((0,), (2,)), ((0, 1), (2,)), ((2,), (0, 1))])
def test_axes_of_variance_scaling_are_those_of_keras(axes) -> None:
    arguments = dict(zip(("input_axes", "output_axes"), axes, strict=True))
    key = jax.random.key(5)
    for mode in ("fan_in", "fan_out", "fan_avg"):
        ours = initializers.VarianceScaling(mode=mode, **arguments)(key, (3, 5, 7))
        theirs = keras.initializers.VarianceScaling(mode=mode, **arguments)
        np.testing.assert_allclose(ours, keras_draw(theirs, key, (3, 5, 7)), rtol=1e-6)


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 5), (2, 3, 4), (2, 2, 3, 20)])
def test_orthogonal_matrices_are_orthonormal_times_the_gain_as_in_keras(shape) -> None:
    key = jax.random.key(5)
    ours = initializers.Orthogonal(2.0)(key, shape, jnp.float32)
    theirs = keras_draw(keras.initializers.Orthogonal(2.0), key, shape)
    for drawn in (ours, theirs):
        matrix = np.asarray(drawn, np.float64).reshape(-1, shape[-1])
        rows, columns = matrix.shape
        gram = matrix @ matrix.T if rows < columns else matrix.T @ matrix
        np.testing.assert_allclose(gram, 4 * np.eye(min(rows, columns)), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("Zeros", {}, (2, 3)),
        ("Ones", {}, (2, 3)),
        ("Constant", {"value": 2.5}, (2, 3)),
        ("Identity", {}, (3, 3)),
        ("Identity", {"gain": 2.0}, (2, 4)),
        *(
            ("STFT", {"side": side, "window": window, "scaling": scaling, "periodic": periodic}, s)
            for side in ("real", "imag")
            for window in ("hann", "hamming", None, (1.0, 2.0, 4.0, 3.0, 1.0, 1.0))
            for scaling in ("density", "spectrum", None)
            for periodic in (False, True)
            for s in [(6, 1, 5)]
        ),
    ],
)
def test_constant_values_are_those_of_keras(name, arguments, shape) -> None:
    ours = getattr(initializers, name)(**arguments)(jax.random.key(0), shape, jnp.float32)
    if isinstance(arguments.get("window"), tuple):
        arguments = arguments | {"window": np.asarray(arguments["window"], np.float32)}
    theirs = getattr(keras.initializers, name)(**arguments)(shape, "float32")
    # Cosines of angles up to 2 pi times the frame, in float32 in Keras.
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", initializers.BY_NAME)
def test_every_name_makes_an_array_of_any_dtype(name) -> None:
    shape = (4, 1, 3) if "stft" in name.lower() else (4, 3)
    for dtype in (jnp.float32, jnp.bfloat16):
        made = initializers.get(name)(jax.random.key(0), shape, dtype)
        assert made.shape == shape
        assert made.dtype == dtype


def test_they_are_values_that_print_as_the_call_that_makes_them() -> None:
    for name in {found.__name__ for found in initializers.BY_NAME.values()}:
        made = getattr(initializers, name)()
        assert eval(repr(made), vars(initializers).copy()) == made == initializers.get(name)
        assert hash(made) == hash(initializers.get(name))
    assert initializers.VarianceScaling(2.0, "fan_in", "uniform") != initializers.HeUniform()


def test_functions_of_jax_serve_as_well() -> None:
    function = jax.nn.initializers.he_normal()
    assert initializers.get(function) is function


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("VarianceScaling", {"scale": 0.0}, "scale must be .* above 0, got 0.0"),
        ("VarianceScaling", {"scale": -1.0}, "scale must be .* above 0, got -1.0"),
        ("VarianceScaling", {"mode": "fan"}, "mode must be one of .* got 'fan'"),
        ("VarianceScaling", {"mode": "FAN_IN"}, "mode must be one of .* got 'FAN_IN'"),
        ("VarianceScaling", {"distribution": "beta"}, "distribution must be .* got 'beta'"),
        ("STFT", {"side": "left"}, "side must be .* got 'left'"),
        ("STFT", {"scaling": "loud"}, "scaling must be .* got 'loud'"),
        ("STFT", {"window": "unknown"}, "window must be a name that scipy.* got 'unknown'"),
    ],
)
def test_wrong_arguments_are_refused_as_in_keras(name, arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(initializers, name)(**arguments)
    with pytest.raises(ValueError):
        getattr(keras.initializers, name)(**arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("Identity", {}, (3,)),
        ("Identity", {}, (3, 3, 3)),
        ("Orthogonal", {}, (3,)),
        ("Orthogonal", {}, ()),
        ("STFT", {"window": (1.0, 2.0)}, (3, 1, 2)),
    ],
)
def test_shapes_that_do_not_fit_are_refused_as_in_keras(name, arguments, shape) -> None:
    with pytest.raises(ValueError, match=f"{name}: .*shape"):
        getattr(initializers, name)(**arguments)(jax.random.key(0), shape)
    with pytest.raises(ValueError):
        getattr(keras.initializers, name)(**arguments)(shape)


@pytest.mark.parametrize(
    ("wrong", "error"), [("he", ValueError), (3, TypeError), (None, TypeError)]
)
def test_nothing_else_is_an_initializer(wrong, error) -> None:
    with pytest.raises(error, match="initializer"):
        initializers.get(wrong)
