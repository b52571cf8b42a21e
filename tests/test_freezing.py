"""Frozen layers, and the mask of trainable weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers import Functional, Input, Sequential, freeze, layers, trainable, unfreeze
from jaxlayers.layers import Frozen, InBfloat16, InferenceMode

ENCODER = Sequential([layers.Dense(3), layers.BatchNormalization()], name="encoder")
MODEL = Sequential(
    [ENCODER, layers.ReLU(), InBfloat16(layers.Dense(2))], (4,), names=("encoder", "relu", "head")
)


def mask(model):
    return trainable(model, model.init(jax.random.key(0), model.input_shape)[0])


def test_all_layers_of_a_model_are_frozen_by_default() -> None:
    assert freeze(MODEL).layers == tuple(map(Frozen, MODEL.layers))
    assert not any(jax.tree.leaves(mask(freeze(MODEL))))
    assert all(jax.tree.leaves(mask(MODEL)))


def test_layers_of_nested_models_are_frozen_by_their_paths() -> None:
    frozen = freeze(MODEL, ["encoder/dense", "head"])
    assert frozen["encoder"]["dense"] == Frozen(layers.Dense(3))
    assert frozen["head"] == Frozen(InBfloat16(layers.Dense(2)))
    normalization = {"beta": True, "gamma": True}
    dense = {"bias": False, "kernel": False}
    assert mask(frozen) == {
        "encoder": {"dense": dense, "batch_normalization": normalization},
        "head": dense,
    }
    # Layers inside models that are frozen as a whole, and inside wrappers.
    assert mask(freeze(MODEL, ["encoder"]))["encoder"]["batch_normalization"] == {
        "beta": False,
        "gamma": False,
    }
    wrapped = InBfloat16(InferenceMode(frozen))
    assert mask(wrapped) == mask(frozen)
    assert freeze(InBfloat16(MODEL), ["encoder/dense", "head"]) == InBfloat16(frozen)


def test_unfreeze_is_the_inverse_of_freeze() -> None:
    for names in (None, ["encoder"], ["encoder/dense", "relu"]):
        assert unfreeze(freeze(MODEL, names)) == MODEL
    partly = unfreeze(freeze(freeze(MODEL, ["encoder/dense"])), ["encoder"])
    assert partly == freeze(MODEL, ["relu", "head"])
    assert freeze(freeze(MODEL)) == freeze(MODEL)


def test_input_layers_are_not_frozen() -> None:
    image = Input((4,))
    graph = Functional(image, layers.Dense(2)(MODEL(image)))
    frozen = freeze(graph)
    assert [type(layer).__name__ for layer in frozen.layers] == ["InputLayer", "Frozen", "Frozen"]
    assert frozen.names == graph.names
    partly = freeze(graph, ["sequential/encoder"])
    assert partly["sequential"] == freeze(MODEL, ["encoder"])
    assert mask(partly)["dense"] == {"bias": True, "kernel": True}
    assert unfreeze(frozen) == unfreeze(partly) == graph


def test_names_that_the_model_does_not_have_are_refused() -> None:
    for change in (freeze, unfreeze):
        owner = change.__name__
        with pytest.raises(ValueError, match=f"{owner}: names .*'encoder/dense'.*, got 'dense'; "):
            change(MODEL, ["head", "dense"])
        with pytest.raises(ValueError, match=r"got 'heads'; did you mean 'head'\?"):
            change(MODEL, ["heads"])
        with pytest.raises(ValueError, match="must be a list of names, got the string 'head'"):
            change(MODEL, "head")
        with pytest.raises(TypeError, match=r"must be a Sequential or a Functional, got Dense\("):
            change(layers.Dense(2))
    with pytest.raises(TypeError, match=r"trainable: model must be a jaxlayers.Layer, got 3 \(int"):
        trainable(3, {})
    with pytest.raises(TypeError, match=r"trainable: params must be a dictionary, .* None \(None"):
        trainable(MODEL, None)


def test_gradients_of_frozen_weights_are_zero_and_others_unchanged() -> None:
    params, state = MODEL.init(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (3, 4))

    def gradient(model):
        return jax.grad(lambda p: (model.apply(p, state, x)[0] ** 2).sum())(params)

    expected = gradient(MODEL)
    for names in (["encoder"], ["head"], ["encoder/batch_normalization"], None):
        model = freeze(MODEL, names)
        jax.tree.map(
            lambda g, e, keep: np.testing.assert_array_equal(g, e if keep else 0 * e),
            gradient(model),
            expected,
            mask(model),
        )


def test_batch_normalization_in_frozen_layers_uses_and_keeps_its_statistics() -> None:
    params, state = MODEL.init(jax.random.key(0))
    state = jax.tree.map(lambda s: s + 0.25, state)
    x = jax.random.normal(jax.random.key(1), (3, 4))
    inferred, _ = MODEL.apply(params, state, x)
    in_training, changed = MODEL.apply(params, state, x, training=True)
    assert not np.allclose(inferred, in_training)
    assert jax.tree.leaves(jax.tree.map(np.array_equal, changed, state)) == [False, False]
    for model in (freeze(MODEL), freeze(MODEL, ["encoder"]), InferenceMode(MODEL)):
        y, new_state = model.apply(params, state, x, training=True)
        np.testing.assert_array_equal(y, inferred)
        jax.tree.map(np.testing.assert_array_equal, new_state, state)


def test_dropout_is_applied_in_frozen_layers_but_not_in_inference_mode() -> None:
    x, key = jnp.ones((2, 50)), jax.random.key(0)
    dropout = Sequential([layers.Dropout(0.5)])
    for layer, zeros in ((Frozen(dropout), True), (InferenceMode(dropout), False)):
        y, _ = layer.apply({}, {}, x, training=True, key=key)
        assert bool((y == 0).any()) is zeros
        np.testing.assert_array_equal(layer.apply({}, {}, x)[0], x)


def test_frozen_weights_have_no_penalties_and_no_constraints() -> None:
    dense = layers.Dense(
        2, kernel_regularizer="l2", kernel_constraint="non_neg", activity_regularizer="l2"
    )
    model = Sequential([Sequential([dense], name="inner")], (3,))
    params, state = model.init(jax.random.key(0))
    x = jnp.ones((2, 3))
    _, state = model.apply(params, state, x)
    activity = state["inner"]["dense"]["activity_penalty"]
    frozen = freeze(model)
    assert float(activity) > 0
    # The penalty of the output remains, as in Keras.
    assert frozen.penalty(params, state) == activity < model.penalty(params, state)
    jax.tree.map(np.testing.assert_array_equal, frozen.constrain(params), params)
    assert (model.constrain(params)["inner"]["dense"]["kernel"] >= 0).all()
