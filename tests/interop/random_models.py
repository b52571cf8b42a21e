"""Random Keras models of all layers of this library."""

import keras
import numpy as np

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


# The layers that random models do not have, in models by name: the input shape and the layers.
SELECTED = {
    "images": (
        (3, 4, 6),
        lambda: [
            keras.layers.Rescaling(np.arange(6.0), 0.5),
            keras.layers.Normalization(axis=(1, 3)),
            keras.layers.GroupNormalization(2, gamma_regularizer="l2"),
            keras.layers.SpectralNormalization(
                keras.layers.Conv2D(4, 3, padding="same", activity_regularizer="l1"), 2
            ),
            keras.layers.PReLU(shared_axes=[1, 2], alpha_constraint="non_neg"),
            keras.layers.SpatialDropout2D(0.25, seed=3),
            keras.layers.LayerNormalization(axis=[1, 2, 3], beta_regularizer="l1"),
            keras.layers.Permute((3, 1, 2)),
            keras.layers.RMSNormalization(epsilon=0.1),
            keras.layers.ELU(0.5),
            keras.layers.UnitNormalization(axis=[1, 2]),
            keras.layers.SpectralNormalization(keras.layers.Dense(2, kernel_regularizer="l2")),
            keras.layers.ActivityRegularization(0.1, 0.2),
            keras.layers.Identity(),
        ],
    ),
    "indices": (
        (5,),
        lambda: [
            keras.layers.Embedding(4, 3, embeddings_regularizer="l2"),
            keras.layers.SpatialDropout1D(0.25),
            keras.layers.AlphaDropout(0.5, (None, 1, None)),
            keras.layers.GaussianDropout(0.5, seed=1),
            keras.layers.GaussianNoise(0.25),
            keras.layers.Rescaling(0.5),
        ],
    ),
    "vectors": (
        (5,),
        lambda: [
            keras.layers.Normalization(mean=[0.5], variance=[2.0], invert=True),
            keras.layers.Normalization(axis=None, mean=0.25, variance=4.0),
            keras.layers.SpectralNormalization(keras.layers.Embedding(9, 4)),
            keras.layers.Flatten(),
            keras.layers.RepeatVector(2),
            keras.layers.Normalization(),
            keras.layers.Reshape((1, 2, 4, 5)),
            keras.layers.SpatialDropout3D(0.25),
        ],
    ),
}


class KerasLayers:
    """Draws layers with random arguments."""

    def __init__(self, seed: int, data_format: str) -> None:
        self.rng = np.random.default_rng(seed)
        self.data_format = data_format

    def choose(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def weights(self, *names):
        return {
            f"{name}_{kind}": self.choose(*choices)
            for name in names
            for kind, choices in {
                "regularizer": REGULARIZERS,
                "constraint": CONSTRAINTS,
            }.items()
        }

    def convolution(self, cls):
        strides, dilation = self.choose((1, 1), (2, 1), (1, 2)), (1, 1)
        if strides == (1, 1):
            dilation = self.choose((1, 1), (2, 1))
        arguments = {"strides": strides, "dilation_rate": dilation}
        transpose_arguments = {}
        if cls is keras.layers.Conv2DTranspose and strides != (1, 1):
            transpose_arguments["output_padding"] = self.choose(
                None, tuple(stride - 1 for stride in strides)
            )
        if cls is keras.layers.Conv2D:
            arguments["padding"] = "same"
        else:
            arguments["padding"] = self.choose("same", "valid")
        return cls(
            self.choose(2, 4),
            self.choose(3, (2, 3)),
            **transpose_arguments,
            data_format=self.data_format,
            activation=self.choose(*ACTIVATIONS),
            use_bias=self.choose(True, True, False),
            kernel_initializer=self.choose(*INITIALIZERS),
            bias_initializer=self.choose("zeros", "random_uniform"),
            activity_regularizer=self.choose(None, None, "l2"),
            **self.weights("kernel", "bias"),
            **arguments,
        )

    def dense(self, units):
        return keras.layers.Dense(
            units,
            activation=self.choose(*ACTIVATIONS, "softmax"),
            use_bias=self.choose(True, False),
            kernel_initializer=self.choose(*INITIALIZERS),
            activity_regularizer=self.choose(None, "l1"),
            **self.weights("kernel", "bias"),
        )

    def normalization(self, axis):
        renorm = self.choose({}, {"renorm": True, "renorm_clipping": {"rmax": 2.0, "dmax": 1.0}})
        return keras.layers.BatchNormalization(
            axis=axis,
            momentum=self.choose(0.5, 0.9),
            epsilon=self.choose(1e-3, 1e-5),
            center=self.choose(True, False),
            scale=self.choose(True, False),
            gamma_initializer=self.choose("ones", "random_normal"),
            **self.weights("gamma", "beta"),
            **renorm,
        )

    def activation(self):
        return self.choose(
            keras.layers.Activation(self.choose(*ACTIVATIONS)),
            keras.layers.ReLU(self.choose(None, 6.0), self.choose(0.0, 0.1), self.choose(0.0, 0.5)),
            keras.layers.LeakyReLU(self.choose(0.1, 0.3)),
            keras.layers.Softmax(self.choose(-1, 1)),
        )

    def image_layer(self):
        axis = -1 if self.data_format == "channels_last" else 1
        with_format = {"data_format": self.data_format}
        constructors = [
            lambda: self.convolution(keras.layers.Conv2D),
            lambda: self.convolution(keras.layers.Conv2DTranspose),
            lambda: self.normalization(axis),
            self.activation,
            lambda: keras.layers.Dropout(0.3, self.choose(None, (None, 1, 1, 1)), seed=3),
            lambda: self.choose(keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)(
                self.choose(2, (1, 2)),
                self.choose(None, 1),
                self.choose("valid", "same"),
                **with_format,
            ),
            lambda: keras.layers.UpSampling2D(
                self.choose((2, 1), (1, 2)),
                interpolation=self.choose("nearest", "bilinear"),
                **with_format,
            ),
            lambda: keras.layers.ZeroPadding2D(
                self.choose(1, (1, 0), ((0, 1), (2, 0))), **with_format
            ),
        ]
        return constructors[self.rng.integers(len(constructors))]()

    def to_vectors(self):
        return self.choose(
            [keras.layers.Flatten(data_format=self.data_format)],
            [keras.layers.Reshape((2, -1)), keras.layers.Flatten()],
            [keras.layers.GlobalAveragePooling2D(self.data_format)],
            [
                keras.layers.GlobalMaxPooling2D(self.data_format, keepdims=True),
                keras.layers.Flatten(),
            ],
        )


def layers_of(seed: int) -> list[keras.Layer]:
    """Returns the layers of the random model, before they are built."""
    # Keras numbers names through a process; those of a model must not depend on other models.
    keras.backend.clear_session()
    random_layers = KerasLayers(seed, _data_format(seed))
    return [
        *(random_layers.image_layer() for _ in range(7)),
        *random_layers.to_vectors(),
        random_layers.dense(5),
        random_layers.normalization(-1),
        random_layers.dense(3),
    ]


def model(seed: int) -> keras.Model:
    """Returns a Sequential or Functional chain with random weights, most with an inner model."""
    shape = (6, 8, 2) if _data_format(seed) == "channels_last" else (2, 6, 8)
    first, second, *others = layers_of(seed)
    if seed % 3:
        first, second = keras.Sequential([first, second], name="inner"), keras.layers.ReLU()
    if seed % 5 == 4:
        first = functional([first], shape, "first")
    layers = [first, second, *others]
    if seed % 4 < 2:
        keras_model = keras.Sequential([keras.Input(shape), *layers], name="outer")
    else:
        keras_model = functional(layers, shape, "outer")
    return with_random_weights(keras_model, seed)


def selected_model(name: str) -> keras.Model:
    """Returns a Sequential of selected layers with random weights."""
    keras.backend.clear_session()
    shape, layers = SELECTED[name]
    keras_model = keras.Sequential([keras.Input(shape), *layers()], name=name)
    with_random_weights(keras_model, 0)
    for layer in keras_model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # which otherwise uses the weights before
    return keras_model


def with_random_weights(keras_model: keras.Model, seed: int) -> keras.Model:
    rng = np.random.default_rng(seed)
    keras_model.set_weights(
        [rng.uniform(0.2, 0.8, weight.shape).astype(weight.dtype) for weight in keras_model.weights]
    )
    return keras_model


def model_of_rank(rank: int) -> keras.Model:
    """Returns a Sequential of the layers with `rank` spatial axes, with random weights."""
    k, ones = keras.layers, (1,) * rank
    layers = [
        getattr(k, f"Conv{rank}D")(
            4,
            3,
            strides=2,
            padding="causal" if rank == 1 else "same",
            groups=2,
            activation="relu",
            kernel_regularizer="l2",
        ),
        getattr(k, f"Conv{rank}DTranspose")(3, 3, strides=2, output_padding=ones),
        getattr(k, f"ZeroPadding{rank}D")((1, 2) if rank == 1 else ((1, 2), *ones[1:])),
        getattr(k, f"Cropping{rank}D")((1, 0) if rank == 1 else ((1, 0), *ones[1:])),
        getattr(k, f"UpSampling{rank}D")(3 if rank == 1 else (3, *ones[1:])),
        getattr(k, f"MaxPooling{rank}D")((2, *ones[1:])),
        getattr(k, f"AveragePooling{rank}D")(2, ones, padding="same"),
        getattr(k, f"AdaptiveAveragePooling{rank}D")(3),
        getattr(k, f"AdaptiveMaxPooling{rank}D")((2, *ones[1:])),
        getattr(k, f"GlobalAveragePooling{rank}D")(keepdims=True),
        getattr(k, f"GlobalMaxPooling{rank}D")(),
    ]
    if rank < 3:
        layers[2:2] = [
            getattr(k, f"DepthwiseConv{rank}D")(
                2,
                depth_multiplier=2,
                padding="same",
                activity_regularizer="l2",
                depthwise_regularizer=keras.regularizers.L1(0.125),
                depthwise_constraint="non_neg",
            ),
            getattr(k, f"SeparableConv{rank}D")(
                3,
                2,
                dilation_rate=2,
                padding="same",
                depthwise_initializer="he_normal",
                pointwise_constraint=keras.constraints.MaxNorm(3.0, axis=0),
                pointwise_regularizer="l2",
                activation="tanh",
            ),
        ]
    keras_model = keras.Sequential([keras.Input((*(5, 4, 6)[:rank], 2)), *layers])
    return with_random_weights(keras_model, rank)


def functional(layers, shape, name):
    """Returns a Functional model that is a chain of layers."""
    first = x = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return keras.Model(first, x, name=name)


def _data_format(seed):
    return ("channels_last", "channels_first")[seed % 2]


def examples(keras_model, batch: int = 3, seed: int = 0):
    """Returns random inputs of a model."""
    shape = [4 if d is None else d for d in keras_model.input_shape[1:]]
    return np.random.default_rng(seed).standard_normal((batch, *shape)).astype("float32")


def weights_by_path(keras_model) -> dict[tuple[str, ...], np.ndarray]:
    """Returns all weights by the names of their layers and their own."""
    arrays = {}

    def walk(model, prefix):
        for layer in model.layers:
            if hasattr(layer, "layers"):
                walk(layer, (*prefix, layer.name))
            for weight in layer.weights if not hasattr(layer, "layers") else ():
                if weight.name == "count":  # of Normalization, which Keras never changes
                    continue
                # That of LayerScale has no name.
                name = "gamma" if weight.name.startswith("variable") else weight.name
                arrays[(*prefix, layer.name, name)] = np.asarray(weight)

    walk(keras_model, ())
    return arrays


def flat(params, state) -> dict[tuple[str, ...], np.ndarray]:
    """Returns the arrays of params and state by the same names as `weights_by_path`."""
    arrays = {}

    def walk(tree, prefix):
        for name, node in tree.items():
            if isinstance(node, dict):
                walk(node, (*prefix, name))
            elif name != "activity_penalty":
                arrays[(*prefix, name)] = np.asarray(node)

    walk(params, ())
    walk(state, ())
    return arrays
