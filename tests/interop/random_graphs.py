"""Random Functional models of Keras: branches, shared layers, nested models, operations."""

import keras
import numpy as np
from keras.src.applications.convnext import LayerScale
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

from tests.interop.random_models import with_random_weights

WIDTH = 3
LAYERS = keras.layers

# Operations on one and two tensors that `load` converts to layers.
UNARY = (
    lambda x: 2.0 * x,
    lambda x: x / 4,
    lambda x: 1 - x,
    lambda x: x - 0.5,
    lambda x: 0.25 + x,
    keras.ops.relu,
    keras.ops.tanh,
)
BINARY = (
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    keras.ops.maximum,
    keras.ops.minimum,
)
MERGING = (
    LAYERS.Add,
    LAYERS.Average,
    LAYERS.Maximum,
    LAYERS.Minimum,
    LAYERS.Multiply,
    LAYERS.Subtract,
    lambda: CustomScaleLayer(0.25),
)


def layers_of_vectors():
    """Returns one layer of each kind, from vectors of one width to vectors of the same."""
    return [
        LAYERS.Dense(WIDTH, activation="tanh", kernel_regularizer="l2"),
        LAYERS.BatchNormalization(epsilon=0.1),
        LAYERS.LayerNormalization(),
        LAYERS.Dropout(0.5),
        LAYERS.LeakyReLU(0.25),
        LayerScale(0.5, WIDTH),
    ]


def features_of_images(image):
    """Returns vectors, by a residual block of images."""
    x = LAYERS.Conv2D(WIDTH, 3, padding="same", use_bias=False)(image)
    x = LAYERS.Add()([x, LAYERS.BatchNormalization()(x, training=False)])
    return LAYERS.GlobalAveragePooling2D()(LAYERS.UpSampling2D()(x))


def nested(name):
    """Returns a model with two outputs, which contains a Sequential."""
    first = keras.Input((WIDTH,))
    stack = keras.Sequential([LAYERS.Dense(WIDTH), LAYERS.BatchNormalization()], name=f"{name}_s")
    x = stack(first)
    return keras.Model(first, [x + first, LAYERS.Dense(WIDTH)(stack(x))], name=name)


def every_kind():
    """Returns a model with every operation, layer and kind of call."""
    keras.backend.clear_session()
    image, vector = keras.Input((None, None, 2), name="i"), keras.Input((WIDTH,), name="v")
    x = features_of_images(image)
    for layer in layers_of_vectors():
        x = LAYERS.Add()([x, layer(x)])
    for operation in UNARY:
        x = operation(x)
    y = vector
    for operation in BINARY:
        y = operation(x, y)
    for merging in MERGING:
        y = merging()([y, vector])
    shared, frozen = LAYERS.Dense(WIDTH, name="shared"), LAYERS.BatchNormalization(name="frozen")
    frozen.trainable = False
    y, x = frozen(shared(y)), frozen(shared(x))
    twice, once = nested("twice"), nested("once")
    once.trainable = False
    a, b = twice(y)
    c, d = twice(a)
    e, _ = once(x, training=False)
    dot = LAYERS.Dot(1, normalize=True)([d, e])
    outputs = {"scores": LAYERS.Concatenate()([b, c, dot]), "e": e}
    return with_random_weights(keras.Model({"v": vector, "i": image}, outputs, name="graph"), 0)


def graph(seed):
    """Returns a random model."""
    keras.backend.clear_session()
    rng = np.random.default_rng(seed)

    def choose(values):
        return values[rng.integers(len(values))]

    inputs = [keras.Input((WIDTH,), name="input0"), keras.Input((WIDTH,), name="input1")]
    tensors, made = list(inputs), []
    if rng.random() < 0.5:
        inputs.append(keras.Input((4, 5, 2), name="input2"))
        tensors.append(features_of_images(inputs[-1]))
    for number in range(rng.integers(5, 9)):
        x, y = tensors[-1], choose(tensors)
        match rng.integers(6):
            case 0:
                tensors.append(choose(UNARY)(x))
            case 1:
                tensors.append(choose(BINARY)(x, y))
            case 2:
                tensors.append(choose(MERGING)()([x, y]))
            case 3:
                layer = choose(made) if made and rng.random() < 0.5 else choose(layers_of_vectors())
                made.append(layer)
                tensors.append(layer(x))
            case 4:
                layer = choose(layers_of_vectors())
                layer.trainable = bool(rng.random() < 0.5)
                in_inference = (
                    layer(x, training=False) if layer._call_has_training_arg else layer(x)
                )
                tensors.append(in_inference)
            case 5:
                model = nested(f"nested{number}")
                model.trainable = bool(rng.random() < 0.7)
                tensors += model(x)
                if rng.random() < 0.5:
                    tensors += model(tensors[-1])
    outputs = [tensors[-1], *(choose(tensors) + inputs[0] for _ in range(rng.integers(3)))]
    match rng.integers(3):
        case 0:
            inputs = {f"input{i}": tensor for i, tensor in enumerate(inputs)}
        case 1:
            outputs = {f"output{i}": tensor for i, tensor in enumerate(outputs)}
    return with_random_weights(keras.Model(inputs, outputs, name="graph"), seed)
