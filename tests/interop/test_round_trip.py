"""Models and weights converted from Keras and back are unchanged."""

import json

import jax
import keras
import numpy as np
import pytest

from jaxlayers import Sequential, layers
from jaxlayers.interop.keras import from_config, load, load_weights, save, to_config
from jaxlayers.layers import InBfloat16
from jaxlayers.models import dcgan
from tests.interop import random_models
from tests.interop.random_models import examples, flat, weights_by_path
from tests.layers.test_merging import MERGING

# Relative to the largest output. The precision of float32 is 6e-8; sums have another order.
TOLERANCE = 1e-5
# A test checks that these models have every layer.
SEEDS = (*range(8), 13)
RANKS = (1, 2, 3)
MORE_SEEDS = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(14, 40)]


def assert_close(actual, expected):
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= TOLERANCE * max(1, np.abs(expected).max())


def assert_same_weights(actual, expected):
    assert actual.keys() == expected.keys()
    for path, array in expected.items():
        assert actual[path].dtype == array.dtype, path
        np.testing.assert_array_equal(actual[path], array, err_msg=str(path))


# Random models include softmax over an axis of size 1.
@pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning")
@pytest.mark.parametrize("seed", [*SEEDS, *MORE_SEEDS])
def test_a_keras_model_is_unchanged_after_a_round_trip(seed, tmp_path):
    assert_unchanged_after_a_round_trip(random_models.model(seed), tmp_path)


@pytest.mark.parametrize("name", random_models.SELECTED)
def test_a_keras_model_of_selected_layers_is_unchanged_after_a_round_trip(name, tmp_path):
    assert_unchanged_after_a_round_trip(random_models.selected_model(name), tmp_path)


@pytest.mark.parametrize("rank", RANKS)
def test_layers_of_one_to_three_dimensions_are_unchanged_after_a_round_trip(rank, tmp_path):
    assert_unchanged_after_a_round_trip(random_models.model_of_rank(rank), tmp_path)


def assert_unchanged_after_a_round_trip(keras_model, tmp_path):
    keras_model.save(tmp_path / "keras.keras")
    model, params, state = load(tmp_path / "keras.keras")
    assert_same_weights(flat(params, state), weights_by_path(keras_model))
    # Params and state have the structure that init returns.
    initialized = jax.eval_shape(model.init, jax.random.key(0))
    assert jax.tree.structure(initialized) == jax.tree.structure((params, state))

    x = examples(keras_model)
    expected = keras_model(x, training=False)
    y, new_state = model.apply(params, state, x)
    assert_close(y, expected)
    assert_close(model.penalty(params, new_state), sum(keras_model.losses, start=np.zeros(())))

    save(tmp_path / "saved.keras", model, params, state)
    reloaded_keras_model = keras.models.load_model(tmp_path / "saved.keras")
    assert_same_weights(weights_by_path(reloaded_keras_model), weights_by_path(keras_model))
    assert_close(reloaded_keras_model(x, training=False), expected)
    for weight, original in zip(reloaded_keras_model.weights, keras_model.weights, strict=True):
        for kind in ("regularizer", "constraint"):
            saved_object, original_object = getattr(weight, kind), getattr(original, kind)
            assert (saved_object and saved_object.get_config()) == (
                original_object and original_object.get_config()
            )

    reloaded, *trees = load(tmp_path / "saved.keras")
    assert reloaded == model
    assert_same_weights(flat(*trees), flat(params, state))
    assert from_config(to_config(model)) == model


def test_the_models_have_every_layer_of_keras():
    classes = {type(layer).__name__ for seed in SEEDS for layer in random_models.layers_of(seed)}
    for rank in RANKS:
        classes |= {type(layer).__name__ for layer in random_models.model_of_rank(rank).layers}
    for _, layers_of in random_models.SELECTED.values():
        classes |= {type(layer).__name__ for layer in layers_of()}
    # Wrappers are not layers of Keras; the others are in the graphs of test_graphs.py.
    wrappers = {"Frozen", "InBfloat16", "InferenceMode"}
    excluded = wrappers | {"Layer", "LayerScale", "SumPooling2D"} | MERGING
    assert set(layers.__all__) - excluded == classes


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        *((random_models.model, seed) for seed in range(4)),
        *((random_models.model_of_rank, rank) for rank in RANKS),
        *((random_models.selected_model, name) for name in random_models.SELECTED),
    ],
)
def test_legacy_files_and_weights_files_have_the_same_weights(make, argument, tmp_path, caplog):
    keras_model = make(argument)
    keras_model.save(tmp_path / "legacy.h5")
    keras_model.save_weights(tmp_path / "model.weights.h5")
    model, params, state = load(tmp_path / "legacy.h5")
    assert_same_weights(flat(params, state), weights_by_path(keras_model))
    for name in ("legacy.h5", "model.weights.h5"):
        assert_same_weights(
            flat(*load_weights(tmp_path / name, model)), weights_by_path(keras_model)
        )


@pytest.mark.parametrize(
    "make", [lambda: dcgan.generator(width=8), lambda: dcgan.discriminator(width=2)]
)
def test_the_dcgan_is_unchanged_after_a_round_trip(make, tmp_path):
    model = make()
    params, state = model.init(jax.random.key(0))
    state = jax.tree.map(lambda s: s + 0.25, state)
    save(tmp_path / "model.keras", model, params, state)
    keras_model = keras.models.load_model(tmp_path / "model.keras")
    assert keras_model.name == model.name
    x = examples(keras_model)
    assert_close(keras_model(x, training=False), model.apply(params, state, x)[0])
    keras_model.save(tmp_path / "keras.keras")
    reloaded, *trees = load(tmp_path / "keras.keras")
    assert reloaded == model
    assert_same_weights(flat(*trees), flat(params, state))


def test_keras_reads_and_writes_the_config():
    model = Sequential(
        [layers.Conv2D(3, 3, activation="gelu"), layers.Flatten(), layers.Dense(2)],
        input_shape=(5, 5, 1),
        name="small",
    )
    keras_model = keras.models.model_from_json(json.dumps(to_config(model)))
    assert from_config(json.loads(keras_model.to_json())) == model
    assert from_config(keras_model.get_config()) == model


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_weights_keep_their_dtype(dtype, tmp_path):
    keras_model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, dtype=dtype), keras.layers.ReLU(dtype=dtype)]
    )
    keras_model.save(tmp_path / "keras.keras")
    model, params, state = load(tmp_path / "keras.keras")
    assert_same_weights(flat(params, state), weights_by_path(keras_model))
    save(tmp_path / "saved.keras", model, params, state)
    reloaded_keras_model = keras.models.load_model(tmp_path / "saved.keras")
    assert_same_weights(weights_by_path(reloaded_keras_model), weights_by_path(keras_model))
    assert {layer.dtype_policy.name for layer in reloaded_keras_model.layers} == {dtype}


def test_float64_weights_require_x64(tmp_path):
    keras_model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    with jax.enable_x64(True):
        keras_model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, dtype="float64")])
        keras_model.save(tmp_path / "keras.keras")
        _, params, state = load(tmp_path / "keras.keras")
        assert_same_weights(flat(params, state), weights_by_path(keras_model))
    with pytest.raises(ValueError, match="jax_enable_x64"):
        load(tmp_path / "keras.keras")


def test_the_policy_mixed_bfloat16_becomes_in_bfloat16(tmp_path):
    keras_model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            keras.layers.Conv2D(3, 3, dtype="mixed_bfloat16"),
            keras.layers.BatchNormalization(dtype="mixed_bfloat16"),
            keras.layers.Flatten(dtype="mixed_bfloat16"),
        ]
    )
    keras_model.save(tmp_path / "keras.keras")
    model, params, state = load(tmp_path / "keras.keras")
    assert isinstance(model, InBfloat16)
    assert_same_weights(flat(params, state), weights_by_path(keras_model))
    x = examples(keras_model)
    np.testing.assert_allclose(
        model.apply(params, state, x)[0],
        np.asarray(keras_model(x, training=False), np.float32),
        rtol=2e-2,
        atol=2e-2,
    )
    save(tmp_path / "saved.keras", model, params, state)
    reloaded_keras_model = keras.models.load_model(tmp_path / "saved.keras")
    assert {layer.dtype_policy.name for layer in reloaded_keras_model.layers} == {"mixed_bfloat16"}
    assert from_config(to_config(model)) == model
    bfloat16_weights = jax.tree.map(lambda array: array.astype("bfloat16"), (params, state))
    with pytest.raises(ValueError, match="bfloat16 weights inside InBfloat16"):
        save(tmp_path / "bfloat16_weights.keras", model, *bfloat16_weights)


def test_layers_in_float32_remain_in_float32(tmp_path):
    keras_model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(3, dtype="mixed_bfloat16"),
            keras.layers.Dense(3, dtype="float32"),
        ]
    )
    keras_model.save(tmp_path / "keras.keras")
    model, params, state = load(tmp_path / "keras.keras")
    assert [type(layer) for layer in model.layers] == [InBfloat16, layers.Dense]
    x = examples(keras_model)
    np.testing.assert_allclose(
        model.apply(params, state, x)[0], keras_model(x, training=False), rtol=2e-2, atol=2e-2
    )
    assert from_config(to_config(model)) == model
    save(tmp_path / "saved.keras", model, params, state)
    reloaded_keras_model = keras.models.load_model(tmp_path / "saved.keras")
    assert [layer.dtype_policy.name for layer in reloaded_keras_model.layers] == [
        "mixed_bfloat16",
        "float32",
    ]


def test_the_input_shape_may_have_variable_axes(tmp_path):
    keras_model = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )
    keras_model.save(tmp_path / "keras.keras")
    model, params, state = load(tmp_path / "keras.keras")
    assert model.input_shape is None
    for size in (5, 8):
        x = np.random.default_rng(0).standard_normal((2, size, size, 3)).astype("float32")
        assert_close(model.apply(params, state, x)[0], keras_model(x))
    save(tmp_path / "saved.keras", model, params, state, input_shape=(None, None, 3))
    reloaded_keras_model = keras.models.load_model(tmp_path / "saved.keras")
    assert reloaded_keras_model.input_shape == (None, None, None, 3)
    assert_same_weights(weights_by_path(reloaded_keras_model), weights_by_path(keras_model))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_nested_sequential_and_functional_models_are_distinguished(order, tmp_path):
    rng = np.random.default_rng(0)
    inner = [
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)], name="one"),
        random_models.functional([keras.layers.Dense(4)], (4,), "two"),
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)], name="three"),
    ]
    keras_model = keras.Sequential([keras.Input((4,)), *(inner[position] for position in order)])
    keras_model.set_weights([rng.standard_normal(weight.shape) for weight in keras_model.weights])
    keras_model.save(tmp_path / "keras.keras")
    keras_model.save_weights(tmp_path / "keras.weights.h5")
    model, params, state = load(tmp_path / "keras.keras")
    for tree in (params, load_weights(tmp_path / "keras.weights.h5", model)[0]):
        assert_same_weights(flat(tree, state), weights_by_path(keras_model))
    # Weights are assigned by name; with other names the assignment is ambiguous.
    renamed = Sequential(model.layers, (4,), names=("a", "b", "c"))
    with pytest.raises(ValueError, match="does not specify which are those of"):
        load_weights(tmp_path / "keras.weights.h5", renamed)


def test_the_optimizer_in_a_file_is_ignored(tmp_path):
    keras_model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dropout(0.5)]
    )
    keras_model.compile("adam", "mse", metrics=["mae"])
    keras_model.fit(np.ones((8, 4)), np.ones((8, 3)), verbose=0)
    keras_model.save(tmp_path / "keras.keras")
    _, params, state = load(tmp_path / "keras.keras")
    assert_same_weights(flat(params, state), weights_by_path(keras_model))


def test_saving_is_deterministic(tmp_path):
    model = Sequential([layers.Dense(2)], input_shape=(3,))
    params, state = model.init(jax.random.key(0))
    for name in ("a.keras", "b.keras"):
        save(tmp_path / name, model, params, state)
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.keras", "b.keras"]
