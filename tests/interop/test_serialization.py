"""A config represents any model of the package exactly; what it cannot represent is named."""

import json

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from jaxlayers import (
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
from jaxlayers.layers import InBfloat16
from jaxlayers.models import cnn, dcgan
from tests.layers.test_contract import every_layer

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


class Draw:
    """Draws layers and models with random arguments."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def one(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def objects(self, cls):
        return {
            name: self.one(*choices)
            for name in cls.__dataclass_fields__
            for kind, choices in OBJECTS.items()
            if name.endswith(kind)
        }

    def single(self):
        draw = self.one
        cls = getattr(layers, draw(*sorted(set(layers.__all__) - {"InBfloat16", "Layer"})))
        data_format = {"data_format": draw("channels_first", "channels_last")}
        window = draw(2, (1, 3))
        arguments = {
            "Activation": lambda: {"activation": draw("selu", jax.nn.silu, activations.mish)},
            "BatchNormalization": lambda: draw(
                {"axis": 1, "momentum": 0.5, "renorm_momentum": 0.25},
                {"renorm": True, "renorm_clipping": {"rmax": 2.0, "dmax": 1.0}},
                {"scale": False, "epsilon": 1},
            ),
            "Conv2D": lambda: {"filters": 4, "kernel_size": window, **data_format},
            "Conv2DTranspose": lambda: {
                "filters": 4,
                "kernel_size": 3,
                "strides": 2,
                "output_padding": draw(None, 1),
                **data_format,
            },
            "Dense": lambda: {"units": draw(1, 7), "use_bias": draw(True, False)},
            "Dropout": lambda: {"rate": draw(0, 0.5), "noise_shape": draw(None, (None, 1))},
            "LeakyReLU": lambda: draw({"alpha": 0.1}, {"negative_slope": 2}),
            "ReLU": lambda: {"max_value": draw(None, 6, 1e12), "threshold": 0.5},
            "Reshape": lambda: {"target_shape": draw((-1,), (2, 3), ())},
            "Softmax": lambda: {"axis": draw(-1, (1, 2))},
            "UpSampling2D": lambda: {"size": window, "interpolation": draw("nearest", "bilinear")},
            "ZeroPadding2D": lambda: {"padding": draw(1, (1, 0), ((0, 1), (2, 0)))},
        }
        pooling = {"pool_size": window, "padding": draw("same", "valid"), **data_format}
        for name in ("AveragePooling2D", "MaxPooling2D", "SumPooling2D"):
            arguments[name] = lambda: pooling
        arguments = arguments.get(cls.__name__, dict)
        return cls(**(self.objects(cls) | arguments()))

    def layer(self, depth):
        kind = self.rng.random()
        made = self.model(depth - 1) if depth and kind < 0.3 else self.single()
        return InBfloat16(made) if self.rng.random() < 0.2 else made

    def model(self, depth=2):
        members = [self.layer(depth) for _ in range(self.rng.integers(1, 5))]
        names = tuple(f"{self.one('block', 'a/b', 'é')}{i}" for i in range(len(members)))
        made = Sequential(
            members,
            name=self.one("sequential", "inner", "a/b"),
            names=self.one(None, names),
            fuse=self.one(True, True, False),
        )
        return self.one(made, made[self.rng.integers(len(members)) :])

    def model_of_vectors(self, depth=2):
        """A model with an input shape, of layers that take examples of one axis."""
        members = [
            self.model_of_vectors(depth - 1)
            if depth and self.rng.random() < 0.3
            else self.one(
                layers.Dense(4, **self.objects(layers.Dense)),
                layers.BatchNormalization(**self.objects(layers.BatchNormalization)),
                layers.ReLU(),
            )
            for _ in range(self.rng.integers(1, 4))
        ]
        return Sequential(members, input_shape=self.one((4,), [4]), fuse=self.one(True, False))


def through_json(model):
    return from_config(json.loads(json.dumps(serialize(model), allow_nan=False)))


def assert_equal(read, model):
    assert read == model and type(read) is type(model)
    assert hash(read) == hash(model)


@pytest.mark.parametrize("seed", range(5))
def test_random_models_are_equal_after_reading(seed) -> None:
    for number in range(40):
        draw = Draw(1000 * seed + number)
        for model in (draw.layer(2), draw.model(), draw.model_of_vectors()):
            assert_equal(through_json(model), model)


def test_the_random_models_have_every_layer() -> None:
    seen = {type(Draw(seed).single()).__name__ for seed in range(200)}
    assert seen == set(layers.__all__) - {"InBfloat16", "Layer"}


@every_layer
def test_a_single_layer_is_equal_after_reading(layer, shape) -> None:
    assert_equal(through_json(layer), layer)
    model = Sequential([layer], shape)
    assert_equal(through_json(model), model)


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
        Sequential([InBfloat16(layers.Dense(2)), InBfloat16(layers.ReLU())]),
        Sequential([Sequential([Sequential([layers.ReLU()], name="x")], (3,))], names=("y",)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_models_of_the_package_are_equal_after_reading(model) -> None:
    assert_equal(through_json(model), model)


def test_a_model_sixteen_levels_deep_is_equal_after_reading() -> None:
    model = layers.Dense(2)
    for _ in range(16):
        model = Sequential([model])
    assert_equal(through_json(model), model)


def test_keras_reads_the_complete_config_of_a_model_that_it_has() -> None:
    inner = Sequential(
        [layers.Dense(3, "softplus", kernel_initializer="normal")], name="inner", fuse=False
    )
    model = Sequential(
        [inner, layers.Dense(2, kernel_initializer=initializers.HeNormal())],
        input_shape=(4,),
        names=("first", "second"),
    )
    for ours in (model, InBfloat16(model)):
        config = keras.models.model_from_json(json.dumps(serialize(ours))).get_config()
        expected = keras.models.model_from_json(json.dumps(to_config(ours))).get_config()
        assert config == expected


def test_a_layer_of_keras_own_config_is_read() -> None:
    theirs = keras.layers.Conv2D(3, 2, activation="relu", dtype="float32")
    expected = layers.Conv2D(3, 2, activation="relu")
    assert from_config(keras.layers.serialize(theirs)) == expected


def test_relu_of_jax_is_relu_in_keras(tmp_path) -> None:
    model = Sequential([layers.Dense(2, activation=jax.nn.relu)], input_shape=(3,))
    save(tmp_path / "m.keras", model, *model.init(jax.random.key(0)))
    assert load(tmp_path / "m.keras")[0] == Sequential([layers.Dense(2, "relu")], (3,))


def test_a_config_is_of_json_values_only() -> None:
    model = Sequential([layers.Dense(np.int64(3).item()), layers.LeakyReLU(0.25)])
    config = serialize(model)
    assert json.loads(json.dumps(config)) == config


class Mine(layers.Dense):
    pass


class Other(Layer):
    def apply(self, params, state, x, *, training=False, key=None):
        return x, state


class MySequential(Sequential):
    pass


def test_all_that_a_config_cannot_hold_is_in_one_error() -> None:
    model = Sequential(
        [
            layers.Dense(2, activation=lambda x: x),
            layers.Dense(2, kernel_initializer=jax.nn.initializers.he_normal()),
            InBfloat16(Mine(2)),
            Other(),
            MySequential([layers.Dense(2, bias_constraint=abs)], name="inner"),
            layers.ReLU(float("inf")),
        ]
    )
    with pytest.raises(NotSerializableError) as raised:
        serialize(model)
    lines = str(raised.value).splitlines()
    assert lines[0] == "serialize: sequential cannot be represented by a config:"
    for line, beginning in zip(
        lines[1:],
        (
            "  dense (Dense): activation: must be one of Keras's names or functions, got <func",
            "  dense_1 (Dense): kernel_initializer: must be one of Keras's names or an object of "
            "jaxlayers.initializers, got <function",
            "  in_bfloat16 (Mine): a user-defined class, which a config cannot represent",
            "  other (Other): a user-defined class",
            "  inner/dense (Dense): bias_constraint: must be one of Keras's names or an object",
            "  inner (MySequential): a user-defined class",
            "  re_lu (ReLU): max_value: must be finite numbers, strings or lists of them, got inf",
        ),
        strict=True,
    ):
        assert line.startswith(beginning), line
    # It is a ValueError like all others.
    assert issubclass(NotSerializableError, ValueError)


def test_names_that_cannot_be_printed_are_not_serialized() -> None:
    model = Sequential([layers.ReLU()], name="\x1b[2J", names=("x" * 256,))
    with pytest.raises(NotSerializableError) as raised:
        serialize(model)
    assert r"\x1b[2J (Sequential): the name must be 1 to 255 printable" in str(raised.value)
    assert "xxx (ReLU): the name must be 1 to 255 printable" in str(raised.value)
    assert str(raised.value).replace("\n", "").isprintable()


def test_what_is_no_layer_is_not_serialized() -> None:
    with pytest.raises(TypeError, match=r"serialize: model must be a jaxlayers\.Layer, got 3 \(in"):
        serialize(3)


def test_names_with_a_slash_are_refused_by_keras_and_by_save(tmp_path) -> None:
    with pytest.raises(ValueError, match="cannot contain character `/`"):
        keras.Sequential([keras.layers.Dense(2)], name="a/b")
    layer = layers.Dense(2)
    for model, where in (
        (Sequential([layer], (3,), name="a/b"), r"a/b \(Sequential\)"),
        (Sequential([layer], (3,), names=("c/d",)), r"c/d \(Dense\)"),
    ):
        message = rf"{where}: the name must not contain '/', which Keras refuses"
        with pytest.raises(ValueError, match=message):
            save(tmp_path / "m.keras", model, *model.init(jax.random.key(0)))
        assert not list(tmp_path.iterdir())
        assert_equal(through_json(model), model)
