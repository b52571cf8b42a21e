"""Keras files and configs of graphs of layers."""

import json

import jax
import keras
import numpy as np
import pytest

from jaxlayers import Functional, Input, Sequential, freeze, layers, trainable
from jaxlayers.interop.keras import from_config, load, load_weights, save, serialize, to_config
from jaxlayers.layers import Frozen, InBfloat16, InferenceMode
from tests.interop import random_graphs
from tests.interop.random_models import flat, weights_by_path
from tests.interop.test_round_trip import assert_close, assert_same_weights

MORE_SEEDS = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 60)]


def examples_of(keras_model):
    """Returns random inputs of a model, in the form of its inputs."""
    rng = np.random.default_rng(0)

    def array(tensor):
        shape = [4 if size is None else size for size in tensor.shape[1:]]
        return rng.standard_normal((2, *shape)).astype("float32")

    # Keras's own order, which is that of the layers.
    named = {tensor.name: array(tensor) for tensor in keras_model.inputs}
    return jax.tree.map(lambda tensor: named[tensor.name], keras_model._inputs_struct)


def assert_close_trees(actual, expected):
    # Keras returns several outputs as a list.
    expected = tuple(expected) if isinstance(expected, list) else expected
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    jax.tree.map(assert_close, actual, expected)


def assert_unchanged_after_a_round_trip(keras_model, tmp_path):
    weights = weights_by_path(keras_model)
    for name in ("keras.keras", "keras.h5"):
        keras_model.save(tmp_path / name)
        model, params, state = load(tmp_path / name)
        assert_same_weights(flat(params, state), weights)
    model_of_h5 = model
    model, params, state = load(tmp_path / "keras.keras")
    assert type(model) is Functional and model == model_of_h5
    keras_model.save_weights(tmp_path / "keras.weights.h5")
    assert_same_weights(flat(*load_weights(tmp_path / "keras.weights.h5", model)), weights)
    updated = {
        path for path, is_updated in flat(trainable(model, params), {}).items() if is_updated
    }
    assert updated == trainable_paths(keras_model)

    x = examples_of(keras_model)
    expected = keras_model(x, training=False)
    y, new_state = model.apply(params, state, x)
    assert_close_trees(y, expected)
    assert_close(model.penalty(params, new_state), sum(keras_model.losses, start=np.zeros(())))

    save(tmp_path / "saved.keras", model, params, state)
    reloaded_keras_model = keras.models.load_model(tmp_path / "saved.keras")
    assert_same_weights(weights_by_path(reloaded_keras_model), weights)
    assert trainable_paths(reloaded_keras_model) == trainable_paths(keras_model)
    assert_close_trees(y, reloaded_keras_model(x, training=False))
    reloaded, *trees = load(tmp_path / "saved.keras")
    assert reloaded == model
    assert_same_weights(flat(*trees), weights)
    assert from_config(to_config(model)) == model
    assert from_config(json.loads(json.dumps(serialize(model)))) == model


def trainable_paths(keras_model, above=()):
    """Returns the paths of the weights that Keras trains."""
    paths = set()
    for layer in keras_model.layers:
        if hasattr(layer, "layers"):
            paths |= trainable_paths(layer, (*above, layer.name))
        else:
            names = [weight.name for weight in layer.trainable_weights]
            names = ["gamma" if name.startswith("variable") else name for name in names]
            paths |= {(*above, layer.name, name) for name in names}
    return paths


def test_a_graph_of_every_kind_is_unchanged_after_a_round_trip(tmp_path):
    assert_unchanged_after_a_round_trip(random_graphs.every_kind(), tmp_path)


@pytest.mark.parametrize("seed", [*range(2), *MORE_SEEDS])
def test_a_random_graph_is_unchanged_after_a_round_trip(seed, tmp_path):
    assert_unchanged_after_a_round_trip(random_graphs.graph(seed), tmp_path)


def test_operations_become_layers():
    x = keras.Input((3,))
    operations = [lambda x: 2.0 * x, lambda x: 1 - x, lambda x: x / 4, keras.ops.relu]
    outputs = [operation(x) for operation in operations]
    model = from_config(keras.Model(x, [*outputs, x + outputs[0]]).get_config())
    assert [layer for layer in model.layers if not hasattr(layer, "shape")] == [
        layers.Rescaling(2.0),
        layers.Rescaling(-1.0, 1.0),
        layers.Rescaling(0.25),
        layers.Activation("relu"),
        layers.Add(),
    ]


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        (lambda x: x**2, "Power"),
        (lambda x: 1 / x, "TrueDivide"),
        (lambda x: keras.ops.matmul(x, x), "Matmul"),
        (lambda x: keras.ops.maximum(x, 0.0), "Maximum"),
        (lambda x: keras.ops.elu(x, 0.5), "Elu"),
        (lambda x: x[:, 1:], "GetItem"),
        (lambda x: x + np.ones(3), "Add"),
    ],
)
def test_other_operations_are_refused(operation, name):
    x = keras.Input((3,), batch_size=3)
    config = keras.Model(x, operation(x), name="graph").get_config()
    message = "(the operation is not supported; only Add|.* is not an output of a layer)"
    with pytest.raises(ValueError, match=rf" \({name}\): {message}"):
        from_config(config)


def test_the_training_argument_of_calls_is_that_of_the_model():
    x = keras.Input((3,))
    normalization = keras.layers.BatchNormalization(name="normalization")
    keras_model = keras.Model(x, keras.layers.Dropout(0.0)(normalization(x, training=False)))
    nodes = [layer["inbound_nodes"] for layer in keras_model.get_config()["layers"][1:]]
    assert [call["kwargs"] for (call,) in nodes] == [{"training": False}] * 2
    model = from_config(keras_model.get_config())
    assert model["normalization"] == layers.BatchNormalization()
    # Keras updates the moving statistics in training, and so does this model.
    examples = np.arange(12.0, dtype="float32").reshape(4, 3)
    params, state = model.init(jax.random.key(0))
    key = jax.random.key(1)
    _, state = jax.jit(lambda p, s, x: model.apply(p, s, x, training=True, key=key))(
        params, state, examples
    )
    keras_model(examples, training=True)
    for name in ("moving_mean", "moving_variance"):
        expected = getattr(normalization, name)
        np.testing.assert_allclose(state["normalization"][name], expected, rtol=1e-6)
    always = keras.Model(x, normalization(x, training=True))
    with pytest.raises(ValueError, match=r"is called with \{'training': True\}, which is not supp"):
        from_config(always.get_config())
    with pytest.raises(ValueError, match="Keras has no InferenceMode"):
        to_config(Sequential([InferenceMode(layers.Dropout(0.5))], (3,)))


def test_layers_that_are_not_trainable_are_frozen(tmp_path):
    inner = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()], name="inner"
    )
    keras_model = keras.Sequential([keras.Input((4,)), inner, keras.layers.Dense(2, name="head")])
    inner.trainable = False
    keras_model.save(tmp_path / "keras.keras")
    model, params, state = load(tmp_path / "keras.keras")
    assert all(isinstance(layer, Frozen) for layer in model["inner"].layers)
    assert trainable(model, params)["head"] == {"bias": True, "kernel": True}
    # A frozen model is written as one whose layers are frozen.
    whole = freeze(from_config({**to_config(model)}), ["inner"])
    assert isinstance(whole["inner"], Frozen)
    save(tmp_path / "saved.keras", whole, params, state)
    reloaded = keras.models.load_model(tmp_path / "saved.keras")
    assert trainable_paths(reloaded) == trainable_paths(keras_model)
    assert load(tmp_path / "saved.keras")[0] == model
    # Layers without weights have no flag that matters.
    flatten = keras.Sequential([keras.Input((4,)), keras.layers.Flatten(trainable=False)])
    assert from_config(flatten.get_config()).layers == (layers.Flatten(),)


def test_frozen_layers_in_bfloat16_are_read_and_written():
    x = Input((3,))
    y = InBfloat16(Frozen(layers.Dense(2)))(x)
    model = Functional(x, layers.Dense(2)(y))
    read = from_config(to_config(model))
    assert read["dense"] == Frozen(InBfloat16(layers.Dense(2)))
    assert from_config(to_config(read)) == read
    assert from_config(serialize(model)) == model


def test_images_of_any_size_are_read_and_written(tmp_path):
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu")(image)
    keras_model = keras.Model(image, keras.layers.GlobalMaxPooling2D()(x))
    keras_model.save(tmp_path / "keras.keras")
    model, params, state = load(tmp_path / "keras.keras")
    assert model.input_shape == (None, None, 3)
    for size in (5, 8):
        x = np.random.default_rng(0).standard_normal((2, size, size, 3)).astype("float32")
        assert_close(model.apply(params, state, x)[0], keras_model(x))
    save(tmp_path / "saved.keras", model, params, state)
    assert keras.models.load_model(tmp_path / "saved.keras").input_shape == (None, None, None, 3)
    assert load(tmp_path / "saved.keras")[0] == model
