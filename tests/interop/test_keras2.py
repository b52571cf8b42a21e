"""Files and configs of Keras 2, made here as Keras 2 made them."""

import json
import warnings

import h5py
import jax
import keras
import numpy as np
import pytest

from jaxlayers import Sequential, layers
from jaxlayers.interop.keras import from_config, load, load_weights

UNIFORM = {"class_name": "GlorotUniform", "config": {"seed": None}}
SCALING = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
}
ZEROS, ONES = ({"class_name": name, "config": {}} for name in ("Zeros", "Ones"))


def layer(class_name, name, **config):
    return {
        "class_name": class_name,
        "config": {"name": name, "trainable": True, "dtype": "float32", **config},
    }


CONVOLUTION = layer(
    "Conv2D",
    "conv2d_1",
    batch_input_shape=[None, 6, 6, 2],
    filters=3,
    kernel_size=[3, 3],
    strides=[1, 1],
    padding="same",
    data_format="channels_last",
    dilation_rate=[1, 1],
    groups=1,
    activation="linear",
    use_bias=True,
    kernel_initializer=SCALING,
    bias_initializer=ZEROS,
    kernel_regularizer={"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.009999999776482582}},
    bias_regularizer=None,
    activity_regularizer=None,
    kernel_constraint={"class_name": "MaxNorm", "config": {"max_value": 2, "axis": 0}},
    bias_constraint=None,
)
NORMALIZATION = layer(
    "BatchNormalization",
    "batch_normalization_1",
    axis=[3],
    momentum=0.99,
    epsilon=0.001,
    center=True,
    scale=True,
    beta_initializer=ZEROS,
    gamma_initializer=ONES,
    moving_mean_initializer=ZEROS,
    moving_variance_initializer=ONES,
    beta_regularizer=None,
    gamma_regularizer=None,
    beta_constraint=None,
    gamma_constraint=None,
)
DENSE = layer(
    "Dense",
    "dense_1",
    units=4,
    activation="softmax",
    use_bias=True,
    kernel_initializer=UNIFORM,
    bias_initializer=ZEROS,
    kernel_regularizer=None,
    bias_regularizer=None,
    activity_regularizer=None,
    kernel_constraint=None,
    bias_constraint=None,
)
LAYERS = [
    CONVOLUTION,
    NORMALIZATION,
    layer("LeakyReLU", "leaky_re_lu_1", alpha=0.30000001192092896),
    layer("Dropout", "dropout_1", rate=0.25, noise_shape=None, seed=None),
    layer(
        "MaxPooling2D",
        "max_pooling2d_1",
        pool_size=[2, 2],
        padding="valid",
        strides=[2, 2],
        data_format="channels_last",
    ),
    layer(
        "UpSampling2D",
        "up_sampling2d_1",
        size=[2, 2],
        data_format="channels_last",
        interpolation="nearest",
    ),
    layer("Flatten", "flatten_1", data_format="channels_last"),
    DENSE,
]
WHOLE = {"class_name": "Sequential", "config": {"name": "sequential_1", "layers": LAYERS}}
TRAINING = {"optimizer_config": {"class_name": "Adam", "config": {"lr": 0.001, "decay": 0.0}}}
SHAPES = {
    "conv2d_1": {"kernel": (3, 3, 2, 3), "bias": (3,)},
    "batch_normalization_1": {
        "gamma": (3,),
        "beta": (3,),
        "moving_mean": (3,),
        "moving_variance": (3,),
    },
    "dense_1": {"kernel": (108, 4), "bias": (4,)},
}


@pytest.fixture
def numbers():
    """Random weights by layer and name."""
    rng = np.random.default_rng(0)
    return {
        name: {w: rng.uniform(0.1, 0.9, shape).astype("float32") for w, shape in shapes.items()}
        for name, shapes in SHAPES.items()
    }


def write(path, config, numbers, *, fixed_length=True, whole=True, layer_names=None):
    """Writes a file as Keras 2.2 (strings of one length) or later (of any length) did."""
    text = (lambda s: np.bytes_(s.encode())) if fixed_length else (lambda s: s)
    with h5py.File(path, "w") as file:
        group = file
        if whole:
            file.attrs["keras_version"] = text("2.2.4")
            file.attrs["backend"] = text("tensorflow")
            file.attrs["model_config"] = text(json.dumps(config))
            file.attrs["training_config"] = text(json.dumps(TRAINING))
            group = file.create_group("model_weights")
        names = layer_names or [entry["config"]["name"] for entry in LAYERS]
        group.attrs["layer_names"] = [name.encode() for name in names]
        for name in names:
            own = group.create_group(name)
            weights = numbers.get(name, {})
            own.attrs["weight_names"] = [f"{name}/{weight}:0".encode() for weight in weights]
            for weight, array in weights.items():
                own.create_dataset(f"{name}/{weight}:0", data=array)
    return path


def assert_holds(params, state, numbers):
    for name, weights in numbers.items():
        for weight, array in weights.items():
            tree = state if weight.startswith("moving") else params
            np.testing.assert_array_equal(tree[name][weight], array)


@pytest.mark.parametrize("fixed_length", [True, False])
def test_a_whole_model(tmp_path, numbers, fixed_length):
    path = write(tmp_path / "model.h5", WHOLE, numbers, fixed_length=fixed_length)
    model, params, state = load(path)
    assert model.input_shape == (6, 6, 2)
    assert model.names[:3] == ("conv2d_1", "batch_normalization_1", "leaky_re_lu_1")
    assert model["leaky_re_lu_1"].negative_slope == pytest.approx(0.3)
    assert model["batch_normalization_1"].axis == 3
    assert_holds(params, state, numbers)


def test_it_computes_what_keras_3_makes_of_the_file(tmp_path, numbers):
    # Keras 3.15 does not read the shape of the input in the first layer, only in an input of
    # its own, as later versions of Keras 2 wrote it.
    first = layer(
        "InputLayer", "input_1", batch_input_shape=[None, 6, 6, 2], sparse=False, ragged=False
    )
    config = json.loads(json.dumps(WHOLE))
    del config["config"]["layers"][0]["config"]["batch_input_shape"]
    config["config"]["layers"].insert(0, first)
    path = write(tmp_path / "model.h5", config, numbers)
    model, params, state = load(path)
    assert model == from_config(WHOLE)
    with warnings.catch_warnings(action="ignore"):  # of alpha
        theirs = keras.models.load_model(path, compile=False)
    x = np.random.default_rng(1).standard_normal((2, 6, 6, 2)).astype("float32")
    np.testing.assert_allclose(
        model.apply(params, state, x)[0], theirs(x, training=False), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        model.penalty(params, state), np.sum([float(loss) for loss in theirs.losses]), rtol=1e-5
    )


def test_weights_alone_for_a_model_made_here(tmp_path, numbers):
    path = write(tmp_path / "weights.h5", None, numbers, whole=False)
    model = from_config(WHOLE)
    assert_holds(*load_weights(path, model), numbers)
    # Layers of other names are matched in their order, as Keras does.
    renamed = Sequential(model.layers, (6, 6, 2))
    params, _ = load_weights(path, renamed)
    np.testing.assert_array_equal(params["dense"]["kernel"], numbers["dense_1"]["kernel"])
    with pytest.raises(ValueError, match="contains no model, only weights"):
        load(path)


def test_names_too_many_for_one_attribute_are_in_pieces(tmp_path, numbers):
    path = write(tmp_path / "model.h5", WHOLE, numbers)
    with h5py.File(path, "a") as file:
        group = file["model_weights"]
        names = group.attrs["layer_names"]
        del group.attrs["layer_names"]
        group.attrs["layer_names0"], group.attrs["layer_names1"] = names[:3], names[3:]
    assert_holds(*load(path)[1:], numbers)


def test_a_list_of_layers_is_a_sequential():
    assert (
        from_config({"class_name": "Sequential", "config": LAYERS}).names
        == from_config(WHOLE).names
    )
    assert from_config(LAYERS).input_shape == (6, 6, 2)


def test_the_functional_form_of_keras_2():
    first = layer(
        "InputLayer", "input_1", batch_input_shape=[None, 6, 6, 2], sparse=False, ragged=False
    )
    entries = [first, *LAYERS]
    names = [entry["config"]["name"] for entry in entries]
    nodes = [[], *([[[name, 0, 0, {}]]] for name in names)]
    entries = [
        {**entry, "name": name, "inbound_nodes": node}
        for entry, name, node in zip(entries, names, nodes, strict=False)
    ]
    config = {
        "class_name": "Model",
        "config": {
            "name": "model_1",
            # In any order: the nodes say what follows what.
            "layers": entries[::-1],
            "input_layers": [["input_1", 0, 0]],
            "output_layers": [["dense_1", 0, 0]],
        },
    }
    model = from_config(config)
    assert model.layers == from_config(WHOLE).layers
    assert (model.name, model.input_shape) == ("model_1", (6, 6, 2))


@pytest.mark.parametrize(
    "config, expected",
    [
        (layer("LeakyReLU", "a", alpha={"type": "ndarray", "value": 0.25}), layers.LeakyReLU(0.25)),
        (layer("LeakyReLU", "a", alpha=0.1), layers.LeakyReLU(0.1)),
        (layer("AvgPool2D", "a", pool_size=[2, 2]), layers.AveragePooling2D(2)),
        (layer("GlobalMaxPool2D", "a", data_format=None), layers.GlobalMaxPooling2D()),
        (layer("Convolution2D", "a", filters=2, kernel_size=[3, 2]), layers.Conv2D(2, (3, 2))),
        (layer("Convolution2DTranspose", "a", filters=2, kernel_size=[2, 2], output_padding=None),
         layers.Conv2DTranspose(2, 2)),
        (layer("Activation", "a", activation="relu"), layers.Activation("relu")),
        (layer("Softmax", "a", axis=-1), layers.Softmax()),
        (layer("ReLU", "a", max_value={"type": "ndarray", "value": 6.0}, negative_slope=0.0,
               threshold=0.0), layers.ReLU(6.0)),
        (layer("BatchNormalizationV1", "a", axis=-1, fused=True, virtual_batch_size=None),
         layers.BatchNormalization()),
        (layer("ZeroPadding2D", "a", padding=[[1, 0], [0, 2]]),
         layers.ZeroPadding2D(((1, 0), (0, 2)))),
        (layer("Dense", "a", units=2, kernel_initializer={
            "class_name": "HeNormal", "config": {"seed": 5, "dtype": "float32"}}),
         layers.Dense(2, kernel_initializer="he_normal")),
        (layer("Dense", "a", units=2, input_dim=3, activation={
            "class_name": "function", "config": "relu", "module": "builtins",
            "registered_name": "relu"}),
         layers.Dense(2, activation="relu")),
    ],
)  # fmt: skip
def test_old_spellings(config, expected):
    (made,) = from_config({"class_name": "Sequential", "config": {"layers": [config]}}).layers
    assert made == expected


def test_a_formula_that_changed_is_refused(tmp_path, numbers):
    config = json.loads(json.dumps(WHOLE))
    config["config"]["layers"][-1]["config"]["activation"] = "hard_sigmoid"
    message = r"dense_1 \(Dense\): activation: hard_sigmoid has a different definition"
    with pytest.raises(ValueError, match=message):
        load(write(tmp_path / "model.h5", config, numbers))
    with pytest.raises(ValueError, match="a different definition"):
        from_config({**config, "keras_version": "2.15.0", "backend": "tensorflow"})
    assert from_config(config)["dense_1"].activation == "hard_sigmoid"


def test_a_model_inside_with_layers_that_are_not_trained(tmp_path):
    """Keras then writes their weights last: it is the names that tell whose they are."""
    inside = keras.Sequential(
        [keras.layers.Dense(4, name="first"), keras.layers.Dense(4, name="second")], name="inside"
    )
    theirs = keras.Sequential([keras.Input((4,)), inside])
    inside.layers[0].trainable = False
    theirs.save(tmp_path / "model.h5")
    with pytest.warns(UserWarning, match="inside/first"):
        model, params, _ = load(tmp_path / "model.h5")
    for position, name in enumerate(("first", "second")):
        kernel = np.asarray(inside.layers[position].kernel)
        np.testing.assert_array_equal(params["inside"][name]["kernel"], kernel)
    assert jax.tree.structure(model.init(jax.random.key(0))[0]) == jax.tree.structure(params)
