"""The classifier compared with formulas and with Keras."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from PIL import Image

from jaxlayers import Sequential, layers
from jaxlayers.data import Dataset, Streamed
from jaxlayers.models import cnn
from jaxlayers.train import Classifier, InBfloat16
from jaxlayers.train.augmentation import Cutout, Flip, Shift

SHAPE = (4, 4, 1)
CLASSES = 4
KEY = jax.random.key(0)
LABELS = np.array([2, 0, 3, 3, 1, 2])
ONE_HOT = np.eye(CLASSES, dtype=np.float32)[LABELS]
IMAGES = np.random.default_rng(0).uniform(size=(len(LABELS), *SHAPE)).astype(np.float32)
# Sums of a few dozen float32 products, in another order.
TOLERANCE = {"rtol": 1e-4, "atol": 1e-6}


def dense(classes=CLASSES, activation="softmax", **arguments):
    return layers.Dense(classes, activation=activation, **arguments)


def model(*first_layers, last=None):
    return Sequential([layers.Flatten(), *first_layers, last or dense()], input_shape=SHAPE)


def classifier(*first_layers, last=None, **arguments):
    return Classifier(model(*first_layers, last=last), optax.sgd(0.1), **arguments)


@functools.cache
def jitted(task):
    return jax.jit(task.step)


def step(task, train_state=None, batch=(IMAGES, LABELS)):
    return jitted(task)(task.init(KEY) if train_state is None else train_state, batch)


def assert_trees_close(actual, expected, **tolerance):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, **(tolerance or TOLERANCE)), actual, expected
    )


def assert_trees_equal(actual, expected):
    assert_trees_close(actual, expected, rtol=0, atol=0)


def kernel(train_state):
    return np.asarray(train_state.params["dense"]["kernel"])


def softmax(logits):
    return jnp.exp(logits) / jnp.exp(logits).sum(-1, keepdims=True)


def reference_logits(params, images):
    return images.reshape(len(images), -1) @ params["dense"]["kernel"] + params["dense"]["bias"]


def reference_cross_entropy(params, images, targets):
    return -(targets * jnp.log(softmax(reference_logits(params, images)))).sum(-1)


def reference_squared_error(params, images, targets):
    return (0.5 * (targets - softmax(reference_logits(params, images))) ** 2).sum(-1)


REFERENCE_LOSSES = {
    "cross_entropy": reference_cross_entropy,
    "squared_error": reference_squared_error,
}


@pytest.mark.parametrize("loss", REFERENCE_LOSSES)
def test_steps_equal_the_written_out_formulas(loss):
    task = classifier(loss=loss)
    train_state = task.init(KEY)
    params = train_state.params
    for number in range(3):
        train_state, metrics = step(task, train_state)
        value, gradient = jax.value_and_grad(
            lambda params: REFERENCE_LOSSES[loss](params, IMAGES, ONE_HOT).mean()
        )(params)
        params = jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient)
        assert_trees_close(train_state.params, params)
        np.testing.assert_allclose(metrics["loss"], value, rtol=1e-5)
        assert train_state.step == number + 1


def test_the_gradient_of_squared_error_equals_numpy():
    task = classifier(loss="squared_error")
    initial = task.init(KEY)
    updated, _ = step(task, initial)
    flat = IMAGES.reshape(len(IMAGES), -1).astype(np.float64)
    logits = flat @ kernel(initial) + np.asarray(initial.params["dense"]["bias"])
    outputs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    output_gradient = outputs - ONE_HOT
    logits_gradient = outputs * (
        output_gradient - (output_gradient * outputs).sum(-1, keepdims=True)
    )
    expected = kernel(initial) - 0.1 * flat.T @ logits_gradient / len(flat)
    np.testing.assert_allclose(kernel(updated), expected, **TOLERANCE)


def test_updates_equal_those_of_the_optimizer_alone():
    optimizer = optax.adam(1e-2)
    task = Classifier(model(), optimizer)
    train_state = task.init(KEY)
    params, opt_state = train_state.params, optimizer.init(train_state.params)
    for _ in range(2):
        train_state, _ = step(task, train_state)
        gradient = jax.grad(lambda p: reference_cross_entropy(p, IMAGES, ONE_HOT).mean())(params)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        params = optax.apply_updates(params, updates)
    # Adam divides by the root of the second moment, which amplifies small differences.
    assert_trees_close(train_state.params, params, rtol=1e-3, atol=1e-5)


def test_user_defined_losses_receive_logits_and_targets():
    def hinge(logits, targets):
        return jnp.maximum(0, 1 - logits * (2 * targets - 1)).sum(-1)

    task = classifier(loss=hinge)
    initial = task.init(KEY)
    updated, metrics = step(task, initial)
    value, gradient = jax.value_and_grad(
        lambda p: hinge(reference_logits(p, IMAGES), ONE_HOT).mean()
    )(initial.params)
    np.testing.assert_allclose(metrics["loss"], value, rtol=1e-5)
    expected = jax.tree.map(lambda p, g: p - 0.1 * g, initial.params, gradient)
    assert_trees_close(updated.params, expected)


@pytest.mark.parametrize(
    "labels",
    [
        ONE_HOT,
        ONE_HOT.astype(np.float64),
        ONE_HOT.astype(np.uint8),
        ONE_HOT.astype(bool),
        LABELS.astype(np.uint8),
        LABELS.astype(np.int32),
    ],
    ids=["float32", "float64", "uint8", "bool", "labels-uint8", "labels-int32"],
)
def test_one_hot_and_integer_labels_of_all_dtypes_are_equivalent(labels):
    task = classifier(label_smoothing=0.1, class_weights=(1, 2, 3, 4))
    assert_trees_equal(step(task, batch=(IMAGES, labels))[0].params, step(task)[0].params)
    train_state = task.init(KEY)
    expected = task.evaluate(train_state, (IMAGES, LABELS))
    assert_trees_equal(task.evaluate(train_state, (IMAGES, labels)), expected)


def test_uint8_images_equal_floats_divided_by_255():
    images = np.random.default_rng(1).integers(256, size=IMAGES.shape, dtype=np.uint8)
    task = classifier()
    uint8_params, float_params = (
        step(task, batch=(each, LABELS))[0].params for each in (images, images / np.float32(255))
    )
    assert_trees_close(uint8_params, float_params, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.int32, jnp.bfloat16], ids=["int32", "bfloat16"])
def test_targets_are_float32_for_all_image_dtypes(dtype):
    images = np.zeros(IMAGES.shape)  # the same in every dtype
    soft = np.full((len(LABELS), CLASSES), 0.23, np.float32)
    soft[:, 0] = 0.31
    task = classifier(loss="squared_error", label_smoothing=0.1)
    train_state = task.init(KEY)
    for labels in (LABELS, soft):
        expected = task.evaluate(train_state, (jnp.asarray(images, jnp.float32), labels))
        actual = task.evaluate(train_state, (jnp.asarray(images, dtype), labels))
        assert_trees_close(actual, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_label_smoothing_equals_keras(smoothing):
    task = classifier(label_smoothing=smoothing)
    train_state = task.init(KEY)
    keras_loss = keras.losses.CategoricalCrossentropy(label_smoothing=smoothing, from_logits=True)
    logits = reference_logits(train_state.params, IMAGES)
    _, metrics = step(task, train_state)
    np.testing.assert_allclose(metrics["loss"], keras_loss(ONE_HOT, logits), rtol=1e-5)


@pytest.mark.parametrize("labels", ["integers", "one-hot"])
def test_class_weights_equal_keras(labels):
    weights = (0.5, 2.0, 0.0, 3.0)
    task = classifier(class_weights=weights)
    initial = task.init(KEY)
    updated, metrics = step(task, initial, (IMAGES, LABELS if labels == "integers" else ONE_HOT))
    expected = reference_cross_entropy(initial.params, IMAGES, ONE_HOT) * np.array(weights)[LABELS]
    np.testing.assert_allclose(metrics["loss"], expected.sum() / len(LABELS), rtol=1e-5)

    keras_model = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(CLASSES)]
    )
    # Copies, because Keras donates its weights when it trains.
    keras_model.layers[-1].set_weights(
        [np.array(initial.params["dense"][name]) for name in ("kernel", "bias")]
    )
    keras_model.compile(
        keras.optimizers.SGD(0.1), keras.losses.CategoricalCrossentropy(from_logits=True)
    )
    loss = keras_model.train_on_batch(IMAGES, ONE_HOT, class_weight=dict(enumerate(weights)))
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-5)
    np.testing.assert_allclose(kernel(updated), keras_model.layers[-1].kernel.value, **TOLERANCE)


def test_class_weights_can_be_a_dictionary_as_in_keras():
    task = classifier(class_weights={0: 0.5, 2: 3})
    assert task.class_weights == (0.5, 1, 3, 1)
    assert task == dataclasses.replace(task, class_weights=(0.5, 1, 3, 1)) and hash(task)
    assert "class_weights=(0.5, 1.0, 3.0, 1.0)" in repr(task)


def test_init_accepts_given_params_and_state():
    task = classifier(layers.BatchNormalization())
    trained, _ = step(task)
    restarted = task.init(KEY, params=trained.params, state=trained.state)
    assert_trees_equal((restarted.params, restarted.state), (trained.params, trained.state))
    assert restarted.step == 0
    float16_params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float16), trained.params)
    assert {
        leaf.dtype for leaf in jax.tree.leaves(task.init(KEY, params=float16_params).params)
    } == {jnp.dtype("float32")}
    model, params, state = task.models(trained)["model"]
    assert model == task.model
    assert_trees_equal((params, state), (trained.params, trained.state))


def test_steps_are_exported_with_a_symbolic_batch_size():
    task = classifier(
        layers.BatchNormalization(), layers.Dropout(0.5), augmentations=[Flip(), Shift(1)]
    )
    train_state = task.init(KEY)
    train_state = train_state._replace(key=jax.random.key_data(train_state.key))

    def exported_step(train_state, images, labels):
        key = jax.random.wrap_key_data(train_state.key)
        updated, metrics = task.step(train_state._replace(key=key), (images, labels))
        return updated.params, metrics

    (batch,) = jax.export.symbolic_shape("batch")
    shapes = (
        jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), train_state),
        jax.ShapeDtypeStruct((batch, *SHAPE), jnp.uint8),
        jax.ShapeDtypeStruct((batch,), jnp.int32),
    )
    exported = jax.export.export(jax.jit(exported_step))(*shapes)
    images = (255 * IMAGES).astype(np.uint8)
    for count in (1, 4, 6):
        arguments = train_state, images[:count], LABELS[:count].astype(np.int32)
        actual = jax.jit(exported.call)(*arguments)
        assert_trees_close(actual, jax.jit(exported_step)(*arguments))


def test_predict_and_evaluate_are_exported_with_a_symbolic_batch_size():
    task = classifier()
    train_state = task.init(KEY)
    params = train_state.params

    def predict_and_evaluate(params, images, labels):
        state = train_state._replace(params=params)
        return task.predict(state, images), task.evaluate(state, (images, labels))

    (batch,) = jax.export.symbolic_shape("batch")
    exported = jax.export.export(jax.jit(predict_and_evaluate))(
        params,
        jax.ShapeDtypeStruct((batch, *SHAPE), jnp.float32),
        jax.ShapeDtypeStruct((batch, 1), jnp.int32),
    )
    labels = LABELS[:, None].astype(np.int32)
    assert_trees_close(
        exported.call(params, IMAGES, labels), predict_and_evaluate(params, IMAGES, labels)
    )


@pytest.mark.parametrize("loss", REFERENCE_LOSSES)
def test_models_with_and_without_softmax_are_equivalent(loss):
    last_layers = (
        dense(),
        dense(activation=None),
        Sequential([dense(activation=None), layers.Softmax()]),
    )
    with_softmax, without_softmax, nested = (
        classifier(last=last, loss=loss) for last in last_layers
    )
    train_state, metrics = step(with_softmax)
    assert_trees_equal(step(without_softmax)[0].params, train_state.params)
    np.testing.assert_array_equal(
        with_softmax.predict(train_state, IMAGES), without_softmax.predict(train_state, IMAGES)
    )
    inner = with_softmax.init(KEY).params
    nested_state = nested.init(KEY)._replace(params={"sequential": inner})
    updated, nested_metrics = step(nested, nested_state)
    assert_trees_close(updated.params["sequential"], train_state.params)
    assert_trees_close(nested_metrics, metrics)


def test_penalties_are_minimized_but_not_included_in_the_loss_metric():
    unpenalized = classifier()
    penalized = classifier(last=dense(kernel_regularizer="l2", activity_regularizer="l1"))
    initial = penalized.init(KEY)
    updated, metrics = step(penalized, initial)
    np.testing.assert_allclose(metrics["loss"], step(unpenalized)[1]["loss"], rtol=1e-6)

    def loss_of(params):
        # The activity is the logits, which the last layer returns in training. As in Keras, the
        # activity penalty is a mean over the batch.
        activity = 0.01 * abs(reference_logits(params, IMAGES)).sum() / len(IMAGES)
        penalty = 0.01 * (params["dense"]["kernel"] ** 2).sum() + activity
        return reference_cross_entropy(params, IMAGES, ONE_HOT).mean() + penalty

    expected = jax.tree.map(
        lambda p, g: p - 0.1 * g, initial.params, jax.grad(loss_of)(initial.params)
    )
    assert_trees_close(updated.params, expected)


def test_constraints_hold_after_every_update():
    task = classifier(last=dense(kernel_constraint="non_neg"))
    train_state = task.init(KEY)
    assert (kernel(train_state) < 0).any()
    train_state, _ = step(task, train_state)
    assert (kernel(train_state) >= 0).all() and (kernel(train_state) > 0).any()


def test_moving_statistics_are_updated_in_training_and_used_in_evaluation():
    task = classifier(layers.BatchNormalization(momentum=0.9))
    initial = task.init(KEY)
    updated, _ = step(task, initial)
    mean = IMAGES.reshape(len(IMAGES), -1).mean(0)
    moving = updated.state["batch_normalization"]["moving_mean"]
    np.testing.assert_allclose(moving, 0.1 * mean, rtol=1e-5)
    with_statistics = initial._replace(state=updated.state)
    losses = [
        task.evaluate(state, (IMAGES, LABELS))["loss"] for state in (initial, with_statistics)
    ]
    assert not np.allclose(*losses)


def test_accuracies_equal_numpy():
    rng = np.random.default_rng(3)
    logits = rng.uniform(size=(50, 8)).astype(np.float32)
    labels = rng.integers(8, size=50)
    identity = Sequential([layers.Reshape((8,))], input_shape=(1, 8, 1))
    task = Classifier(identity, optax.sgd(0.1))
    batch = logits.reshape(-1, 1, 8, 1), labels
    evaluated = task.evaluate(task.init(KEY), batch)
    order = np.argsort(-logits, axis=-1)
    expected = {
        "accuracy": order[:, 0] == labels,
        "top_5_accuracy": (order[:, :5] == labels[:, None]).any(-1),
    }
    assert 0 < expected["accuracy"].mean() < expected["top_5_accuracy"].mean() < 1
    for name, hits in expected.items():
        np.testing.assert_allclose(evaluated[name], hits.mean(), rtol=1e-6)
    _, metrics = step(task, batch=batch)
    for name, hits in expected.items():
        np.testing.assert_allclose(metrics[name], hits.mean(), rtol=1e-6)


@pytest.mark.parametrize("classes", [2, 5, 6])
def test_top_5_accuracy_is_reported_for_more_than_5_classes(classes):
    task = classifier(last=dense(classes))
    names = {"loss", "accuracy"} | ({"top_5_accuracy"} if classes > 5 else set())
    batch = IMAGES, LABELS % classes
    assert step(task, batch=batch)[1].keys() == names
    assert task.evaluate(task.init(KEY), batch).keys() == names


def test_evaluate_uses_inference_mode_and_no_class_weights():
    first_layers = layers.BatchNormalization(), layers.Dropout(0.5)
    task = classifier(*first_layers, class_weights=(9, 9, 9, 9), augmentations=[Cutout(4)])
    train_state, _ = step(task)
    evaluate = jax.jit(task.evaluate)
    means = evaluate(train_state, (IMAGES, LABELS))
    # The result of an example does not depend on the others or on its position.
    each = [evaluate(train_state, (IMAGES[[row]], LABELS[[row]])) for row in range(len(LABELS))]
    assert_trees_close(jax.tree.map(lambda *values: np.mean(values), *each), means)
    outputs = np.asarray(task.predict(train_state, IMAGES))
    expected = -np.log(outputs[np.arange(len(LABELS)), LABELS])
    np.testing.assert_allclose(means["loss"], expected.mean(), rtol=1e-5)
    np.testing.assert_allclose(means["accuracy"], np.mean(outputs.argmax(-1) == LABELS), rtol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 2, 4, 6, 256])
def test_evaluate_and_predict_do_not_depend_on_the_batch_size(batch_size):
    task = classifier(layers.BatchNormalization())
    train_state, _ = step(task)
    means = task.evaluate(train_state, (IMAGES, LABELS), batch_size)
    assert_trees_close(means, task.evaluate(train_state, (IMAGES, LABELS)))
    assert {value.shape for value in means.values()} == {()}
    predictions = task.predict(train_state, IMAGES, batch_size)
    expected = task.predict(train_state, IMAGES)
    np.testing.assert_allclose(predictions, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "data",
    [
        Dataset((255 * IMAGES).astype(np.uint8), LABELS.astype(np.int32), None, "noise"),
        ((255 * IMAGES).astype(np.uint8).tolist(), LABELS.tolist()),
        (jnp.asarray((255 * IMAGES).astype(np.uint8)), jnp.asarray(LABELS)),
        ((255 * IMAGES).astype(np.uint8), LABELS[:, None]),
        ((255 * IMAGES).astype(np.uint8), ONE_HOT.tolist()),
    ],
    ids=["Dataset", "lists", "jax", "column", "one-hot-list"],
)
def test_evaluate_accepts_data_sets_lists_and_arrays(data):
    task = classifier()
    train_state = task.init(KEY)
    if isinstance(data, tuple) and isinstance(data[0], list):
        data = np.array(data[0], np.uint8), data[1]
    expected = task.evaluate(train_state, ((255 * IMAGES).astype(np.uint8), LABELS))
    assert_trees_equal(task.evaluate(train_state, data), expected)
    assert_trees_equal(
        task.evaluate(train_state, (IMAGES.tolist(), LABELS.tolist())),
        task.evaluate(train_state, (IMAGES, LABELS)),
    )


def test_predict_returns_the_outputs_of_the_model():
    task = classifier()
    train_state = task.init(KEY)
    expected, _ = task.model.apply(train_state.params, train_state.state, jnp.asarray(IMAGES))
    np.testing.assert_allclose(task.predict(train_state, IMAGES), expected, rtol=1e-6)
    images = (255 * IMAGES).astype(np.uint8)
    np.testing.assert_allclose(
        task.predict(train_state, images),
        task.predict(train_state, images / np.float32(255)),
        rtol=1e-6,
    )
    with pytest.raises(ValueError, match=r"Classifier: images must be \[batch, 4, 4, 1\]"):
        task.predict(train_state, IMAGES[:, :3])


def test_random_numbers_depend_on_the_step_and_the_key():
    for task in (classifier(layers.Dropout(0.5)), classifier(augmentations=[Shift(2)])):
        first = task.init(KEY)
        later = first._replace(step=jnp.int32(1))
        other = first._replace(key=jax.random.key(7))
        kernels = [kernel(step(task, train_state)[0]) for train_state in (first, later, other)]
        for a in range(3):
            assert not any(np.array_equal(kernels[a], kernels[b]) for b in range(a))


def test_training_is_deterministic():
    task = classifier(layers.Dropout(0.5), augmentations=[Shift(1), Flip(), Cutout(2)])
    runs = []
    for _ in range(2):
        train_state = task.init(KEY)
        for _ in range(2):
            train_state, metrics = step(task, train_state)
        runs.append((train_state.params, metrics))
    assert_trees_equal(*runs)


def test_augmentations_are_applied_only_in_training():
    task = classifier(augmentations=[lambda key, image: 1 - image])
    initial = task.init(KEY)
    updated, metrics = step(task, initial)
    expected, expected_metrics = step(classifier(), initial, (1 - IMAGES, LABELS))
    assert_trees_equal((updated.params, metrics), (expected.params, expected_metrics))
    evaluated = task.evaluate(initial, (IMAGES, LABELS))
    assert_trees_equal(evaluated, classifier().evaluate(initial, (IMAGES, LABELS)))


def test_augmentations_of_uint8_images_receive_floats_from_0_to_1():
    def check(key, image):
        assert image.dtype == jnp.float32
        return image

    step(classifier(augmentations=[check]), batch=((255 * IMAGES).astype(np.uint8), LABELS))


def test_vmap_over_seeds_equals_single_runs():
    task = classifier(layers.BatchNormalization(), layers.Dropout(0.3), augmentations=[Flip()])

    def run(seed):
        train_state = task.init(jax.random.key(seed))
        train_state, metrics = task.step(train_state, (IMAGES, LABELS))
        return train_state.params, train_state.state, metrics

    mapped = jax.jit(jax.vmap(run))(jnp.arange(3))
    single = jax.jit(run)
    for seed in range(3):
        each = jax.tree.map(lambda values, n=seed: values[n], mapped)
        assert_trees_close(each, single(seed))


def test_in_bfloat16_has_float32_params_and_similar_results():
    float32_task = classifier()
    task = Classifier(InBfloat16(float32_task.model), float32_task.optimizer)
    assert task.image_shape == SHAPE and task.classes == CLASSES
    train_state, metrics = step(task)
    expected, expected_metrics = step(float32_task)
    assert {leaf.dtype for leaf in jax.tree.leaves((train_state.params, metrics))} == {
        jnp.dtype("float32")
    }
    # bfloat16 has eight bits, and images, kernel and gradient are rounded to bfloat16.
    assert_trees_close(train_state.params, expected.params, rtol=2e-2, atol=2e-3)
    np.testing.assert_allclose(metrics["loss"], expected_metrics["loss"], rtol=2e-2)
    probabilities = task.predict(train_state, IMAGES)
    np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-5)


def test_a_convolutional_model_fits_four_images():
    images = np.eye(64, dtype=np.float32)[[3, 17, 40, 62]].reshape(4, 8, 8, 1)
    task = Classifier(cnn.lenet((8, 8, 1), 4, width=2, hidden=8, dropout=0), optax.adam(1e-2))
    step = jax.jit(task.step)
    train_state = task.init(KEY)
    for _ in range(100):
        train_state, metrics = step(train_state, (images, np.arange(4)))
    assert metrics["accuracy"] == 1 and metrics["loss"] < 0.1
    assert task.predict(train_state, images).argmax(-1).tolist() == [0, 1, 2, 3]


def test_rows_returns_images_and_labels_of_a_data_set_or_a_tuple():
    images = (255 * IMAGES).astype(np.uint8)
    task = classifier()
    rows = task.rows(Dataset(images, LABELS.astype(np.int32), None, "noise"))
    assert rows[0] is images
    np.testing.assert_array_equal(rows[1], LABELS)
    assert task.rows((IMAGES, LABELS)) == (IMAGES, LABELS)
    assert task.rows((IMAGES, ONE_HOT)) == (IMAGES, ONE_HOT)


def test_a_data_set_without_labels_is_refused():
    dataset = Dataset(np.zeros((3, *SHAPE), np.uint8), None, None, "unnamed")
    with pytest.raises(ValueError, match="Classifier: unnamed has no labels; a folder with"):
        classifier().rows(dataset)


def test_streamed_images_are_refused(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(TypeError, match=r"must be a Dataset or a tuple .*, got Streamed; a folder"):
        classifier().rows(Streamed(tmp_path))


@pytest.mark.parametrize("data", [IMAGES, [IMAGES, LABELS], (IMAGES,), (IMAGES, LABELS, LABELS)])
def test_data_that_is_not_a_pair_is_refused(data):
    with pytest.raises(TypeError, match="must be a Dataset or a tuple"):
        classifier().rows(data)


@pytest.mark.parametrize("wrong", [-1, CLASSES, 250])
def test_labels_out_of_range_are_refused(wrong):
    labels = LABELS.copy()
    labels[3] = wrong
    message = f"labels must be from 0 to 3, because the model has 4 classes, got {wrong}"
    with pytest.raises(ValueError, match=message):
        classifier().rows((IMAGES, labels))


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ((IMAGES, LABELS[:-1]), r"labels of 6 images .*got int\d+ of shape \(5,\)"),
        ((IMAGES, ONE_HOT[:, :3]), r"one-hot, \(6, 4\); got float32 of shape \(6, 3\)"),
        ((IMAGES, LABELS.astype(np.float32)), r"integers of shape \(6,\).*got float32"),
        ((IMAGES, np.stack([LABELS] * 2, 1)), r"got int\d+ of shape \(6, 2\)"),
        ((IMAGES[..., 0], LABELS), r"images must be \[batch, 4, 4, 1\].*\(6, 4, 4\)"),
        ((IMAGES[:, :3], LABELS), r"images must be .*\(6, 3, 4, 1\)"),
    ],
)
def test_images_and_labels_of_wrong_shapes_are_refused(batch, message):
    task = classifier()
    train_state = task.init(KEY)
    for call in (
        lambda: task.rows(batch),
        lambda: task.step(train_state, batch),
        lambda: task.evaluate(train_state, batch),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": Sequential([layers.Flatten(), dense()])}, "constructed with input_shape"),
        ({"model": layers.Dense(3)}, "constructed with input_shape"),
        ({"model": Sequential([layers.ReLU()], SHAPE)}, r"it returns \(4, 4, 1\)"),
        ({"model": model(last=dense(1))}, r"at least two classes.*it returns \(1,\)"),
        ({"loss": "mse"}, "loss must be one of 'cross_entropy', 'squared_error' or a .*'mse'"),
        ({"loss": None}, "loss must be one of .* got None"),
        *(
            ({"label_smoothing": value}, f"label_smoothing must be .*, got {value}")
            for value in (-0.1, 1, 1.5, float("nan"))
        ),
        ({"class_weights": (1, 2, 3)}, r"class_weights must be 4 .* got \(1.0, 2.0, 3.0\)"),
        ({"class_weights": (1, 2, 3, -1)}, "none of them negative"),
        ({"class_weights": (1, 2, 3, float("inf"))}, "4 finite numbers"),
        ({"class_weights": (1, 2, 3, float("nan"))}, "4 finite numbers"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"Classifier: .*{message}"):
        Classifier(**({"model": model(), "optimizer": optax.sgd(0.1)} | arguments))


def test_classifiers_are_hashable_and_equal_by_value():
    weighted = classifier(class_weights=[1, 2, 3, 4], augmentations=[Flip()])
    same = dataclasses.replace(weighted, class_weights=np.arange(1, 5), augmentations=(Flip(),))
    assert weighted == same and hash(weighted) == hash(same)
