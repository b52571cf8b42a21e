"""Keras -> here -> Keras: the same numbers at every stage."""

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

# Relative to the largest output; float32 carries 6e-8, sums are taken in another order.
TOLERANCE = 1e-5
# Every layer is in one of them; a test says so.
SEEDS = (*range(8), 13)
MORE_SEEDS = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(14, 40)]


def assert_close(ours, theirs):
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= TOLERANCE * max(1, np.abs(theirs).max())


def assert_same_weights(ours, theirs):
    assert ours.keys() == theirs.keys()
    for path, array in theirs.items():
        assert ours[path].dtype == array.dtype, path
        np.testing.assert_array_equal(ours[path], array, err_msg=str(path))


# A random model may do what a person would not mean.
@pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning")
@pytest.mark.parametrize("seed", [*SEEDS, *MORE_SEEDS])
def test_a_model_comes_from_keras_and_goes_back(seed, tmp_path):
    theirs = random_models.model(seed)
    theirs.save(tmp_path / "theirs.keras")
    model, params, state = load(tmp_path / "theirs.keras")
    assert_same_weights(flat(params, state), weights_by_path(theirs))
    # What init makes has the same structure.
    fresh = jax.eval_shape(model.init, jax.random.key(0))
    assert jax.tree.structure(fresh) == jax.tree.structure((params, state))

    x = examples(theirs)
    expected = theirs(x, training=False)
    y, new_state = model.apply(params, state, x)
    assert_close(y, expected)
    assert_close(model.penalty(params, new_state), sum(theirs.losses, start=np.zeros(())))

    save(tmp_path / "ours.keras", model, params, state)
    again = keras.models.load_model(tmp_path / "ours.keras")
    assert_same_weights(weights_by_path(again), weights_by_path(theirs))
    assert_close(again(x, training=False), expected)
    for weight, was in zip(again.weights, theirs.weights, strict=True):
        for kind in ("regularizer", "constraint"):
            ours, keras_own = getattr(weight, kind), getattr(was, kind)
            assert (ours and ours.get_config()) == (keras_own and keras_own.get_config())

    reloaded, *trees = load(tmp_path / "ours.keras")
    assert reloaded == model
    assert_same_weights(flat(*trees), flat(params, state))
    assert from_config(to_config(model)) == model


def test_random_models_have_every_layer_that_keras_has():
    seen = set()
    for seed in SEEDS:
        seen |= {type(layer).__name__ for layer in random_models.layers_of(seed)}
    assert seen >= random_models.CLASSES
    assert set(layers.__all__) - {"InBfloat16", "Layer", "SumPooling2D"} == random_models.CLASSES


@pytest.mark.parametrize("seed", (0, 1, 2, 3))
def test_legacy_files_and_weights_files_hold_the_same(seed, tmp_path, caplog):
    theirs = random_models.model(seed)
    theirs.save(tmp_path / "whole.h5")
    theirs.save_weights(tmp_path / "model.weights.h5")
    model, params, state = load(tmp_path / "whole.h5")
    assert_same_weights(flat(params, state), weights_by_path(theirs))
    for name in ("whole.h5", "model.weights.h5"):
        assert_same_weights(flat(*load_weights(tmp_path / name, model)), weights_by_path(theirs))


@pytest.mark.parametrize(
    "make", [lambda: dcgan.generator(width=8), lambda: dcgan.discriminator(width=2)]
)
def test_the_dcgan_goes_to_keras_and_comes_back(make, tmp_path):
    model = make()
    params, state = model.init(jax.random.key(0))
    state = jax.tree.map(lambda s: s + 0.25, state)
    save(tmp_path / "model.keras", model, params, state)
    theirs = keras.models.load_model(tmp_path / "model.keras")
    assert theirs.name == model.name
    x = examples(theirs)
    assert_close(theirs(x, training=False), model.apply(params, state, x)[0])
    theirs.save(tmp_path / "again.keras")
    again, *trees = load(tmp_path / "again.keras")
    assert again == model
    assert_same_weights(flat(*trees), flat(params, state))


def test_a_config_goes_through_keras_own_json():
    model = Sequential(
        [layers.Conv2D(3, 3, activation="gelu"), layers.Flatten(), layers.Dense(2)],
        input_shape=(5, 5, 1),
        name="small",
    )
    theirs = keras.models.model_from_json(json.dumps(to_config(model)))
    assert from_config(json.loads(theirs.to_json())) == model
    assert from_config(theirs.get_config()) == model


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_weights_keep_their_type_both_ways(dtype, tmp_path):
    theirs = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, dtype=dtype), keras.layers.ReLU(dtype=dtype)]
    )
    theirs.save(tmp_path / "theirs.keras")
    model, params, state = load(tmp_path / "theirs.keras")
    assert_same_weights(flat(params, state), weights_by_path(theirs))
    save(tmp_path / "ours.keras", model, params, state)
    again = keras.models.load_model(tmp_path / "ours.keras")
    assert_same_weights(weights_by_path(again), weights_by_path(theirs))
    assert {layer.dtype_policy.name for layer in again.layers} == {dtype}


def test_float64_needs_x64(tmp_path):
    theirs = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    with jax.enable_x64(True):
        theirs = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, dtype="float64")])
        theirs.save(tmp_path / "theirs.keras")
        _, params, state = load(tmp_path / "theirs.keras")
        assert_same_weights(flat(params, state), weights_by_path(theirs))
    with pytest.raises(ValueError, match="jax_enable_x64"):
        load(tmp_path / "theirs.keras")


def test_mixed_bfloat16_is_in_bfloat16(tmp_path):
    theirs = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            keras.layers.Conv2D(3, 3, dtype="mixed_bfloat16"),
            keras.layers.BatchNormalization(dtype="mixed_bfloat16"),
            keras.layers.Flatten(dtype="mixed_bfloat16"),
        ]
    )
    theirs.save(tmp_path / "theirs.keras")
    model, params, state = load(tmp_path / "theirs.keras")
    assert isinstance(model, InBfloat16)
    assert_same_weights(flat(params, state), weights_by_path(theirs))
    x = examples(theirs)
    np.testing.assert_allclose(
        model.apply(params, state, x)[0],
        np.asarray(theirs(x, training=False), np.float32),
        rtol=2e-2,
        atol=2e-2,
    )
    save(tmp_path / "ours.keras", model, params, state)
    again = keras.models.load_model(tmp_path / "ours.keras")
    assert {layer.dtype_policy.name for layer in again.layers} == {"mixed_bfloat16"}
    assert from_config(to_config(model)) == model
    narrow = jax.tree.map(lambda array: array.astype("bfloat16"), (params, state))
    with pytest.raises(ValueError, match="bfloat16 weights inside InBfloat16"):
        save(tmp_path / "narrow.keras", model, *narrow)


def test_a_head_in_float32_keeps_its_precision(tmp_path):
    theirs = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(3, dtype="mixed_bfloat16"),
            keras.layers.Dense(3, dtype="float32"),
        ]
    )
    theirs.save(tmp_path / "theirs.keras")
    model, params, state = load(tmp_path / "theirs.keras")
    assert [type(layer) for layer in model.layers] == [InBfloat16, layers.Dense]
    x = examples(theirs)
    np.testing.assert_allclose(
        model.apply(params, state, x)[0], theirs(x, training=False), rtol=2e-2, atol=2e-2
    )
    assert from_config(to_config(model)) == model
    save(tmp_path / "ours.keras", model, params, state)
    again = keras.models.load_model(tmp_path / "ours.keras")
    assert [layer.dtype_policy.name for layer in again.layers] == ["mixed_bfloat16", "float32"]


def test_images_of_any_size(tmp_path):
    theirs = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )
    theirs.save(tmp_path / "theirs.keras")
    model, params, state = load(tmp_path / "theirs.keras")
    assert model.input_shape is None
    for size in (5, 8):
        x = np.random.default_rng(0).standard_normal((2, size, size, 3)).astype("float32")
        assert_close(model.apply(params, state, x)[0], theirs(x))
    save(tmp_path / "ours.keras", model, params, state, input_shape=(None, None, 3))
    again = keras.models.load_model(tmp_path / "ours.keras")
    assert again.input_shape == (None, None, None, 3)
    assert_same_weights(weights_by_path(again), weights_by_path(theirs))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_models_of_both_kinds_inside_one_keep_their_weights_apart(order, tmp_path):
    rng = np.random.default_rng(0)
    inside = [
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)], name="one"),
        random_models.functional([keras.layers.Dense(4)], (4,), "two"),
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)], name="three"),
    ]
    theirs = keras.Sequential([keras.Input((4,)), *(inside[position] for position in order)])
    theirs.set_weights([rng.standard_normal(weight.shape) for weight in theirs.weights])
    theirs.save(tmp_path / "theirs.keras")
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    model, params, state = load(tmp_path / "theirs.keras")
    for tree in (params, load_weights(tmp_path / "theirs.weights.h5", model)[0]):
        assert_same_weights(flat(tree, state), weights_by_path(theirs))
    # The file says whose the weights are by name; for other names it cannot be known.
    renamed = Sequential(model.layers, (4,), names=("a", "b", "c"))
    with pytest.raises(ValueError, match="does not specify which are those of"):
        load_weights(tmp_path / "theirs.weights.h5", renamed)


def test_the_optimizer_in_a_file_is_left_there(tmp_path):
    theirs = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dropout(0.5)])
    theirs.compile("adam", "mse", metrics=["mae"])
    theirs.fit(np.ones((8, 4)), np.ones((8, 3)), verbose=0)
    theirs.save(tmp_path / "theirs.keras")
    _, params, state = load(tmp_path / "theirs.keras")
    assert_same_weights(flat(params, state), weights_by_path(theirs))


def test_the_same_model_makes_the_same_file(tmp_path):
    model = Sequential([layers.Dense(2)], input_shape=(3,))
    params, state = model.init(jax.random.key(0))
    for name in ("a.keras", "b.keras"):
        save(tmp_path / name, model, params, state)
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.keras", "b.keras"]


def test_layers_that_were_not_trained_are_named(tmp_path):
    theirs = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, name="fixed"), keras.layers.Dense(2)]
    )
    theirs.layers[0].trainable = False
    theirs.add(keras.layers.BatchNormalization(trainable=False))
    theirs.save(tmp_path / "theirs.keras")
    with pytest.warns(
        UserWarning, match=r": fixed, batch_normalization\w* are not trainable in Keras;"
    ):
        _, params, state = load(tmp_path / "theirs.keras")
    assert_same_weights(flat(params, state), weights_by_path(theirs))
