"""`Sequential`: names, slices, nested models, and its methods as a layer."""

import inspect

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from jaxlayers import Sequential, layers
from jaxlayers.layers import InBfloat16

STACK = [
    layers.Conv2D(4, 3, padding="same"),
    layers.BatchNormalization(),
    layers.LeakyReLU(),
    layers.UpSampling2D(),
    layers.Conv2DTranspose(3, 3, padding="same"),
    layers.BatchNormalization(),
    layers.ReLU(),
    layers.Conv2D(2, 3, activity_regularizer="l2"),
    layers.Flatten(),
    layers.Dropout(0.5),
    layers.Dense(1, kernel_regularizer="l2", bias_constraint="non_neg"),
    layers.Activation("sigmoid"),
]
SHAPE = (4, 4, 2)


def init_and_input(model: Sequential) -> tuple:
    params, state = model.init(jax.random.key(0))
    return params, state, jax.random.normal(jax.random.key(1), (3, *SHAPE))


def test_layer_names_are_those_of_keras() -> None:
    keras.backend.clear_session()
    keras_model = keras.Sequential(
        [eval(repr(layer), vars(keras.layers).copy()) for layer in STACK[:-1]]
        + [keras.layers.Activation("sigmoid")]
    )
    model = Sequential(STACK)
    assert list(model.names) == [layer.name for layer in keras_model.layers]
    every_class = [name for name in layers.__all__ if hasattr(keras.layers, name)]
    snake_case = keras.src.utils.naming.to_snake_case
    for name in {*every_class} - {"Layer"}:
        arguments = {"Reshape": ((-1,),), "Activation": ("relu",)}
        arguments |= {
            "AlphaDropout": (0.1,),
            "GaussianDropout": (0.1,),
            "Permute": ((1,),),
            "SpectralNormalization": (layers.Dense(1),),
        }
        # Any other required arguments are integers.
        required = [
            parameter
            for parameter in inspect.signature(getattr(layers, name)).parameters.values()
            if parameter.default is inspect.Parameter.empty
        ]
        layer = getattr(layers, name)(*arguments.get(name, (1,) * len(required)))
        assert Sequential([layer]).names == (snake_case(name),)


def test_the_output_is_that_of_the_layers_applied_in_order() -> None:
    model = Sequential(STACK, SHAPE, fuse=False)
    params, state, x = init_and_input(model)
    y, new_state = model.apply(params, state, x, training=True, key=jax.random.key(2))
    expected, key = x, jax.random.key(2)
    for position, (name, layer) in enumerate(model.items()):
        expected, layer_state = layer.apply(
            params.get(name, {}),
            state.get(name, {}),
            expected,
            training=True,
            key=jax.random.fold_in(key, position),
        )
        assert new_state.get(name, {}).keys() == layer_state.keys()
        for weight, value in layer_state.items():
            np.testing.assert_array_equal(new_state[name][weight], value)
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("training", [False, True])
def test_fused_and_unfused_models_are_equivalent(training) -> None:
    fused, unfused = Sequential(STACK, SHAPE), Sequential(STACK, SHAPE, fuse=False)
    params, state, x = init_and_input(fused)
    assert jax.tree.all(
        jax.tree.map(np.array_equal, unfused.init(jax.random.key(0)), (params, state))
    )

    def results(model):
        def loss(params, x):
            y, new = model.apply(params, state, x, training=training, key=jax.random.key(2))
            return jnp.sum(y) + model.penalty(params, new), (y, new)

        return jax.jit(jax.grad(loss, (0, 1), has_aux=True))(params, x)

    # Sums of at most a hundred float32 products, in different orders.
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        results(fused),
        results(unfused),
    )


def test_params_and_state_contain_only_layers_that_have_any() -> None:
    params, state, _ = init_and_input(Sequential(STACK, SHAPE))
    with_params = "conv2d batch_normalization conv2d_transpose batch_normalization_1 conv2d_1 dense"
    assert [*params] == with_params.split()
    assert [*state] == ["batch_normalization", "batch_normalization_1", "conv2d_1"]


def test_layers_are_initialized_with_different_keys() -> None:
    model = Sequential([layers.Dense(4), layers.Dense(4)], (4,))
    params, _ = model.init(jax.random.key(0))
    assert not np.array_equal(params["dense"]["kernel"], params["dense_1"]["kernel"])


def test_dropout_layers_have_different_masks() -> None:
    model = Sequential([layers.Dropout(0.5), layers.Dropout(0.5)])
    y, _ = model.apply({}, {}, jnp.ones((1, 4096)), training=True, key=jax.random.key(0))
    # With equal masks, half of the values would remain. The bound is five standard deviations.
    assert abs(float(jnp.mean(y > 0)) - 0.25) < 5 * (0.25 * 0.75 / 4096) ** 0.5


@pytest.mark.parametrize("split", range(1, len(STACK)))
def test_slices_use_the_params_of_the_model_under_the_same_names(split) -> None:
    model = Sequential(STACK, SHAPE, name="model", fuse=False)
    params, state, x = init_and_input(model)
    head, tail = model[:split], model[split:]
    assert head.names + tail.names == model.names
    assert head.name == tail.name == "model"
    assert tail.input_shape == head.output_shape()
    hidden, head_state = head.apply(params, state, x)
    y, tail_state = tail.apply(params, state, hidden)
    expected, expected_state = model.apply(params, state, x)
    np.testing.assert_array_equal(y, expected)
    assert (head_state | tail_state).keys() == expected_state.keys()


def test_layers_are_indexed_by_position_and_name() -> None:
    model = Sequential(STACK, SHAPE)
    assert len(model) == len(STACK)
    assert model[0] == STACK[0]
    assert model[-1] == STACK[-1]
    assert model["conv2d_1"] == STACK[7]
    assert model[2:4].layers == tuple(STACK[2:4])
    assert model[-2:].names == ("dense", "activation")
    with pytest.raises(KeyError, match=r"index must be one of .*conv2d_1.*got 'conv3d'"):
        model["conv3d"]
    with pytest.raises(IndexError, match=f"index must be .* got {len(STACK)}"):
        model[len(STACK)]
    with pytest.raises(ValueError, match="step 1, got 2"):
        model[::2]
    with pytest.raises(ValueError, match="at least one layer"):
        model[3:3]


def test_params_of_nested_models_are_nested_by_name() -> None:
    inner = Sequential([layers.Dense(3), layers.BatchNormalization()], name="block")
    model = Sequential([inner, inner, Sequential([layers.Dense(2)])], (5,))
    params, state = model.init(jax.random.key(0))
    assert [*params] == ["block", "block_1", "sequential"]
    assert [*params["block"]] == ["dense", "batch_normalization"]
    assert [*state] == ["block", "block_1"]
    assert params["block"]["dense"]["kernel"].shape == (5, 3)
    assert params["block_1"]["dense"]["kernel"].shape == (3, 3)
    assert model.output_shape() == (2,)


def test_the_penalty_is_the_sum_of_the_penalties_of_the_layers() -> None:
    model = Sequential(STACK, SHAPE)
    params, state, x = init_and_input(model)
    assert float(Sequential(STACK[:2], SHAPE).penalty(params, state)) == 0
    _, state = model.apply(params, state, x)
    weights = 0.01 * np.sum(np.square(params["dense"]["kernel"]))
    expected = weights + state["conv2d_1"]["activity_penalty"]
    np.testing.assert_allclose(model.penalty(params, state), expected, rtol=1e-6)
    y, _ = model[:8].apply(params, state, x)
    np.testing.assert_allclose(
        state["conv2d_1"]["activity_penalty"], 0.01 * np.sum(np.square(y)) / len(x), rtol=1e-5
    )


def test_constrain_changes_only_weights_with_constraints() -> None:
    model = Sequential(STACK, SHAPE)
    params, _, _ = init_and_input(model)
    params["dense"]["bias"] = jnp.array([-1.0])
    projected = model.constrain(params)
    assert projected["dense"]["bias"].tolist() == [0.0]
    projected["dense"]["bias"] = params["dense"]["bias"]
    assert jax.tree.all(jax.tree.map(np.array_equal, projected, params))
    assert model[:2].constrain(params).keys() == {"conv2d", "batch_normalization"}


@pytest.mark.parametrize(
    ("last_layers", "activation"),
    [
        ([layers.Dense(3, activation="sigmoid")], jax.nn.sigmoid),
        ([layers.Dense(3, activation="softmax")], jax.nn.softmax),
        ([layers.Dense(3), layers.Activation("softmax")], jax.nn.softmax),
        ([layers.Dense(3), layers.Softmax()], jax.nn.softmax),
        ([layers.SpectralNormalization(layers.Dense(3, "sigmoid"))], jax.nn.sigmoid),
        ([Sequential([layers.Dense(3), layers.Activation("sigmoid")])], jax.nn.sigmoid),
        ([layers.Dense(3, activation="tanh")], lambda x: x),
        ([layers.Dense(3), layers.ReLU()], lambda x: x),
    ],
)
def test_logits_are_the_inputs_of_the_final_sigmoid_or_softmax(last_layers, activation) -> None:
    model = Sequential([layers.Dense(4), *last_layers], (5,))
    params, state = model.init(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (2, 5))
    logits, _ = model.logits().apply(params, state, x)
    np.testing.assert_allclose(activation(logits), model.apply(params, state, x)[0], rtol=1e-6)
    assert model.logits().names == model.names
    assert model.logits().logits() == model.logits()


RESHAPING = [
    layers.Dropout(0.5),
    layers.Flatten(),
    layers.Reshape((3,)),
    layers.Activation("linear"),
]
TRANSPOSING = [
    layers.Identity(),
    layers.Reshape((1, 3)),
    layers.Permute((2, 1)),
    layers.SpatialDropout1D(0.5),
    layers.ActivityRegularization(),
]


@pytest.mark.parametrize("name", ["sigmoid", "softmax"])
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "layer"])
@pytest.mark.parametrize(
    "after", [RESHAPING[:1], RESHAPING[1:2], RESHAPING[2:3], RESHAPING, TRANSPOSING], ids=str
)
def test_logits_are_found_before_layers_that_only_move_values(name, fused, after) -> None:
    last_layers = [layers.Dense(3, name)] if fused else [layers.Dense(3), layers.Activation(name)]
    model = Sequential([layers.Reshape((1, 5)), *last_layers, *after, layers.Reshape((3,))], (5,))
    params, state = model.init(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (2, 5))
    logits, _ = model.logits().apply(params, state, x)
    y, _ = model.apply(params, state, x)
    np.testing.assert_allclose(getattr(jax.nn, name)(logits), y, rtol=1e-5)
    assert model.final_activation().name == name and model.final_activation().removable
    assert model.logits().names == model.names
    assert model.logits().final_activation().name == "linear"
    nested = Sequential([InBfloat16(model)], (5,))
    assert nested.logits() == Sequential([InBfloat16(model.logits())], (5,))


@pytest.mark.parametrize(
    ("last_layers", "name"),
    [
        # The mean of sigmoids is not the sigmoid of the mean.
        ([layers.Conv2D(3, 1, activation="sigmoid"), layers.GlobalAveragePooling2D()], "sigmoid"),
        ([layers.Conv2D(3, 1, activation="sigmoid"), layers.ZeroPadding2D()], "sigmoid"),
        # The sigmoid of a noisy input is not the sigmoid with noise.
        ([layers.Dense(3, "sigmoid"), layers.GaussianNoise(0.5)], "sigmoid"),
        # The softmax is over the channels of each position, not over the flattened output.
        ([layers.Conv2D(3, 1, activation="softmax"), layers.Flatten()], "softmax"),
        ([layers.Dense(3), layers.Softmax(axis=0), layers.Flatten()], "softmax"),
    ],
)
def test_activations_that_cannot_be_removed_are_kept(last_layers, name) -> None:
    model = Sequential(last_layers, (2, 2, 1))
    assert model.final_activation().name == name
    assert not model.final_activation().removable
    assert model.logits() == model


@pytest.mark.parametrize(
    ("last_layers", "name"),
    [
        ([layers.Dense(3, activation=jnp.tanh), layers.Reshape((3, 1))], "tanh"),
        ([layers.Dense(3), layers.ReLU()], "relu"),
        ([layers.Dense(3), layers.LeakyReLU()], "leaky_relu"),
        ([layers.Dense(3)], "linear"),
        ([layers.Dense(3, activation=lambda x: x**2)], None),
        ([layers.Dense(3, "sigmoid"), layers.BatchNormalization()], None),
    ],
)
def test_final_activation_is_the_activation_of_the_output(last_layers, name) -> None:
    final = Sequential(last_layers, (5,)).final_activation()
    assert (final and final.name) == name


def test_the_input_shape_is_an_argument_of_the_constructor_or_of_init() -> None:
    fixed, flexible = Sequential([layers.Dense(2)], (3,)), Sequential([layers.Dense(2)])
    assert fixed.init(jax.random.key(0))[0]["dense"]["kernel"].shape == (3, 2)
    assert fixed.output_shape() == fixed.output_shape((3,)) == flexible.output_shape([4]) == (2,)
    assert list(fixed.shapes()) == [(2,)]
    with pytest.raises(ValueError, match=r"input_shape must be \(3,\).*, got \(4,\)"):
        fixed.init(jax.random.key(0), (4,))
    for call in (lambda: flexible.init(jax.random.key(0)), flexible.output_shape, flexible.summary):
        with pytest.raises(ValueError, match="Sequential 'sequential': input_shape must be"):
            call()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([],), ValueError, "layers must have at least one layer"),
        (("relu",), TypeError, "must be a list of layers, got 'relu'"),
        ((3,), TypeError, "must be a list of layers, got 3"),
        (
            (["relu"],),
            TypeError,
            r"layer 0 of layers must be .*'relu'.*use layers.Activation\('relu'\)",
        ),
        (([layers.ReLU(), 3],), TypeError, "layer 1 of layers must be a jaxlayers.Layer, got 3"),
        (([layers.ReLU],), TypeError, "layer 0 of layers must be a jaxlayers.Layer"),
        (([layers.ReLU()], 5), ValueError, "input_shape must be a tuple of integers.*got 5"),
        (([layers.ReLU()], (5, -1)), ValueError, r"not negative, .* got \(5, -1\)"),
        (([layers.Dense(2)], ()), ValueError, "at least one axis"),
        (([layers.ReLU()], None, "m", ("a", "b")), ValueError, "names must be 1 unique"),
        (([layers.ReLU()] * 2, None, "m", ("a", "a")), ValueError, "names must be 2 unique"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, message) -> None:
    with pytest.raises(error, match=message):
        Sequential(*arguments)


def test_the_repr_constructs_an_equal_model() -> None:
    names = {**vars(layers), "Sequential": Sequential}
    for model in (
        Sequential(STACK),
        Sequential(STACK, SHAPE, name="model", fuse=False)[2:5],
        Sequential([Sequential([layers.ReLU()], name="inner")], names=["first"]),
    ):
        assert eval(repr(model), names) == model
    assert repr(Sequential([layers.ReLU()], (3,))) == "Sequential([ReLU()], input_shape=(3,))"
