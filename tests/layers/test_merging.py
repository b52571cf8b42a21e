"""Merging layers compared with Keras's: values, shapes and errors."""

from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

from jaxlayers import layers
from tests.parity.oracle import assert_close

ARGUMENTS = {"CustomScaleLayer": {"scale": 2.0}, "Dot": {"axes": 1}}
ELEMENTWISE = ["Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"]
MERGING = {*ELEMENTWISE, "Concatenate", "CustomScaleLayer", "Dot"}
# Shapes of examples; Keras inserts missing axes after the batch.
BROADCAST = [[(3,), (3,)], [(3,), (4, 3)], [(2, 1, 3), (3,)], [(1,), (2, 4, 3)], [(4, 1), (1, 3)]]
VALID = [
    # The shapes are those of one base class; the values are those of each layer.
    *(("Subtract", {}, shapes) for shapes in BROADCAST),
    *((name, {}, [(2, 3), (3,), (1, 3)]) for name in ELEMENTWISE if name != "Subtract"),
    ("Add", {}, [(3,)]),
    ("Average", {}, [(3,)]),
    ("Concatenate", {}, [(2, 3), (2, 4)]),
    ("Concatenate", {"axis": 1}, [(2, 3), (1, 3), (4, 3)]),
    ("Concatenate", {"axis": -2}, [(2, 3)]),
    ("CustomScaleLayer", {"scale": 0.5}, [(2, 3), (2, 1)]),
    ("Dot", {"axes": 1}, [(3,), (3,)]),
    ("Dot", {"axes": -1, "normalize": True}, [(3,), (3,)]),
    ("Dot", {"axes": 1}, [(3, 4), (3,)]),
    ("Dot", {"axes": (1, 2)}, [(3, 4, 5), (5, 3)]),
    ("Dot", {"axes": (-1, -2), "normalize": True}, [(2, 3), (5, 3, 4)]),
    ("Dot", {"axes": 2}, [(2, 3), (4, 3)]),
]
INVALID = [
    *((name, {}, [(3,), (4,)]) for name in ELEMENTWISE),
    *((name, {}, [(2, 3), (3, 3)]) for name in ELEMENTWISE),
    ("Subtract", {}, [(3,)]),
    ("Subtract", {}, [(3,), (3,), (3,)]),
    ("CustomScaleLayer", {"scale": 0.5}, [(3,), (4,)]),
    ("CustomScaleLayer", {"scale": 0.5}, [(3,)]),
    ("Concatenate", {}, [(2, 3), (3, 3)]),
    ("Concatenate", {}, [(2, 3), (3,)]),
    ("Concatenate", {"axis": 2}, [(2,), (2,)]),
    ("Concatenate", {"axis": 1}, [(2, 3), (2, 4)]),
    ("Dot", {"axes": 1}, [(3,)]),
    ("Dot", {"axes": 1}, [(3,), (3,), (3,)]),
    ("Dot", {"axes": 1}, [(3,), (4,)]),
    ("Dot", {"axes": 2}, [(3,), (3,)]),
    ("Dot", {"axes": (1, -3)}, [(3,), (2, 3)]),
]


def in_keras(name: str) -> Any:
    """Returns Keras's layer of this name."""
    return CustomScaleLayer if name == "CustomScaleLayer" else getattr(keras.layers, name)


def inputs(shapes: list[tuple[int, ...]], dtype: str = "float32") -> list[jax.Array]:
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.standard_normal((2, *shape)), dtype) for shape in shapes]


@pytest.mark.parametrize(("name", "arguments", "shapes"), VALID)
def test_values_and_gradients_equal_keras(name, arguments, shapes) -> None:
    layer = getattr(layers, name)(**arguments)
    keras_layer = in_keras(name)(**arguments)
    x = inputs(shapes)

    def with_gradients(function):
        def weighted_sum(x):
            y = function(x)
            return jnp.vdot(jnp.cos(jnp.arange(y.size)), y), y

        return jax.grad(weighted_sum, has_aux=True)

    @jax.jit
    def results(x):
        _, state = layer.apply({}, {}, tuple(x))
        ours = with_gradients(lambda x: layer.apply({}, {}, tuple(x))[0])
        return state, ours(x), with_gradients(keras_layer)(x)

    state, (gradients, y), (expected_gradients, expected) = results(x)
    assert_close(y, expected, "float32", "output")
    assert state == {}
    assert (2, *layer.output_shape(shapes)) == y.shape
    if name != "CustomScaleLayer":  # Keras's has no such method
        assert y.shape == keras_layer.compute_output_shape([a.shape for a in x])
    for a, b in zip(gradients, expected_gradients, strict=True):
        assert_close(a, b, "float32", "gradient")


@pytest.mark.parametrize(("name", "arguments", "shapes"), INVALID)
def test_shapes_that_keras_refuses_are_refused(name, arguments, shapes) -> None:
    layer = getattr(layers, name)(**arguments)
    for call in (
        lambda: layer.output_shape(shapes),
        lambda: layer.init(jax.random.key(0), shapes),
        lambda: layer.apply({}, {}, inputs(shapes)),
    ):
        with pytest.raises(ValueError) as error_info:
            call()
        assert str(error_info.value).startswith(repr(layer))
        assert "must be" in str(error_info.value)
        assert any(str(shape) in str(error_info.value) for shape in shapes)
    with pytest.raises(Exception):  # noqa: B017 - some are errors of Python
        in_keras(name)(**arguments)(inputs(shapes))


@pytest.mark.parametrize("layer", [layers.Add(), layers.Concatenate(), layers.Dot(1)], ids=repr)
@pytest.mark.parametrize(
    ("x", "error", "received"),
    [
        (jnp.ones((2, 3)), TypeError, "ArrayImpl"),
        (None, TypeError, "NoneType"),
        ([3.0, 4.0], TypeError, "float"),
        ([], ValueError, "none"),
        ([jnp.ones((2, 3)), jnp.ones((1, 3))], ValueError, r"\(2, 3\), \(1, 3\)"),
        ([jnp.ones(()), jnp.ones(())], ValueError, r"\(\)"),
    ],
)
def test_inputs_that_are_not_arrays_of_one_batch_are_refused(layer, x, error, received) -> None:
    with pytest.raises(error, match=f"x must be.*{received}") as error_info:
        layer.apply({}, {}, x)
    assert str(error_info.value).startswith(repr(layer))


@pytest.mark.parametrize("name", sorted(MERGING))
@pytest.mark.parametrize("shape", [5, None, "abc", (), (2, 3), [(2, -3)], [(2, None), (2, 3)]])
def test_shapes_that_are_not_tuples_of_shapes_are_refused(name, shape) -> None:
    layer = getattr(layers, name)(**ARGUMENTS.get(name, {}))
    with pytest.raises(ValueError, match="input_shape must be") as error_info:
        layer.output_shape(shape)
    assert str(error_info.value).startswith(repr(layer))


def test_three_inputs_of_a_custom_scale_layer_are_refused() -> None:
    # Keras ignores the third.
    with pytest.raises(ValueError, match=r"^CustomScaleLayer\(scale=2.0\): .* 2 shapes, got"):
        layers.CustomScaleLayer(2.0).apply({}, {}, inputs([(3,)] * 3))


@pytest.mark.parametrize("name", ["Add", "CustomScaleLayer", "Subtract", "Multiply", "Average"])
def test_integers_are_merged_as_floats_that_do_not_overflow(name) -> None:
    # In a Keras model, the input layer converts them.
    x = [np.array([[200, 3]], "uint8"), np.array([[250, 5]], "uint8")]
    arguments = ARGUMENTS.get(name, {})
    y, _ = getattr(layers, name)(**arguments).apply({}, {}, x)
    expected = in_keras(name)(**arguments)([a.astype("float32") for a in x])
    np.testing.assert_array_equal(y, expected)
    assert y.dtype == jnp.float32


@pytest.mark.parametrize("name", ["Maximum", "Minimum", "Concatenate"])
def test_selected_values_keep_their_dtype(name) -> None:
    x = [jnp.array([[200, 3]], "uint8"), jnp.array([[250, 1]], "uint8")]
    y, _ = getattr(layers, name)().apply({}, {}, x)
    expected = getattr(keras.layers, name)()(x)
    np.testing.assert_array_equal(y, expected)
    assert y.dtype == expected.dtype == jnp.uint8


def test_the_cosine_of_a_zero_vector_is_zero_with_finite_derivatives() -> None:
    layer, x = layers.Dot(1, normalize=True), [jnp.zeros((1, 3)), jnp.ones((1, 3))]
    assert layer.apply({}, {}, x)[0].tolist() == keras.layers.Dot(1, True)(x).tolist() == [[0.0]]
    gradients = jax.grad(lambda x: layer.apply({}, {}, x)[0].sum())(x)
    assert all(np.isfinite(g).all() for g in gradients)
