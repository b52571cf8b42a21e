"""Classifiers that start from trained models."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxlayers import Functional, Input, Sequential, layers, train, trainable, unfreeze
from jaxlayers.models import transfer

KEY = jax.random.key(1)


def sequential(classes: int = 3) -> Sequential:
    return Sequential(
        [
            layers.Conv2D(2, 3, strides=2),
            layers.BatchNormalization(),
            layers.GlobalMaxPooling2D(),
            layers.Dense(classes),
            layers.Activation("softmax"),
        ],
        (8, 8, 1),
    )


def graph(classes: int = 3) -> Functional:
    image = Input((None, None, 1))
    x = layers.Conv2D(2, 3, strides=2, padding="same")(image)
    x = layers.Add()([x, layers.BatchNormalization()(x)])
    x = layers.GlobalMaxPooling2D()(x)
    return Functional(image, layers.Dense(classes, activation="softmax")(x), name="graph")


def classifier(model, classes=2, *, init_shape=(8, 8, 1), **options):
    params, state = model.init(jax.random.key(0), init_shape)
    options = {"input_shape": (8, 8, 1), "key": KEY, **options}
    return params, transfer.classifier(model, params, state, classes=classes, **options)


@pytest.mark.parametrize("make", [sequential, graph])
def test_the_output_layer_is_replaced_if_the_number_of_classes_differs(make) -> None:
    source = make()
    params, (model, new_params, new_state) = classifier(source)
    assert model.names == (source.name, "predictions")
    assert model.output_shape() == (2,)
    assert new_params["predictions"]["kernel"].shape == (2, 2)
    assert new_params[source.name] == {k: v for k, v in params.items() if k != "dense"}
    x = jnp.ones((3, 8, 8, 1))
    y, _ = model.apply(new_params, new_state, x)
    np.testing.assert_allclose(y.sum(1), 1, rtol=1e-6)


@pytest.mark.parametrize("make", [sequential, graph])
def test_a_model_with_the_same_classes_predicts_the_same(make) -> None:
    source = make()
    params, state = source.init(jax.random.key(0), (8, 8, 1))
    model, *weights = transfer.classifier(
        *(source, params, state), input_shape=(8, 8, 1), classes=3, key=KEY, pixel_range=(-1, 1)
    )
    x = jax.random.uniform(jax.random.key(2), (3, 8, 8, 1))
    expected, _ = source.apply(params, state, 2 * x - 1)
    np.testing.assert_allclose(model.apply(*weights, x)[0], expected, rtol=1e-6)


def test_the_output_layer_for_other_classes_is_replaced() -> None:
    params, (_, kept, _) = classifier(sequential(), classes=3)
    _, (_, replaced, _) = classifier(sequential(), classes=3, new_head=True)
    assert kept["predictions"] == params["dense"]
    assert not np.array_equal(replaced["predictions"]["kernel"], params["dense"]["kernel"])


def test_feature_maps_are_averaged() -> None:
    features = graph().submodel("add")
    _, (model, params, state) = classifier(features, input_shape=(6, 9, 1))
    assert model.names == ("graph", "global_average_pooling2d", "predictions")
    assert model.apply(params, state, jnp.ones((1, 6, 9, 1)))[0].shape == (1, 2)


def test_frozen_features_do_not_change_in_training() -> None:
    _, (model, params, state) = classifier(graph(), freeze=True)
    mask = trainable(model, params)
    assert not any(jax.tree.leaves(mask["graph"])) and all(jax.tree.leaves(mask["predictions"]))
    task = train.Classifier(model, train.frozen(optax.adamw(0.1), mask))
    data = np.ones((4, 8, 8, 1), "float32"), np.array([0, 1, 1, 1])
    config = train.FitConfig(steps=3, batch_size=4)
    result = train.fit(task, data, config, initial=(params, state), verbose=False)
    trained = result.train_state.params
    assert jax.tree.all(jax.tree.map(np.array_equal, trained["graph"], params["graph"]))
    assert jax.tree.all(jax.tree.map(np.array_equal, result.train_state.state, state))
    assert not np.array_equal(trained["predictions"]["bias"], params["predictions"]["bias"])
    assert unfreeze(model)["graph"] == graph().submodel("global_max_pooling2d")


def test_wrong_arguments_are_refused() -> None:
    source = sequential()
    with pytest.raises(ValueError, match=r"must be \(8, 8, 1\), for which the model 'sequential'"):
        classifier(source, input_shape=(9, 8, 1))
    with pytest.raises(ValueError, match="classes must be at least 2"):
        classifier(source, classes=1)
    with pytest.raises(ValueError, match="pixel_range must be a finite number"):
        classifier(source, pixel_range=("black", 1))
    with pytest.raises(TypeError, match="must be a Sequential or a Functional, got Dense"):
        classifier(layers.Dense(2), init_shape=(8,))
    sequence = Sequential([layers.Reshape((-1, 1))], (8, 8, 1))
    with pytest.raises(ValueError, match=r"must return features.*got the shape \(64, 1\)"):
        classifier(sequence)
