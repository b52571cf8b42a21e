"""Training of a head on frozen features of a Keras file, and of the whole model, as in Keras."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest

from jaxlayers import trainable, unfreeze
from jaxlayers.interop.keras import load
from jaxlayers.train import Classifier, frozen
from tests.interop.random_models import flat, weights_by_path

K = keras.layers
# With a larger rate for all layers, the loss increases, and rounding errors with it.
HEAD_RATE, RATE, MOMENTUM, CLASSES = 0.02, 1e-3, 0.9, 4


def block(x, filters, strides):
    """An inverted residual of MobileNetV2, with an expansion of 2."""

    def normalized(y):
        return K.BatchNormalization(momentum=0.9)(y)

    y = K.ReLU(6.0)(normalized(K.Conv2D(2 * x.shape[-1], 1, use_bias=False)(x)))
    padding = "same"
    if strides > 1:
        y, padding = K.ZeroPadding2D(((0, 1), (0, 1)))(y), "valid"
    y = K.DepthwiseConv2D(3, strides, padding, use_bias=False)(y)
    y = K.ReLU(6.0)(normalized(y))
    y = normalized(K.Conv2D(filters, 1, use_bias=False)(y))
    return y if strides > 1 or filters != x.shape[-1] else K.Add()([x, y])


def classifier(size, blocks):
    """Returns a model of Keras whose features are not trainable."""
    keras.utils.set_random_seed(0)
    keras.backend.clear_session()
    image = x = keras.Input((size, size, 3))
    x = K.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(x)
    x = K.ReLU(6.0)(K.BatchNormalization()(x))
    for filters, strides in blocks:
        x = block(x, filters, strides)
    features = keras.Model(image, x, name="features")
    # Moving statistics as after training.
    rng = np.random.default_rng(1)
    for weight in features.non_trainable_weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    features.trainable = False
    image = keras.Input((size, size, 3))
    x = K.GlobalAveragePooling2D()(features(image))
    return keras.Model(image, K.Dense(CLASSES, activation="softmax", name="head")(x))


def keras_losses(keras_model, rate, images, labels, steps):
    """Trains a Keras model and returns the loss of each step."""
    optimizer = keras.optimizers.SGD(rate, MOMENTUM)
    optimizer.build(keras_model.trainable_variables)

    @jax.jit
    def step(values, others, opt_state, images, labels):
        def loss_of(values):
            y, new = keras_model.stateless_call(values, others, images, training=True)
            return keras.losses.sparse_categorical_crossentropy(labels, y).mean(), new

        (loss, others), gradients = jax.value_and_grad(loss_of, has_aux=True)(values)
        return *optimizer.stateless_apply(opt_state, gradients, values), others, loss

    values, others = (
        [jnp.asarray(v.value) for v in variables]
        for variables in (keras_model.trainable_variables, keras_model.non_trainable_variables)
    )
    opt_state, losses = [v.value for v in optimizer.variables], []
    for number in range(steps):
        values, opt_state, others, loss = step(
            values, others, opt_state, images[number], labels[number]
        )
        losses.append(float(loss))
    for variables, arrays in (
        (keras_model.trainable_variables, values),
        (keras_model.non_trainable_variables, others),
    ):
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
    return losses


def losses_of(model, rate, params, state, images, labels, steps):
    """Trains a model and returns the loss of each step, the params and the state."""
    optimizer = frozen(optax.sgd(rate, MOMENTUM), trainable(model, params))
    task = Classifier(model, optimizer)
    train_state = task.init(jax.random.key(0), params=params, state=state)
    step, losses = jax.jit(task.step), []
    for number in range(steps):
        train_state, metrics = step(train_state, (images[number], labels[number]))
        losses.append(float(metrics["loss"]))
    return losses, train_state.params, train_state.state


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras
@pytest.mark.parametrize(
    ("size", "blocks", "steps"),
    [
        (8, [(4, 1)], 3),
        pytest.param(
            32, [(6, 1), (6, 1), (8, 2), (8, 1), (12, 2), (12, 1)], 20, marks=pytest.mark.slow
        ),
    ],
)
def test_features_that_are_frozen_and_unfrozen_are_trained_as_in_keras(
    size, blocks, steps, tmp_path
) -> None:
    keras_model = classifier(size, blocks)
    keras_model.save(tmp_path / "classifier.keras")
    model, params, state = load(tmp_path / "classifier.keras")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, (2 * steps, 8))
    # Images whose mean depends on the class.
    images = rng.uniform(0, 0.5, (2 * steps, 8, size, size, 3)) + labels[..., *[None] * 3] / 8
    images = images.astype("float32")

    # The head only.
    expected = keras_losses(keras_model, HEAD_RATE, images, labels, steps)
    losses, trained, new_state = losses_of(model, HEAD_RATE, params, state, images, labels, steps)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for actual, before in ((trained["features"], params["features"]), (new_state, state)):
        jax.tree.map(np.testing.assert_array_equal, actual, before)
    assert not np.array_equal(trained["head"]["kernel"], params["head"]["kernel"])

    # The whole model, with a new optimizer.
    keras_model.trainable = True
    expected = keras_losses(keras_model, RATE, images[steps:], labels[steps:], steps)
    model = unfreeze(model)
    losses, trained, new_state = losses_of(
        model, RATE, trained, new_state, images[steps:], labels[steps:], steps
    )
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    # Rounding errors grow with each step.
    for path, array in weights_by_path(keras_model).items():
        np.testing.assert_allclose(
            flat(trained, new_state)[path], array, rtol=1e-3, atol=1e-4, err_msg=str(path)
        )
    moved = flat(trained["features"], {})
    assert all((array != flat(params["features"], {})[path]).any() for path, array in moved.items())
