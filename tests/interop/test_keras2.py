"""Files and configs of Keras 2, written here in the format of Keras 2."""

import json
import warnings

import h5py
import jax
import keras
import numpy as np
import pytest

from jaxlayers import Sequential, layers
from jaxlayers.interop.keras import from_config, load, load_weights
from jaxlayers.layers import Frozen

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
MODEL = {"class_name": "Sequential", "config": {"name": "sequential_1", "layers": LAYERS}}
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
def weights_by_layer():
    """Random weights by layer and weight name."""
    rng = np.random.default_rng(0)
    return {
        name: {w: rng.uniform(0.1, 0.9, shape).astype("float32") for w, shape in shapes.items()}
        for name, shapes in SHAPES.items()
    }


def write(path, config, weights_by_layer, *, fixed_length=True, with_model=True, layer_names=None):
    """Writes a file as Keras 2.2 (fixed-length strings) or later versions (variable-length) do."""
    text = (lambda s: np.bytes_(s.encode())) if fixed_length else (lambda s: s)
    with h5py.File(path, "w") as file:
        group = file
        if with_model:
            file.attrs["keras_version"] = text("2.2.4")
            file.attrs["backend"] = text("tensorflow")
            file.attrs["model_config"] = text(json.dumps(config))
            file.attrs["training_config"] = text(json.dumps(TRAINING))
            group = file.create_group("model_weights")
        names = layer_names or [entry["config"]["name"] for entry in LAYERS]
        group.attrs["layer_names"] = [name.encode() for name in names]
        for name in names:
            subgroup = group.create_group(name)
            weights = weights_by_layer.get(name, {})
            subgroup.attrs["weight_names"] = [f"{name}/{weight}:0".encode() for weight in weights]
            for weight, array in weights.items():
                subgroup.create_dataset(f"{name}/{weight}:0", data=array)
    return path


def assert_weights_equal(params, state, weights_by_layer):
    for name, weights in weights_by_layer.items():
        for weight, array in weights.items():
            tree = state if weight.startswith("moving") else params
            np.testing.assert_array_equal(tree[name][weight], array)


@pytest.mark.parametrize("fixed_length", [True, False])
def test_a_saved_model_is_loaded(tmp_path, weights_by_layer, fixed_length):
    path = write(tmp_path / "model.h5", MODEL, weights_by_layer, fixed_length=fixed_length)
    model, params, state = load(path)
    assert model.input_shape == (6, 6, 2)
    assert model.names[:3] == ("conv2d_1", "batch_normalization_1", "leaky_re_lu_1")
    assert model["leaky_re_lu_1"].negative_slope == pytest.approx(0.3)
    assert model["batch_normalization_1"].axis == 3
    assert_weights_equal(params, state, weights_by_layer)


def test_a_loaded_model_computes_the_outputs_of_keras_3(tmp_path, weights_by_layer):
    # Keras 3.15 reads the input shape only from an InputLayer, as later versions of Keras 2 wrote
    # it, and not from the first layer.
    first = layer(
        "InputLayer", "input_1", batch_input_shape=[None, 6, 6, 2], sparse=False, ragged=False
    )
    config = json.loads(json.dumps(MODEL))
    del config["config"]["layers"][0]["config"]["batch_input_shape"]
    config["config"]["layers"].insert(0, first)
    path = write(tmp_path / "model.h5", config, weights_by_layer)
    model, params, state = load(path)
    assert model == from_config(MODEL)
    with warnings.catch_warnings(action="ignore"):  # of alpha
        keras_model = keras.models.load_model(path, compile=False)
    x = np.random.default_rng(1).standard_normal((2, 6, 6, 2)).astype("float32")
    np.testing.assert_allclose(
        model.apply(params, state, x)[0], keras_model(x, training=False), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        model.penalty(params, state),
        np.sum([float(loss) for loss in keras_model.losses]),
        rtol=1e-5,
    )


def test_weights_without_a_model_are_loaded_into_a_given_model(tmp_path, weights_by_layer):
    path = write(tmp_path / "weights.h5", None, weights_by_layer, with_model=False)
    model = from_config(MODEL)
    assert_weights_equal(*load_weights(path, model), weights_by_layer)
    # Layers with other names are matched in order, as in Keras.
    renamed = Sequential(model.layers, (6, 6, 2))
    params, _ = load_weights(path, renamed)
    np.testing.assert_array_equal(params["dense"]["kernel"], weights_by_layer["dense_1"]["kernel"])
    with pytest.raises(ValueError, match="contains no model, only weights"):
        load(path)


def test_layer_names_divided_into_several_attributes_are_read(tmp_path, weights_by_layer):
    path = write(tmp_path / "model.h5", MODEL, weights_by_layer)
    with h5py.File(path, "a") as file:
        group = file["model_weights"]
        names = group.attrs["layer_names"]
        del group.attrs["layer_names"]
        group.attrs["layer_names0"], group.attrs["layer_names1"] = names[:3], names[3:]
    assert_weights_equal(*load(path)[1:], weights_by_layer)


def test_a_list_of_layers_is_read_as_a_sequential():
    assert (
        from_config({"class_name": "Sequential", "config": LAYERS}).names
        == from_config(MODEL).names
    )
    assert from_config(LAYERS).input_shape == (6, 6, 2)


def test_functional_configs_of_keras_2_are_read():
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
            # In any order, since the nodes define the graph.
            "layers": entries[::-1],
            "input_layers": [["input_1", 0, 0]],
            "output_layers": [["dense_1", 0, 0]],
        },
    }
    model = from_config(config)
    assert model.layers[1:] == from_config(MODEL).layers
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
        (layer("Convolution1D", "a", filters=2, kernel_size=[3], padding="causal", groups=1),
         layers.Conv1D(2, 3, padding="causal")),
        (layer("Conv3DTranspose", "a", filters=2, kernel_size=[3, 3, 3], groups=1,
               output_padding=None), layers.Conv3DTranspose(2, 3)),
        (layer("DepthwiseConv2D", "a", kernel_size=[3, 3], groups=1, depth_multiplier=2,
               depthwise_initializer=UNIFORM), layers.DepthwiseConv2D(3, depth_multiplier=2)),
        (layer("SeparableConvolution2D", "a", filters=2, kernel_size=[3, 3], groups=1,
               kernel_initializer=UNIFORM, kernel_regularizer=None, kernel_constraint=None),
         layers.SeparableConv2D(2, 3)),
        (layer("MaxPool1D", "a", pool_size=[2], strides=[2]), layers.MaxPooling1D()),
        (layer("UpSampling1D", "a", size=3), layers.UpSampling1D(3)),
        (layer("Cropping1D", "a", cropping=[1, 2]), layers.Cropping1D((1, 2))),
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
def test_old_names_and_arguments_are_read(config, expected):
    (read,) = from_config({"class_name": "Sequential", "config": {"layers": [config]}}).layers
    assert read == expected


def test_convolutions_with_several_groups_are_refused_where_keras_has_none():
    config = layer("DepthwiseConv2D", "a", kernel_size=[3, 3], groups=2)
    with pytest.raises(ValueError, match="groups=2 is not supported"):
        from_config({"class_name": "Sequential", "config": {"layers": [config]}})


def test_depthwise_kernels_are_read_under_the_names_of_keras_2(tmp_path):
    entries = [
        layer("DepthwiseConv2D", "first", batch_input_shape=[None, 6, 6, 2], kernel_size=[3, 3]),
        layer("SeparableConv2D", "second", filters=3, kernel_size=[2, 2]),
    ]
    shapes = {
        "first": {"depthwise_kernel": (3, 3, 2, 1), "bias": (2,)},
        "second": {
            "depthwise_kernel": (2, 2, 2, 1),
            "pointwise_kernel": (1, 1, 2, 3),
            "bias": (3,),
        },
    }
    rng = np.random.default_rng(0)
    weights = {
        name: {weight: rng.random(shape, np.float32) for weight, shape in of_layer.items()}
        for name, of_layer in shapes.items()
    }
    config = {"class_name": "Sequential", "config": {"name": "sequential_1", "layers": entries}}
    path = write(tmp_path / "model.h5", config, weights, layer_names=["first", "second"])
    model, params, _ = load(path)
    weights["first"]["kernel"] = weights["first"].pop("depthwise_kernel")
    assert_weights_equal(params, {}, weights)
    # Layers with other names are matched in order.
    renamed, _ = load_weights(path, Sequential(model.layers, (6, 6, 2)))
    np.testing.assert_array_equal(renamed["depthwise_conv2d"]["kernel"], weights["first"]["kernel"])


def test_an_activation_whose_formula_changed_is_refused(tmp_path, weights_by_layer):
    config = json.loads(json.dumps(MODEL))
    config["config"]["layers"][-1]["config"]["activation"] = "hard_sigmoid"
    message = r"dense_1 \(Dense\): activation: hard_sigmoid has a different definition"
    with pytest.raises(ValueError, match=message):
        load(write(tmp_path / "model.h5", config, weights_by_layer))
    with pytest.raises(ValueError, match="a different definition"):
        from_config({**config, "keras_version": "2.15.0", "backend": "tensorflow"})
    assert from_config(config)["dense_1"].activation == "hard_sigmoid"


def test_nested_models_with_frozen_layers_are_read_by_name(tmp_path):
    """Keras writes weights that are not trainable last, so that their names must be used."""
    inner = keras.Sequential(
        [keras.layers.Dense(4, name="first"), keras.layers.Dense(4, name="second")], name="inner"
    )
    keras_model = keras.Sequential([keras.Input((4,)), inner])
    inner.layers[0].trainable = False
    keras_model.save(tmp_path / "model.h5")
    model, params, _ = load(tmp_path / "model.h5")
    assert model["inner"].layers == (Frozen(layers.Dense(4)), layers.Dense(4))
    for position, name in enumerate(("first", "second")):
        kernel = np.asarray(inner.layers[position].kernel)
        np.testing.assert_array_equal(params["inner"][name]["kernel"], kernel)
    assert jax.tree.structure(model.init(jax.random.key(0))[0]) == jax.tree.structure(params)


def test_the_arguments_of_an_embedding_in_keras2_are_read():
    embedding = layer(
        "Embedding",
        "words",
        batch_input_shape=[None, 10],
        input_dim=50,
        output_dim=4,
        embeddings_initializer={
            "class_name": "RandomUniform",
            "config": {"minval": -0.05, "maxval": 0.05, "seed": None},
        },
        embeddings_regularizer=None,
        activity_regularizer=None,
        embeddings_constraint=None,
        mask_zero=False,
        input_length=10,
    )
    config = {"class_name": "Sequential", "config": {"name": "model", "layers": [embedding]}}
    expected = layers.Embedding(50, 4)
    assert from_config(config) == Sequential([expected], (10,), name="model", names=("words",))
    # The number of embeddings is not the size of the input.
    del embedding["config"]["batch_input_shape"]
    assert from_config(config).input_shape is None
    embedding["config"]["mask_zero"] = True
    with pytest.raises(ValueError, match=r"words \(Embedding\): mask_zero must be False, got True"):
        from_config(config)


def test_the_deprecated_argument_of_layer_normalization_is_refused():
    entry = layer("LayerNormalization", "norm", axis=[1], rms_scaling=False)
    config = {"class_name": "Sequential", "config": {"layers": [entry]}}
    assert from_config(config)["norm"] == layers.LayerNormalization((1,))
    entry["config"]["rms_scaling"] = True
    with pytest.raises(ValueError, match=r"norm \(LayerNorm.*: rms_scaling=True is not supported"):
        from_config(config)
