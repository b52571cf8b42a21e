"""A config represents any model of the package exactly; what it cannot represent is named."""

import json
import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from jaxlayers import (
    Functional,
    Input,
    Layer,
    Sequential,
    activations,
    constraints,
    initializers,
    layers,
    regularizers,
)
from jaxlayers.interop.keras import (
    NotSerializableError,
    from_config,
    load,
    save,
    serialize,
    to_config,
)
from jaxlayers.layers import Frozen, InBfloat16, InferenceMode
from jaxlayers.models import cnn, dcgan
from tests.layers.test_contract import CASES

OBJECTS = {
    "initializer": (
        "glorot_uniform",
        "normal",
        "HeNormal",
        initializers.Zeros(),
        initializers.HeNormal,
        initializers.RandomNormal(0.5, 2.0),
        initializers.Constant(0.25),
        initializers.VarianceScaling(2.0, "fan_out", "uniform", (0,), (1,)),
        jax.nn.initializers.zeros,
    ),
    "regularizer": (
        None,
        "l2",
        "L1L2",
        regularizers.L2(),
        regularizers.L1L2,
        regularizers.L1L2(0.1, 0.25),
        regularizers.OrthogonalRegularizer(0.5, "columns"),
    ),
    "constraint": (
        None,
        "non_neg",
        constraints.UnitNorm,
        constraints.MaxNorm(3, (0, 1)),
        constraints.MinMaxNorm(0.5, 1e10, 0.75),
    ),
    "activation": (
        None,
        "linear",
        "swish",
        jax.nn.relu,
        jax.nn.swish,
        jax.nn.standardize,
        jnp.tanh,
        activations.leaky_relu,
        activations.linear,
    ),
}


SINGLE_LAYERS = sorted({*layers.__all__} - {"Frozen", "InBfloat16", "InferenceMode", "Layer"})


def is_shape(value):
    return isinstance(value, tuple) and not any(isinstance(v, tuple) for v in value)


class RandomModels:
    """Generates layers and models with random arguments."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def choose(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def objects(self, cls):
        return {
            name: self.choose(*choices)
            for name in cls.__dataclass_fields__
            for kind, choices in OBJECTS.items()
            if name.endswith(kind)
        }

    def single_layer(self):
        choose = self.choose
        cls = getattr(layers, choose(*SINGLE_LAYERS))
        # Classes of several ranks are named without it, as `Conv{}D`.
        rank = next((n for n in (1, 2, 3) if f"{n}D" in cls.__name__), 2)
        data_format = {"data_format": choose("channels_first", "channels_last")}
        window = choose(2, (1, 3, 2)[:rank])
        sides = choose(1, (1, 0, 2)[:rank], ((0, 1), (2, 0), (1, 1))[:rank])
        convolution = {"kernel_size": window, "padding": choose("valid", "same"), **data_format}
        pooling = {"pool_size": window, "padding": choose("same", "valid"), **data_format}
        arguments = {
            "Activation": lambda: {"activation": choose("selu", jax.nn.silu, activations.mish)},
            "ActivityRegularization": lambda: {"l1": choose(0, 0.25)},
            "AlphaDropout": lambda: {"rate": 0.5, "noise_shape": choose(None, (None, 1))},
            "Adaptive{}Pooling{}D": lambda: {"output_size": window, **data_format},
            "BatchNormalization": lambda: choose(
                {"axis": 1, "momentum": 0.5, "renorm_momentum": 0.25},
                {"renorm": True, "renorm_clipping": {"rmax": 2.0, "dmax": 1.0}},
                {"scale": False, "epsilon": 1},
            ),
            "Conv{}D": lambda: (
                {"filters": 4, **convolution} | ({"padding": "causal"} if rank == 1 else {})
            ),
            "Conv{}DTranspose": lambda: {
                "filters": 4,
                "kernel_size": 3,
                "strides": 2,
                "output_padding": choose(None, 1),
                **data_format,
            },
            "Concatenate": lambda: {"axis": choose(-1, 1)},
            "Dot": lambda: {"axes": choose(-1, (1, 2)), "normalize": choose(True, False)},
            "CustomScaleLayer": lambda: {"scale": choose(2, 0.25)},
            "Cropping{}D": lambda: {"cropping": choose(2, (1, 0)) if rank == 1 else sides},
            "Dense": lambda: {"units": choose(1, 7), "use_bias": choose(True, False)},
            "DepthwiseConv{}D": lambda: {"depth_multiplier": choose(1, 3), **convolution},
            "Dropout": lambda: {"rate": choose(0, 0.5), "noise_shape": choose(None, (None, 1))},
            "ELU": lambda: {"alpha": choose(1, 0.5)},
            "Embedding": lambda: {"input_dim": 3, "output_dim": choose(1, 4)},
            "GaussianDropout": lambda: {"rate": 0.25},
            "GaussianNoise": lambda: {"stddev": 0.25},
            "GroupNormalization": lambda: {"groups": choose(-1, 4), "axis": choose(-1, 1)},
            "LayerNormalization": lambda: {"axis": choose(-1, (1, 2)), "center": False},
            "LayerScale": lambda: {"init_values": choose(1, 0.5), "projection_dim": 3},
            "LeakyReLU": lambda: choose({"alpha": 0.1}, {"negative_slope": 2}),
            "Normalization": lambda: choose(
                {"axis": choose(None, 1, (1, 2)), "invert": True},
                {"mean": 0.5, "variance": 2},
                {"mean": (0.5, 1), "variance": np.ones(2)},
            ),
            "PReLU": lambda: {"shared_axes": choose(None, 1, (1, 2))},
            "Permute": lambda: {"dims": choose((1,), (2, 1))},
            "RMSNormalization": lambda: {"axis": choose(-1, (1, 2)), "epsilon": 1},
            "{}Pooling{}D": lambda: pooling,
            "ReLU": lambda: {"max_value": choose(None, 6, 1e12), "threshold": 0.5},
            "RepeatVector": lambda: {"n": 3},
            "Rescaling": lambda: {
                "scale": choose(2, (0.5, 1)),
                "offset": choose(0.5, ((1,), (2,))),
            },
            "Reshape": lambda: {"target_shape": choose((-1,), (2, 3), ())},
            "SeparableConv{}D": lambda: {"filters": 4, "depth_multiplier": 2, **convolution},
            "Softmax": lambda: {"axis": choose(-1, (1, 2))},
            "SpatialDropout{}D": lambda: {"rate": 0.5} | (data_format if rank > 1 else {}),
            "SpectralNormalization": lambda: {
                "layer": choose(lambda x: x, InBfloat16)(
                    layers.Dense(3, **self.objects(layers.Dense))
                ),
                "power_iterations": choose(1, 3),
            },
            "UnitNormalization": lambda: {"axis": choose(-1, (1, 2))},
            "UpSampling{}D": lambda: (
                {"size": 3 if rank == 1 else window}
                | ({"interpolation": choose("nearest", "bilinear")} if rank == 2 else {})
            ),
            "ZeroPadding{}D": lambda: {"padding": choose(2, (1, 0)) if rank == 1 else sides},
        }
        kind = re.sub(r"\dD", "{}D", cls.__name__)
        kind = re.sub(r"^(Adaptive|)(Average|Max|Sum)Pooling", r"\1{}Pooling", kind)
        arguments = arguments.get(kind, dict)
        return cls(**(self.objects(cls) | arguments()))

    def layer(self, depth):
        kind = self.rng.random()
        instance = self.model(depth - 1) if depth and kind < 0.3 else self.single_layer()
        return self.wrapped(instance)

    def wrapped(self, layer):
        """Returns the layer, some in one or several wrappers."""
        while self.rng.random() < 0.3:
            layer = self.choose(Frozen, InBfloat16, InferenceMode)(layer)
        return layer

    def model(self, depth=2):
        members = [self.layer(depth) for _ in range(self.rng.integers(1, 5))]
        names = tuple(f"{self.choose('block', 'a/b', 'é')}{i}" for i in range(len(members)))
        instance = Sequential(
            members,
            name=self.choose("sequential", "inner", "a/b"),
            names=self.choose(None, names),
            fuse=self.choose(True, True, False),
        )
        return self.choose(instance, instance[self.rng.integers(len(members)) :])

    def model_of_vectors(self, depth=2):
        """Returns a model with an input shape, for examples with one axis."""
        members = [
            self.model_of_vectors(depth - 1)
            if depth and self.rng.random() < 0.3
            else self.choose(
                layers.Dense(4, **self.objects(layers.Dense)),
                layers.BatchNormalization(**self.objects(layers.BatchNormalization)),
                layers.ReLU(),
            )
            for _ in range(self.rng.integers(1, 4))
        ]
        return Sequential(
            members, input_shape=self.choose((4,), [4]), fuse=self.choose(True, False)
        )

    def graph(self, depth=2):
        """Returns a graph of layers of vectors, some of them called several times."""
        named = self.choose(True, False)
        inputs = [
            Input((4,), dtype=self.choose(None, "float32"), name=f"x{i}" if named else None)
            for i in range(self.rng.integers(1, 4))
        ]
        tensors, made = list(inputs), []
        for _ in range(self.rng.integers(2, 6)):
            tensor = self.choose(*tensors)
            kind = self.rng.random()
            if kind < 0.3:
                merging = self.choose(
                    layers.Add(), layers.CustomScaleLayer(0.25), layers.Subtract()
                )
                tensors.append(self.wrapped(merging)([tensor, tensors[-1]]))
            elif kind < 0.5 and made:
                tensors.append(self.choose(*made)(tensor))
            elif kind < 0.6 and depth:
                inner = self.wrapped(self.graph(depth - 1))
                given = jax.tree.map(
                    lambda _, tensor=tensor: tensor, inner.input_shape, is_leaf=is_shape
                )
                found = inner(given)
                tensors += found.values() if isinstance(found, dict) else jax.tree.leaves(found)
            else:
                made.append(self.wrapped(self.model_of_vectors(0)))
                tensors.append(made[-1](tensor))
        outputs = self.choose(tensors[-1], (tensors[-1], tensors[0]), {"y": tensors[-1]})
        return Functional(
            {f"x{i}": tensor for i, tensor in enumerate(inputs)} if named else inputs,
            outputs,
            name=self.choose("functional", "inner", "a/b"),
            fuse=self.choose(True, True, False),
        )


def round_trip(model):
    return from_config(json.loads(json.dumps(serialize(model), allow_nan=False)))


def assert_equal(read, model):
    assert read == model and type(read) is type(model)
    assert hash(read) == hash(model)


@pytest.mark.parametrize("seed", range(5))
def test_random_models_are_equal_after_a_round_trip(seed) -> None:
    for number in range(30):
        random_models = RandomModels(1000 * seed + number)
        for model in (
            random_models.layer(2),
            random_models.model(),
            random_models.model_of_vectors(),
            random_models.graph(),
        ):
            assert_equal(round_trip(model), model)


def test_random_models_have_every_layer() -> None:
    classes = {type(RandomModels(seed).single_layer()).__name__ for seed in range(1000)}
    assert classes == {*SINGLE_LAYERS}


@pytest.mark.parametrize(
    ("layer", "shape"), [case for case in CASES if not isinstance(case[0], Functional)], ids=repr
)
def test_every_layer_is_equal_after_a_round_trip(layer, shape) -> None:
    assert_equal(round_trip(layer), layer)
    model = Sequential([layer], shape)
    assert_equal(round_trip(model), model)


@pytest.mark.parametrize(
    "model",
    [
        dcgan.generator(),
        dcgan.discriminator(),
        cnn.lenet(),
        cnn.vgg(),
        dcgan.generator()[3:7],
        InBfloat16(InBfloat16(layers.Dense(2))),
        InBfloat16(Sequential([InBfloat16(layers.Dense(2)), layers.ReLU()], (3,))),
        Frozen(InferenceMode(Sequential([InferenceMode(Frozen(layers.Dense(2)))], (3,)))),
        Sequential([InBfloat16(layers.Dense(2)), InBfloat16(layers.ReLU())]),
        Sequential([Sequential([Sequential([layers.ReLU()], name="x")], (3,))], names=("y",)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_models_of_the_package_are_equal_after_a_round_trip(model) -> None:
    assert_equal(round_trip(model), model)


def test_a_model_of_sixteen_levels_is_equal_after_a_round_trip() -> None:
    model = layers.Dense(2)
    for _ in range(16):
        model = Sequential([model])
    assert_equal(round_trip(model), model)


def test_keras_reads_the_complete_config() -> None:
    inner = Sequential(
        [layers.Dense(3, "softplus", kernel_initializer="normal")], name="inner", fuse=False
    )
    model = Sequential(
        [inner, layers.Dense(2, kernel_initializer=initializers.HeNormal())],
        input_shape=(4,),
        names=("first", "second"),
    )
    for model_or_bfloat16 in (model, InBfloat16(model)):
        config = keras.models.model_from_json(json.dumps(serialize(model_or_bfloat16))).get_config()
        expected = keras.models.model_from_json(
            json.dumps(to_config(model_or_bfloat16))
        ).get_config()
        assert config == expected


def test_the_config_of_a_keras_layer_is_read() -> None:
    keras_layer = keras.layers.Conv2D(3, 2, activation="relu", dtype="float32")
    expected = layers.Conv2D(3, 2, activation="relu")
    assert from_config(keras.layers.serialize(keras_layer)) == expected


def test_relu_of_jax_is_relu_in_keras(tmp_path) -> None:
    model = Sequential([layers.Dense(2, activation=jax.nn.relu)], input_shape=(3,))
    save(tmp_path / "m.keras", model, *model.init(jax.random.key(0)))
    assert load(tmp_path / "m.keras")[0] == Sequential([layers.Dense(2, "relu")], (3,))


def test_configs_have_only_json_values() -> None:
    model = Sequential([layers.Dense(np.int64(3).item()), layers.LeakyReLU(0.25)])
    config = serialize(model)
    assert json.loads(json.dumps(config)) == config


class CustomDense(layers.Dense):
    pass


class CustomLayer(Layer):
    def apply(self, params, state, x, *, training=False, key=None):
        return x, state


class CustomSequential(Sequential):
    pass


def test_one_error_lists_everything_that_cannot_be_serialized() -> None:
    model = Sequential(
        [
            layers.Dense(2, activation=lambda x: x),
            layers.Dense(2, kernel_initializer=jax.nn.initializers.he_normal()),
            InBfloat16(CustomDense(2)),
            CustomLayer(),
            CustomSequential([layers.Dense(2, bias_constraint=abs)], name="inner"),
            layers.ReLU(float("inf")),
        ]
    )
    with pytest.raises(NotSerializableError) as error_info:
        serialize(model)
    lines = str(error_info.value).splitlines()
    assert lines[0] == "serialize: sequential cannot be represented by a config:"
    for line, expected in zip(
        lines[1:],
        (
            "  dense (Dense): activation: must be one of Keras's names or functions, got <func",
            "  dense_1 (Dense): kernel_initializer: must be one of Keras's names or an object of "
            "jaxlayers.initializers, got <function",
            "  custom_dense (CustomDense): a user-defined class, which a config cannot represent",
            "  custom_layer (CustomLayer): a user-defined class",
            "  inner/dense (Dense): bias_constraint: must be one of Keras's names or an object",
            "  inner (CustomSequential): a user-defined class",
            "  re_lu (ReLU): max_value: must be finite numbers, strings or lists of them, got inf",
        ),
        strict=True,
    ):
        assert line.startswith(expected), line
    # As all errors of wrong values are.
    assert issubclass(NotSerializableError, ValueError)


def test_what_cannot_be_serialized_in_a_wrapped_layer_is_named() -> None:
    for wrapped, what in (
        (
            layers.Dense(2, activation=lambda x: x),
            "layer (Dense): activation: must be one of Keras",
        ),
        (CustomDense(2), "layer (CustomDense): a user-defined class"),
    ):
        with pytest.raises(NotSerializableError) as error_info:
            serialize(Sequential([layers.SpectralNormalization(wrapped)]))
        assert f"  spectral_normalization/{what}" in str(error_info.value)


def test_keras_has_one_dtype_policy_for_a_wrapped_layer() -> None:
    outer = Sequential([InBfloat16(layers.SpectralNormalization(layers.Dense(2))), layers.ReLU()])
    config = to_config(outer)
    assert from_config(config) == outer
    (entry, _) = config["config"]["layers"]
    policy = entry["config"]["layer"]["config"]["dtype"]["config"]
    assert policy == {"name": "mixed_bfloat16"}
    policy["name"] = "float32"
    message = r"spectral_normalization/layer .*policy float32, the layer that wraps it has mixed"
    with pytest.raises(ValueError, match=message):
        from_config(config)
    inner = Sequential([layers.SpectralNormalization(InBfloat16(layers.Dense(2)))])
    with pytest.raises(ValueError, match=r"\(InBfloat16\): must be around the layer that wr"):
        to_config(inner)
    assert_equal(round_trip(inner), inner)


def test_unprintable_names_are_refused() -> None:
    model = Sequential([layers.ReLU()], name="\x1b[2J", names=("x" * 256,))
    with pytest.raises(NotSerializableError) as error_info:
        serialize(model)
    assert r"\x1b[2J (Sequential): the name must be 1 to 255 printable" in str(error_info.value)
    assert "xxx (ReLU): the name must be 1 to 255 printable" in str(error_info.value)
    assert str(error_info.value).replace("\n", "").isprintable()


def test_values_that_are_not_layers_are_refused() -> None:
    with pytest.raises(TypeError, match=r"serialize: model must be a jaxlayers\.Layer, got 3 \(in"):
        serialize(3)


def test_names_with_a_slash_are_refused_as_in_keras(tmp_path) -> None:
    with pytest.raises(ValueError, match="cannot contain character `/`"):
        keras.Sequential([keras.layers.Dense(2)], name="a/b")
    layer = layers.Dense(2)
    for model, location in (
        (Sequential([layer], (3,), name="a/b"), r"a/b \(Sequential\)"),
        (Sequential([layer], (3,), names=("c/d",)), r"c/d \(Dense\)"),
    ):
        message = rf"{location}: the name must not contain '/', which Keras refuses"
        with pytest.raises(ValueError, match=message):
            save(tmp_path / "m.keras", model, *model.init(jax.random.key(0)))
        assert not list(tmp_path.iterdir())
        assert_equal(round_trip(model), model)
