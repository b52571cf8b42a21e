"""Initializers compared with Keras's, with the same keys."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from jaxlayers import initializers

SHAPES = [(), (7,), (4, 6), (3, 3, 4, 5)]
# Random initializers, with the arguments of their classes.
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


def keras_values(initializer, key, shape):
    # Keras passes a key to jax.random unchanged, instead of deriving one from an integer seed.
    initializer.seed = key
    return initializer(shape, "float32")


def test_the_names_are_those_of_keras() -> None:
    base = {"Initializer", "initializer"}
    assert initializers.BY_NAME.keys() == keras_initializers().keys() - base
    for name, cls in keras_initializers().items():
        if name not in base:
            assert initializers.BY_NAME[name].__name__ == cls.__name__


def keras_initializers() -> dict:
    return keras.src.initializers.ALL_OBJECTS_DICT


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("name", "arguments"), RANDOM)
def test_random_values_equal_keras_with_the_same_key(name, arguments, shape) -> None:
    key = jax.random.key(5)
    actual = getattr(initializers, name)(**arguments)(key, shape, jnp.float32)
    expected = keras_values(getattr(keras.initializers, name)(**arguments), key, shape)
    assert actual.dtype == jnp.float32
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.parametrize("axes", [((0,), (2,)), ((0, 1), (2,)), ((2,), (0, 1))])
def test_variance_scaling_with_axes_equals_keras(axes) -> None:
    arguments = dict(zip(("input_axes", "output_axes"), axes, strict=True))
    key = jax.random.key(5)
    for mode in ("fan_in", "fan_out", "fan_avg"):
        actual = initializers.VarianceScaling(mode=mode, **arguments)(key, (3, 5, 7))
        keras_initializer = keras.initializers.VarianceScaling(mode=mode, **arguments)
        np.testing.assert_allclose(
            actual, keras_values(keras_initializer, key, (3, 5, 7)), rtol=1e-6
        )


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 5), (2, 3, 4), (2, 2, 3, 20)])
def test_orthogonal_matrices_have_a_scaled_identity_as_gram_matrix(shape) -> None:
    key = jax.random.key(5)
    actual = initializers.Orthogonal(2.0)(key, shape, jnp.float32)
    expected = keras_values(keras.initializers.Orthogonal(2.0), key, shape)
    for values in (actual, expected):
        matrix = np.asarray(values, np.float64).reshape(-1, shape[-1])
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
def test_deterministic_values_equal_keras(name, arguments, shape) -> None:
    actual = getattr(initializers, name)(**arguments)(jax.random.key(0), shape, jnp.float32)
    if isinstance(arguments.get("window"), tuple):
        arguments = arguments | {"window": np.asarray(arguments["window"], np.float32)}
    expected = getattr(keras.initializers, name)(**arguments)(shape, "float32")
    # Cosines of angles up to 2 pi times the frame length, in float32 in Keras.
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", initializers.BY_NAME)
def test_every_initializer_supports_all_dtypes(name) -> None:
    shape = (4, 1, 3) if "stft" in name.lower() else (4, 3)
    for dtype in (jnp.float32, jnp.bfloat16):
        values = initializers.get(name)(jax.random.key(0), shape, dtype)
        assert values.shape == shape
        assert values.dtype == dtype


def test_initializers_are_equal_by_value_and_have_a_repr_that_constructs_them() -> None:
    for name in {cls.__name__ for cls in initializers.BY_NAME.values()}:
        initializer = getattr(initializers, name)()
        assert (
            eval(repr(initializer), vars(initializers).copy())
            == initializer
            == initializers.get(name)
        )
        assert hash(initializer) == hash(initializers.get(name))
    assert initializers.VarianceScaling(2.0, "fan_in", "uniform") != initializers.HeUniform()


def test_functions_of_jax_are_initializers() -> None:
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
def test_invalid_shapes_are_refused_as_in_keras(name, arguments, shape) -> None:
    with pytest.raises(ValueError, match=f"{name}: .*shape"):
        getattr(initializers, name)(**arguments)(jax.random.key(0), shape)
    with pytest.raises(ValueError):
        getattr(keras.initializers, name)(**arguments)(shape)


@pytest.mark.parametrize(
    ("wrong", "error"), [("he", ValueError), (3, TypeError), (None, TypeError)]
)
def test_unknown_names_and_other_types_are_refused(wrong, error) -> None:
    with pytest.raises(error, match="initializer"):
        initializers.get(wrong)
