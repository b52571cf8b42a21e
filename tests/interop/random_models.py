"""Random Keras models, built of every layer that this library has."""

import keras
import numpy as np

CLASSES = {
    "Activation",
    "AveragePooling2D",
    "BatchNormalization",
    "Conv2D",
    "Conv2DTranspose",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "LeakyReLU",
    "MaxPooling2D",
    "ReLU",
    "Reshape",
    "Softmax",
    "UpSampling2D",
    "ZeroPadding2D",
}
ACTIVATIONS = ("linear", "relu", "leaky_relu", "tanh", "softplus", "gelu", "hard_sigmoid", "elu")
INITIALIZERS = (
    "glorot_uniform",
    "he_normal",
    "orthogonal",
    keras.initializers.RandomNormal(0.1, 0.3, seed=7),
    keras.initializers.VarianceScaling(2.0, "fan_out", "uniform"),
    keras.initializers.Constant(0.25),
    "lecun_uniform",
)
REGULARIZERS = (None, "l2", keras.regularizers.L1(0.125), keras.regularizers.L1L2(0.01, 0.02))
CONSTRAINTS = (
    None,
    "non_neg",
    keras.constraints.MaxNorm(3.0, axis=0),
    keras.constraints.MinMaxNorm(0.5, 2.0, 0.75),
    "unit_norm",
)


class Draw:
    """Draws layers with random arguments."""

    def __init__(self, seed: int, data_format: str) -> None:
        self.rng = np.random.default_rng(seed)
        self.data_format = data_format

    def one(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def weights(self, *names):
        return {
            f"{name}_{kind}": self.one(*choices)
            for name in names
            for kind, choices in {
                "regularizer": REGULARIZERS,
                "constraint": CONSTRAINTS,
            }.items()
        }

    def convolution(self, cls):
        strides, dilation = self.one((1, 1), (2, 1), (1, 2)), (1, 1)
        if strides == (1, 1):
            dilation = self.one((1, 1), (2, 1))
        arguments = {"strides": strides, "dilation_rate": dilation}
        behind = {}
        if cls is keras.layers.Conv2DTranspose and strides != (1, 1):
            behind["output_padding"] = self.one(None, tuple(stride - 1 for stride in strides))
        if cls is keras.layers.Conv2D:
            arguments["padding"] = "same"
        else:
            arguments["padding"] = self.one("same", "valid")
        return cls(
            self.one(2, 4),
            self.one(3, (2, 3)),
            **behind,
            data_format=self.data_format,
            activation=self.one(*ACTIVATIONS),
            use_bias=self.one(True, True, False),
            kernel_initializer=self.one(*INITIALIZERS),
            bias_initializer=self.one("zeros", "random_uniform"),
            activity_regularizer=self.one(None, None, "l2"),
            **self.weights("kernel", "bias"),
            **arguments,
        )

    def dense(self, units):
        return keras.layers.Dense(
            units,
            activation=self.one(*ACTIVATIONS, "softmax"),
            use_bias=self.one(True, False),
            kernel_initializer=self.one(*INITIALIZERS),
            activity_regularizer=self.one(None, "l1"),
            **self.weights("kernel", "bias"),
        )

    def normalization(self, axis):
        renorm = self.one({}, {"renorm": True, "renorm_clipping": {"rmax": 2.0, "dmax": 1.0}})
        return keras.layers.BatchNormalization(
            axis=axis,
            momentum=self.one(0.5, 0.9),
            epsilon=self.one(1e-3, 1e-5),
            center=self.one(True, False),
            scale=self.one(True, False),
            gamma_initializer=self.one("ones", "random_normal"),
            **self.weights("gamma", "beta"),
            **renorm,
        )

    def activation(self):
        return self.one(
            keras.layers.Activation(self.one(*ACTIVATIONS)),
            keras.layers.ReLU(self.one(None, 6.0), self.one(0.0, 0.1), self.one(0.0, 0.5)),
            keras.layers.LeakyReLU(self.one(0.1, 0.3)),
            keras.layers.Softmax(self.one(-1, 1)),
        )

    def of_images(self):
        axis = -1 if self.data_format == "channels_last" else 1
        formatted = {"data_format": self.data_format}
        makers = [
            lambda: self.convolution(keras.layers.Conv2D),
            lambda: self.convolution(keras.layers.Conv2DTranspose),
            lambda: self.normalization(axis),
            self.activation,
            lambda: keras.layers.Dropout(0.3, self.one(None, (None, 1, 1, 1)), seed=3),
            lambda: self.one(keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)(
                self.one(2, (1, 2)), self.one(None, 1), self.one("valid", "same"), **formatted
            ),
            lambda: keras.layers.UpSampling2D(
                self.one((2, 1), (1, 2)),
                interpolation=self.one("nearest", "bilinear"),
                **formatted,
            ),
            lambda: keras.layers.ZeroPadding2D(self.one(1, (1, 0), ((0, 1), (2, 0))), **formatted),
        ]
        return makers[self.rng.integers(len(makers))]()

    def to_vectors(self):
        return self.one(
            [keras.layers.Flatten(data_format=self.data_format)],
            [keras.layers.Reshape((2, -1)), keras.layers.Flatten()],
            [keras.layers.GlobalAveragePooling2D(self.data_format)],
            [
                keras.layers.GlobalMaxPooling2D(self.data_format, keepdims=True),
                keras.layers.Flatten(),
            ],
        )


def layers_of(seed: int) -> list[keras.Layer]:
    """The layers of the random model, none of them built."""
    # Names go on counting through a process; those of a file must not depend on the others.
    keras.backend.clear_session()
    draw = Draw(seed, _data_format(seed))
    return [
        *(draw.of_images() for _ in range(7)),
        *draw.to_vectors(),
        draw.dense(5),
        draw.normalization(-1),
        draw.dense(3),
    ]


def model(seed: int) -> keras.Model:
    """A Sequential or Functional chain, most with a model inside, and random weights."""
    shape = (6, 8, 2) if _data_format(seed) == "channels_last" else (2, 6, 8)
    first, second, *others = layers_of(seed)
    if seed % 3:
        first, second = keras.Sequential([first, second], name="inside"), keras.layers.ReLU()
    if seed % 5 == 4:
        first = functional([first], shape, "begin")
    layers = [first, second, *others]
    if seed % 4 < 2:
        made = keras.Sequential([keras.Input(shape), *layers], name="whole")
    else:
        made = functional(layers, shape, "whole")
    rng = np.random.default_rng(seed)
    made.set_weights(
        [rng.uniform(0.2, 0.8, weight.shape).astype(weight.dtype) for weight in made.weights]
    )
    return made


def functional(layers, shape, name):
    """A Functional model that is a chain."""
    first = x = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return keras.Model(first, x, name=name)


def _data_format(seed):
    return ("channels_last", "channels_first")[seed % 2]


def examples(keras_model, batch: int = 3, seed: int = 0):
    """Random inputs of a model."""
    shape = [4 if d is None else d for d in keras_model.input_shape[1:]]
    return np.random.default_rng(seed).standard_normal((batch, *shape)).astype("float32")


def weights_by_path(keras_model) -> dict[tuple[str, ...], np.ndarray]:
    """All weights by the names of the layers and the weight."""
    found = {}

    def walk(model, above):
        for layer in model.layers:
            if hasattr(layer, "layers"):
                walk(layer, (*above, layer.name))
            for weight in layer.weights if not hasattr(layer, "layers") else ():
                found[(*above, layer.name, weight.name)] = np.asarray(weight)

    walk(keras_model, ())
    return found


def flat(params, state) -> dict[tuple[str, ...], np.ndarray]:
    """The same of this library's params and state."""
    found = {}

    def walk(tree, above):
        for name, node in tree.items():
            if isinstance(node, dict):
                walk(node, (*above, name))
            elif name != "activity_penalty":
                found[(*above, name)] = np.asarray(node)

    walk(params, ())
    walk(state, ())
    return found
