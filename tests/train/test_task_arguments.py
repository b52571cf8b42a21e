"""Errors of tasks name the argument, the value received and the values allowed."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxlayers import Functional, Input, Sequential, layers
from jaxlayers.models import cnn, dcgan
from jaxlayers.train import GAN, Classifier, FitConfig, Supervised, fit
from jaxlayers.train.augmentation import Flip
from jaxlayers.train.task import check_task
from tests.train import toys

KEY = jax.random.key(0)
SHAPE = (4, 4, 1)
IMAGES = np.random.default_rng(0).uniform(size=(6, *SHAPE)).astype(np.float32)
BYTES = (255 * IMAGES).astype(np.uint8)
LABELS = np.array([2, 0, 3, 3, 1, 2])
ONE_HOT = np.eye(4, dtype=np.float32)[LABELS]
MODEL = Sequential([layers.Flatten(), layers.Dense(4, activation="softmax")], SHAPE)


def model_ending_in(*last_layers, units=4):
    return Sequential([layers.Flatten(), layers.Dense(units), *last_layers], SHAPE)


def generator_ending_in(*last_layers):
    return Sequential([layers.Dense(16), layers.Reshape(SHAPE), *last_layers], (3,))


def gan(**arguments):
    valid = {
        "generator": toys.generator(),
        "discriminator": toys.discriminator(),
        "generator_optimizer": optax.sgd(0.1),
        "discriminator_optimizer": optax.sgd(0.1),
    }
    return GAN(**valid | arguments)


def classifier(**arguments):
    return Classifier(**{"model": MODEL, "optimizer": optax.sgd(0.1)} | arguments)


def message_of(call, *arguments, **keywords):
    with pytest.raises((TypeError, ValueError)) as error_info:
        call(*arguments, **keywords)
    return str(error_info.value)


OPTIMIZER = r"an Optax optimizer, such as optax.adam\(1e-3\), got "
OPTIMIZERS = [
    (None, OPTIMIZER + r"None \(NoneType\)"),
    ("adam", OPTIMIZER + r"'adam' \(str\)"),
    (0.001, OPTIMIZER + r"0.001 \(float\)"),
    (optax.adam, OPTIMIZER + "adam itself; call it"),
    (optax.GradientTransformation, OPTIMIZER + "GradientTransformation itself"),
    ([optax.adam(1e-3)], OPTIMIZER + r"\["),
]
FRACTION = "a number from 0 to below 1, got "
FRACTIONS = [
    ("x", FRACTION + r"'x' \(str\)"),
    (True, FRACTION + r"True \(bool\)"),
    (1, FRACTION + r"1 \(int\)"),
    (-0.1, FRACTION + "-0.1"),
    (float("nan"), FRACTION + "nan"),
    ([0.5], FRACTION + r"\[0.5\]"),
]
LAYER = r"a layer, such as Sequential\(\[...\], input_shape=...\), got "


@pytest.mark.parametrize(
    ("argument", "value", "expected"),
    [
        ("generator", None, LAYER + r"None \(NoneType\)"),
        ("generator", "x", LAYER + r"'x' \(str\)"),
        ("generator", Sequential, LAYER + "<class"),
        ("generator", layers.Dense(2), r"input_shape, the shape of a latent vector.*got Dense\("),
        ("generator", MODEL, r"return images, of shape \(height, width, channels\).*\(4,\)"),
        ("discriminator", None, LAYER + "None"),
        (
            "discriminator",
            toys.generator(),
            r"accept the images .* of shape \(4, 4, 1\), but raises: ",
        ),
        ("discriminator", MODEL, r"one number per image, shape \(1,\).* it returns \(4,\)"),
        ("discriminator", dcgan.discriminator(width=1), r"shape \(4, 4, 1\), but raises: .*28"),
        *(
            ("discriminator", toys.discriminator(layers.Activation(name)), f"it ends in {name}")
            for name in ("tanh", "relu", "softplus", "softmax", "hard_sigmoid", "log_sigmoid")
        ),
        ("discriminator", toys.discriminator(layers.ReLU()), "sigmoid or .*logits.*ends in relu"),
        ("discriminator", toys.discriminator(layers.LeakyReLU()), "ends in leaky_relu"),
        (
            "discriminator",
            Sequential([layers.Conv2D(1, 1, activation="sigmoid"), layers.GlobalMaxPooling2D()]),
            "followed by layers that change the output",
        ),
        *(("generator_optimizer", *case) for case in OPTIMIZERS),
        *(("discriminator_optimizer", *case) for case in OPTIMIZERS),
        *(("ema", *case) for case in FRACTIONS),
    ],
)
def test_wrong_arguments_of_a_gan_are_refused(argument, value, expected):
    message = message_of(gan, **{argument: value})
    # The error for an incompatible generator may name the discriminator.
    assert re.search(rf"GAN: (the )?({argument}|discriminator) must .*{expected}", message), message


WEIGHTS = (
    "4 finite numbers, none of them negative, or a dictionary from classes to such numbers, got "
)
AUGMENTATIONS = r"a list of functions \(key, image\) -> image, such as \[augmentation.Flip\(\)\], "


@pytest.mark.parametrize(
    ("argument", "value", "expected"),
    [
        ("model", None, LAYER + "None"),
        ("model", "x", LAYER + "'x'"),
        ("model", layers.Dense(2), r"input_shape, the shape of an image.*got Dense\(units=2\)"),
        (
            "model",
            toys.generator(),
            r"two classes, shape \(classes,\).* returns \(4, 4, 1\)",
        ),
        (
            "model",
            model_ending_in(units=1),
            r"two classes, shape \(classes,\).* returns \(1,\)",
        ),
        *(
            (
                "model",
                model_ending_in(layers.Activation(name)),
                f"softmax or return logits.*ends in {name}",
            )
            for name in ("sigmoid", "relu", "tanh", "log_softmax", "softplus")
        ),
        ("model", model_ending_in(layers.Softmax(axis=0)), "over another axis"),
        (
            "model",
            Sequential([layers.Conv2D(1, 1, activation="softmax"), layers.Flatten()], SHAPE),
            "so that it cannot be removed",
        ),
        *(("optimizer", *case) for case in OPTIMIZERS),
        ("loss", "mse", "one of 'cross_entropy', 'squared_error' or a function, got 'mse'"),
        ("loss", None, "or a function, got None"),
        ("loss", dict, "or a function, got <class 'dict'>"),
        *(("label_smoothing", *case) for case in FRACTIONS),
        ("class_weights", "abcd", WEIGHTS + "'abcd'"),
        ("class_weights", 3, WEIGHTS + "3"),
        ("class_weights", (1, 2, 3), WEIGHTS + r"\(1.0, 2.0, 3.0\)"),
        ("class_weights", (1, 2, 3, "x"), WEIGHTS + r"\(1, 2, 3, 'x'\)"),
        ("class_weights", {4: 1.0}, "keys from 0 to 3, got 4"),
        ("class_weights", {"cat": 1.0}, "keys from 0 to 3, got 'cat'"),
        ("class_weights", {0: -1.0}, WEIGHTS + r"\(-1.0, 1.0, 1.0, 1.0\)"),
        ("augmentations", None, AUGMENTATIONS + "got None"),
        ("augmentations", "flip", AUGMENTATIONS + "got 'flip'"),
        ("augmentations", [3], AUGMENTATIONS + r"got the element 3 \(int\)"),
        ("augmentations", Flip, AUGMENTATIONS + "got <class"),
        ("augmentations", [Flip], AUGMENTATIONS + "got the class Flip; pass an instance"),
        ("augmentations", Flip(), AUGMENTATIONS + r"got Flip\(\)"),
    ],
)
def test_wrong_arguments_of_a_classifier_are_refused(argument, value, expected):
    message = message_of(classifier, **{argument: value})
    assert re.search(rf"Classifier: (the )?{argument} must .*{expected}", message), message


RANGE = r"values from 0 to 1, or be uint8 from 0 to 255; got "
BAD_IMAGES = [
    ([], r"\[batch, 4, 4, 1\].*shape \(0,\)"),
    ("x", "an array of numbers.*got str"),
    (None, "an array of numbers.*got NoneType"),
    (np.array([["a"]]), "an array of numbers.*got ndarray of <U1"),
    (IMAGES[:0], r"at least one image, got an array of shape \(0, 4, 4, 1\)"),
    (IMAGES[0], r"\[batch, 4, 4, 1\].*shape \(4, 4, 1\); for one image pass image\[None\]"),
    (IMAGES[..., 0], r"\[batch, 4, 4, 1\].*shape \(6, 4, 4\)"),
    (BYTES.astype(np.int32), RANGE + r"int32 from 0 to 25\d: use images.astype\(np.uint8\)"),
    (BYTES.astype(np.int64), RANGE + r"int64 from 0 to 25\d: use"),
    (BYTES.astype(np.float32), RANGE + r"float32 from 0 to 25\d: use"),
    (IMAGES * 2 - 1, RANGE + "float32 from -"),
    (IMAGES * np.nan, RANGE + "float32 from nan"),
    (IMAGES.astype(np.complex64), RANGE + "complex64"),
]


@pytest.mark.parametrize(("images", "expected"), BAD_IMAGES)
def test_invalid_images_are_refused(images, expected):
    gan_task, classifier_task = gan(), classifier()
    states = gan_task.init(KEY), classifier_task.init(KEY)
    labels = LABELS[: np.shape(images)[0]] if np.ndim(images) > 1 else LABELS
    for owner, call in (
        ("GAN", lambda: gan_task.step(states[0], images)),
        ("GAN", lambda: gan_task.rows(images)),
        ("Classifier", lambda: classifier_task.step(states[1], (images, labels))),
        ("Classifier", lambda: classifier_task.rows((images, labels))),
        ("Classifier", lambda: classifier_task.evaluate(states[1], (images, labels))),
        ("Classifier", lambda: classifier_task.predict(states[1], images)),
    ):
        message = message_of(call)
        assert re.search(f"{owner}: images must .*{expected}", message), message


@pytest.mark.parametrize("dtype", [np.int32, np.uint16])
def test_integers_other_than_uint8_are_refused_under_jit(dtype):
    task = gan()
    with pytest.raises(ValueError, match=rf"GAN: images must .*got {np.dtype(dtype)}: use"):
        jax.jit(task.step)(task.init(KEY), BYTES.astype(dtype))


BAD_LABELS = [
    (LABELS + 6, "from 0 to 3, because the model has 4 classes, got 8"),
    (LABELS - 1, "from 0 to 3, .* got -1"),
    (["cat", "dog"] * 3, r"integers from 0 to 3.*got strings such as 'cat', 'dog'; convert them"),
    (np.array(["cat", "dog"] * 3, object), "got strings such as 'cat', 'dog'"),
    (ONE_HOT * 5, r"sum to 1, got \[0.0, 0.0, 5.0, 0.0\] in row 0"),
    (ONE_HOT * 3 - 0.5, "be non-negative and sum to 1"),
    (ONE_HOT * np.nan, "sum to 1, got"),
    (LABELS[:-1], r"of shape \(6,\), or one-hot, \(6, 4\); got int64 of shape \(5,\)"),
    (LABELS.astype(float), r"integers of shape \(6,\).*got float64"),
    (None, "an array of numbers or a list of these, got"),
]


@pytest.mark.parametrize(("labels", "expected"), BAD_LABELS)
def test_invalid_labels_are_refused(labels, expected):
    task = classifier()
    train_state = task.init(KEY)
    for call in (
        lambda: task.step(train_state, (IMAGES, labels)),
        lambda: task.rows((IMAGES, labels)),
        lambda: task.evaluate(train_state, (IMAGES, labels)),
    ):
        message = message_of(call)
        assert re.search(rf"Classifier: (one-hot )?labels .*{expected}", message), message


def test_labels_that_are_not_a_class_give_a_loss_of_nan_under_jit():
    task = classifier()
    for label in (4, -1):
        labels = LABELS.copy()
        labels[1] = label
        _, metrics = jax.jit(task.step)(task.init(KEY), (IMAGES, labels))
        assert np.isnan(metrics["loss"])


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: gan().init(0), r"GAN: key must be .* jax.random.key\(0\), got 0 \(int\)"),
        (lambda: gan().init(None), "GAN: key must be .* got None"),
        (lambda: gan().init(jax.random.split(KEY)), "GAN: key must be a single JAX random key"),
        (lambda: classifier().init("x"), "Classifier: key must be .* got 'x'"),
        (lambda: classifier().init(np.zeros(2)), "Classifier: key must be .* got array"),
        (lambda: gan().sample(gan().init(KEY), KEY, -1), "n must be a positive integer, got -1"),
        (lambda: gan().sample(gan().init(KEY), KEY, 0), "n must be a positive integer, got 0"),
        (lambda: gan().sample(gan().init(KEY), KEY, 2.5), r"GAN.sample: n must be .* got 2.5"),
        (lambda: gan().sample(gan().init(KEY), KEY, True), r"GAN.sample: n must be .* got True"),
        (lambda: gan().sample(gan().init(KEY), 0, 1), r"GAN.sample: key must be .* got 0"),
        (lambda: gan().sample(None, KEY, 1), "GAN: train_state must be a TrainState.* got None"),
        (lambda: gan().step(None, IMAGES), "GAN: train_state must be a TrainState.* got None"),
        (lambda: gan().models({}), r"GAN: train_state must be a TrainState.* got \{\}"),
        (
            lambda: classifier().step(None, (IMAGES, LABELS)),
            "Classifier: train_state must be a TrainState, as returned by init or step, got None",
        ),
        (lambda: classifier().predict(3, IMAGES), "Classifier: train_state must .* got 3"),
        (
            lambda: classifier().step(classifier().init(KEY), IMAGES),
            r"Classifier: batch must be .* tuple \(images, labels\), got ndarray",
        ),
        (
            lambda: classifier().evaluate(classifier().init(KEY), IMAGES),
            r"Classifier: data must be a Dataset or a tuple \(images, labels\), got ndarray",
        ),
        (
            lambda: classifier().predict(classifier().init(KEY), IMAGES, 0),
            "Classifier: batch_size must be a positive integer, got 0",
        ),
        (
            lambda: classifier().evaluate(classifier().init(KEY), (IMAGES, LABELS), "x"),
            "Classifier: batch_size must be a positive integer, got 'x'",
        ),
        (
            lambda: classifier(loss=lambda x, y: jnp.mean(x)).step(
                classifier().init(KEY), (IMAGES, LABELS)
            ),
            r"Classifier: loss must return one number per example.*\(6,\), got shape \(\)",
        ),
        (
            lambda: classifier(augmentations=[lambda key, x: x[:2]]).step(
                classifier().init(KEY), (IMAGES, LABELS)
            ),
            r"augment: .* must return an image of the same shape, \(4, 4, 1\), got \(2, 4, 1\)",
        ),
    ],
)
def test_wrong_arguments_of_methods_are_refused(call, expected):
    message = message_of(call)
    assert re.search(expected, message, re.DOTALL), message


INITIAL_STATE = classifier().init(KEY)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"params": {}}, r"params must have the arrays of the model, params\['dense'\]\['bias'\]"),
        ({"params": None, "state": {"a": np.ones(1)}}, r"also has state\['a'\]"),
        ({"params": 3}, r"it does not have params\['dense'\]\['bias'\]"),
        (
            {"params": {"dense": INITIAL_STATE.params["dense"] | {"bias": np.ones(3)}}},
            r"params\['dense'\]\['bias'\] must be .* shape \(4,\) and .*float64 of shape \(3,\)",
        ),
        (
            {"params": {"dense": INITIAL_STATE.params["dense"] | {"bias": np.array(["a"] * 4)}}},
            r"params\['dense'\]\['bias'\] must be numbers .*got <U1",
        ),
        (
            {"params": {"dense": INITIAL_STATE.params["dense"] | {"bias": None}}},
            r"params\['dense'\]\['bias'\] must be numbers .*got object",
        ),
        (
            {"params": INITIAL_STATE.params | {"extra": {"kernel": np.ones(2)}}},
            r"params\['extra'\]",
        ),
    ],
)
def test_params_of_another_model_are_refused(arguments, expected):
    message = message_of(classifier().init, KEY, **arguments)
    assert re.search(rf"Classifier: .*{expected}", message), message


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            {"params": 3},
            "params must be a dictionary with the keys 'generator' and 'discriminator', got 3",
        ),
        (
            {"state": {"dense": {}}},
            "state must be a dictionary with the keys .* got the keys 'dense'",
        ),
        (
            {"params": {"discriminator": toys.gan().init(KEY).params["generator"]}},
            r"params\['discriminator'\] must have the arrays of the model",
        ),
    ],
)
def test_params_of_another_gan_are_refused(arguments, expected):
    assert re.search(rf"GAN: .*{expected}", message_of(gan().init, KEY, **arguments))


class MinimalTask:
    def init(self, key):
        return None

    def step(self, train_state, batch):
        return train_state, {}


class MisspelledMethod(MinimalTask):
    def evalute(self, train_state, data):
        return {}


class MisspelledRows(MinimalTask):
    def rowss(self, data):
        return data


class SimilarNames(MinimalTask):
    def evaluate(self, train_state, data):
        return {}

    def evaluated(self):
        return None


class WrongArguments(MinimalTask):
    def sample(self, train_state, n):
        return n


class RowsAttribute(MinimalTask):
    rows = 3


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (None, "task must have init.* and step.* such as .* got None"),
        ("x", "task must have .* got 'x'"),
        (GAN, "task must have .* got the class GAN"),
        (
            MisspelledMethod(),
            r"MisspelledMethod has a method evalute.* did you mean evaluate\(train_state, data\)",
        ),
        (MisspelledRows(), r"MisspelledRows has a method rowss.* did you mean rows\(data\)"),
        (
            WrongArguments(),
            r"WrongArguments.sample must be called as sample\(train_state, key, n\), "
            r"got sample\(train_state, n\)",
        ),
        (RowsAttribute(), r"RowsAttribute.rows must be a method rows\(data\), got 3"),
    ],
)
def test_invalid_tasks_are_refused(task, expected):
    assert re.search(f"^fit: {expected}", message_of(check_task, task))


def test_tasks_are_accepted():
    regression = Supervised(MODEL, optax.sgd(0.1), "mse")
    for task in (gan(), classifier(), regression, toys.SumTask(), MinimalTask(), SimilarNames()):
        check_task(task)
    check_task(Classifier(cnn.lenet(width=2, hidden=8), optax.sgd(0.1)))


def test_models_for_any_size_are_refused_and_accepted_in_a_sequential():
    image = Input((None, None, 1))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 2)(image))
    model = Functional(image, layers.Dense(4)(pooled))
    expected = r"must be constructed with input_shape, .* any size, \(None, None, 1\); Sequential"
    for make, name in (
        (lambda: classifier(model=model), "model"),
        (lambda: Supervised(model, optax.sgd(0.1), "mse"), "model"),
        (lambda: gan(generator=model), "generator"),
    ):
        assert re.search(f"the {name} {expected}", message_of(make))
    task = classifier(model=Sequential([model], input_shape=SHAPE))
    _, metrics = task.step(task.init(KEY), (IMAGES, LABELS))
    assert np.isfinite(metrics["loss"])


def pixels(*after, scale=1 / 127.5):
    """Returns a model of images from 0 to 255."""
    inside = [layers.Rescaling(scale, -1), layers.Flatten(), layers.Dense(4), *after]
    image = Input(SHAPE)
    return Functional(image, Sequential(inside, SHAPE)(image))


def test_models_that_scale_images_again_are_refused():
    expected = r"images with values from 0 to 1, but it begins with Rescaling.*in front of"
    with pytest.raises(ValueError, match=f"Classifier: the model must take {expected}"):
        classifier(model=pixels())
    with pytest.raises(ValueError, match=f"GAN: the discriminator must take {expected}"):
        gan(discriminator=pixels(layers.Dense(1)))
    supervised = Supervised(pixels(), optax.sgd(0.1), "mse")
    with pytest.raises(ValueError, match=f"Supervised: the model must take {expected}"):
        supervised.predict(supervised.init(KEY), BYTES)
    # Floats are not scaled by this task.
    assert supervised.predict(supervised.init(KEY), IMAGES * 255).shape == (6, 4)


def test_models_of_pixels_are_accepted_after_a_rescaling():
    model = pixels()
    task = classifier(model=Sequential([layers.Rescaling(255.0), model], SHAPE))
    train_state = task.init(KEY)
    name = model.name
    logits, _ = model.apply(train_state.params[name], {}, BYTES.astype(np.float32))
    np.testing.assert_allclose(
        task.predict(train_state, BYTES), jax.nn.softmax(logits), rtol=1e-5, atol=1e-6
    )
    classifier(model=pixels(scale=0.5))


def test_models_of_several_outputs_are_refused():
    image = Input(SHAPE)
    flat = layers.Flatten()(image)
    several = Functional(image, {"image": flat, "label": layers.Dense(4)(flat)})
    expected = r"one output, got a model with the outputs \['image', 'label'\]; for several"
    with pytest.raises(ValueError, match=f"Classifier: the model must have {expected}"):
        classifier(model=several)
    with pytest.raises(ValueError, match=f"Supervised: the model must have {expected}"):
        Supervised(several, optax.sgd(0.1), "mse")
    pair = Functional(image, [flat, flat])
    with pytest.raises(ValueError, match="got a model with the outputs 2;"):
        classifier(model=pair)


@pytest.mark.parametrize(
    ("models", "got"),
    [({"model": MODEL}, "Sequential for 'model'"), ((MODEL, {}, {}), "tuple"), (None, "NoneType")],
)
def test_models_of_a_task_must_have_params_and_state(models, got, tmp_path):
    class Task(toys.SumTask):
        def models(self, train_state):
            return models

    config = FitConfig(steps=2, batch_size=2)
    with pytest.raises(TypeError, match=rf"Task.models must .*params, state\), got {got}"):
        fit(Task(), np.ones((4, 1), np.float32), config, tmp_path / "run", verbose=False)
    assert not (tmp_path / "run").exists()
