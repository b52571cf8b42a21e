"""Models of keras.applications, saved by Keras, read here, and written back."""

import jax
import keras
import numpy as np
import pytest

from jaxlayers.interop import keras as keras_files

# One or two of each family.
MODELS = (
    "ConvNeXtTiny",
    "DenseNet121",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "InceptionResNetV2",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Small",
    "NASNetMobile",
    "ResNet50",
    "ResNet50V2",
    "VGG16",
    "Xception",
)


def application(name: str) -> keras.Model:
    """Returns a model with random weights and moving statistics, which returns logits."""
    # Layers are named anew in each process, and names are part of the files.
    keras.backend.clear_session()
    model = getattr(keras.applications, name)(weights=None, classifier_activation=None)
    rng = np.random.default_rng(0)

    def random(variable) -> np.ndarray:
        kind, shape = variable.path.rpartition("/")[2], tuple(variable.shape)
        if kind == "count":
            return np.asarray(variable)
        if "variance" in kind or kind == "gamma":
            return rng.uniform(0.5, 1.5, shape)
        # The values must neither vanish nor overflow in hundreds of layers.
        is_depthwise = kind == "kernel" and "depthwise" in variable.path
        fan_in = np.prod(shape[:2] if is_depthwise else shape[:-1])
        scale = np.sqrt(1.6 / fan_in) if "kernel" in kind else 0.1
        return rng.normal(0, scale, shape)

    model.set_weights([random(variable) for variable in model.weights])
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.input_mean is None:
            layer.finalize_state()  # which otherwise uses the weights before
    return model


def predictions(model: keras.Model, x: np.ndarray) -> np.ndarray:
    weights = [
        [v.value for v in group]
        for group in (model.trainable_variables, model.non_trainable_variables)
    ]
    predict = jax.jit(lambda weights, x: model.stateless_call(*weights, x, training=False)[0])
    return np.asarray(predict(weights, x))


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_predictions_equal_keras_after_reading_and_after_writing(name, tmp_path) -> None:
    keras_model = application(name)
    shape = [128 if size is None else size for size in keras_model.input_shape[1:]]
    x = np.random.default_rng(1).uniform(0, 255, (1, *shape)).astype("float32")
    expected = predictions(keras_model, x)
    assert np.isfinite(expected).all() and expected.std() > 0.01
    tolerance = 1e-4 * np.abs(expected).max()

    keras_model.save(tmp_path / "model.keras")
    model, params, state = keras_files.load(tmp_path / "model.keras")
    actual, _ = jax.jit(model.apply)(params, state, x)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)

    keras_files.save(tmp_path / "again.keras", model, params, state)
    again = keras.models.load_model(tmp_path / "again.keras")
    np.testing.assert_allclose(predictions(again, x), expected, rtol=0, atol=tolerance)
