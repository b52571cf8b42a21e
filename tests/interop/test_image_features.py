import jax
import keras
import numpy as np
import pytest

from jaxlayers import Sequential, layers
from jaxlayers.interop import keras as keras_files
from jaxlayers.interop.keras.image_features import inception_inputs

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 12, 10, 3), np.uint8)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """Returns a Keras classifier and its file."""
    inputs = keras.Input((12, 10, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu", name="conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="pooling")(x)
    outputs = keras.layers.Dense(5, activation="softmax", name="predictions")(x)
    model = keras.Model(inputs, outputs)
    path = tmp_path_factory.mktemp("keras") / "digits.keras"
    model.save(path)
    return model, path


@pytest.mark.parametrize("layer", ["conv", "pooling"])  # feature maps are averaged
def test_features_and_logits_are_those_of_keras(classifier, layer):
    model, path = classifier
    features = keras_files.features(path, layer)
    found = features.outputs(IMAGES)
    submodel = keras.Model(model.input, model.get_layer("pooling").output)
    np.testing.assert_allclose(found.features, submodel(IMAGES / 255), atol=1e-6)
    probabilities = np.exp(found.logits) / np.exp(found.logits).sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities, model(IMAGES / 255), atol=1e-6)
    assert (features.name, features.size, features.classes) == ("digits", 4, 5)


def test_the_output_of_a_model_without_classes_is_the_default(classifier, tmp_path):
    model, _ = classifier
    keras.Model(model.input, model.get_layer("pooling").output).save(tmp_path / "x.keras")
    features = keras_files.features(tmp_path / "x.keras", name="pooled")
    assert (features.name, features.size, features.logits) == ("pooled", 4, None)
    with pytest.raises(ValueError, match=r"pooled features: images must be \[N, 12, 10, 3\]"):
        features(IMAGES[:, :8])


def test_wrong_layers_are_errors_that_list_the_layers(classifier):
    _, path = classifier
    with pytest.raises(ValueError, match=r"digits.keras: the model ends in a softmax; layer must"):
        keras_files.features(path)
    with pytest.raises(ValueError, match="'conv', 'pooling', 'predictions', got 'dense'"):
        keras_files.features(path, "dense")


def test_a_model_of_vectors_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.save(tmp_path / "dense.keras")
    with pytest.raises(ValueError, match=r"must accept images, .* got \(4,\)"):
        keras_files.features(tmp_path / "dense.keras")


def test_inception_inputs_are_those_of_the_published_program():
    found = np.asarray(inception_inputs(IMAGES / np.float32(255)))
    assert found.shape == (3, 299, 299, 3)
    # The formula of tf.image.resize_bilinear in TensorFlow 1, for one pixel at a time.
    for row, column in [(0, 0), (1, 298), (150, 77), (298, 298), (290, 3)]:
        y, x = row * 12 / 299, column * 10 / 299
        top, left = int(y), int(x)
        bottom, right = min(top + 1, 11), min(left + 1, 9)
        image = IMAGES[1].astype(float)
        upper = image[top, left] + (image[top, right] - image[top, left]) * (x - left)
        lower = image[bottom, left] + (image[bottom, right] - image[bottom, left]) * (x - left)
        expected = (upper + (lower - upper) * (y - top) - 128) / 128
        np.testing.assert_allclose(found[1, row, column], expected, atol=1e-5)


def test_inception_inputs_have_256_levels_and_three_channels():
    gray = np.full((1, 4, 4, 1), 0.5003, np.float32)
    np.testing.assert_array_equal(inception_inputs(gray), np.zeros((1, 299, 299, 3)))
    with pytest.raises(ValueError, match="1 or 3 channels"):
        inception_inputs(np.zeros((1, 4, 4, 2)))


def saved_inception(path, size, layer="avg_pool"):
    """Saves a small network with the inputs and outputs of Inception."""
    model = Sequential(
        [
            layers.AveragePooling2D(64),
            layers.Conv2D(size, 1, use_bias=False),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ],
        input_shape=(299, 299, 3),
        names=("pooling", "convolution", layer, "predictions"),
    )
    params, state = model.init(jax.random.key(0))
    keras_files.save(path, model, params, state)
    return params


def test_inception_features_are_those_of_the_last_pooling(tmp_path):
    params = saved_inception(tmp_path / "inception.keras", 2048)
    features = keras_files.inception_features(tmp_path / "inception.keras")
    inputs = np.asarray(inception_inputs(IMAGES / np.float32(255)))
    kernel = np.asarray(params["convolution"]["kernel"])[0, 0]
    found = features(IMAGES)
    np.testing.assert_allclose(found, inputs[:, :256, :256].mean((1, 2)) @ kernel, atol=1e-5)
    assert (features.name, features.size, features.classes) == ("inception", 2048, 3)


def test_a_network_that_is_no_inception_is_refused(tmp_path, classifier):
    saved_inception(tmp_path / "small.keras", 8)
    with pytest.raises(ValueError, match=r"to 2048 features, got a model that maps .* 8 features"):
        keras_files.inception_features(tmp_path / "small.keras")
