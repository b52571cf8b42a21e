"""ONNX files of models: their graphs, names, dtypes and layout, and random models."""

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest

from jaxlayers import Functional, Input, Sequential, layers
from jaxlayers.layers import Frozen, InBfloat16, InferenceMode
from jaxlayers.models import dcgan
from tests.interop.onnx_files import (
    assert_predicts,
    inputs_of,
    op_types,
    saved,
    session_of,
)
from tests.interop.test_stablehlo import examples, random_weights
from tests.parity.test_functional import GRAPHS, OURS

NAMES = {
    "residual": [["input_layer"], ["dense"]],
    "shared": [["input_layer", "input_layer_1"], ["dot", "subtract"]],
    "nested": [["input_layer"], ["concatenate"]],
    "by_name": [["another", "key", "query"], ["merged", "scores"]],
    "unordered": [["input_layer_1", "input_layer"], ["dense", "add", "average"]],
}


@pytest.mark.parametrize("graph", GRAPHS)
def test_graphs_have_the_names_of_the_inputs_and_outputs_of_the_model(graph, tmp_path) -> None:
    model = graph(OURS)
    weights = random_weights(model, model.input_shape)
    proto = assert_predicts(tmp_path / "model.onnx", model, *weights, inputs_of(model))
    names = [[v.name for v in values] for values in (proto.graph.input, proto.graph.output)]
    assert names == NAMES[graph.__name__]
    assert proto.graph.name == model.name


def residual(rank: int, data_format: str, head: layers.Layer) -> Functional:
    """Returns a residual network with two blocks, whose shortcuts are an identity and not."""
    k, f = layers, {"data_format": data_format}
    axis = -1 if data_format == "channels_last" else 1
    convolution, pooling = (getattr(k, f"{name}{rank}D") for name in ("Conv", "MaxPooling"))
    shape = (9, 8, 7)[:rank]
    image = Input((*shape, 3) if axis == -1 else (3, *shape))

    def normalized(x, filters, size, strides=1, activation="relu"):
        x = convolution(filters, size, strides, padding="same", use_bias=False, **f)(x)
        return k.Activation(activation)(k.BatchNormalization(axis)(x))

    def block(x, filters, strides):
        y = normalized(normalized(x, filters, 3, strides), filters, 3, activation="linear")
        if strides > 1:
            x = normalized(x, filters, 1, strides, "linear")
        return k.ReLU()(k.Add()([x, y]))

    x = pooling(3, 2, "same", **f)(normalized(image, 4, 3))
    x = block(block(x, 4, 1), 6, 2)
    gate = k.Dense(6, activation="sigmoid")(getattr(k, f"GlobalMaxPooling{rank}D")(**f)(x))
    ones = (1,) * rank
    x = k.Multiply()([x, k.Reshape((*ones, 6) if axis == -1 else (6, *ones))(gate)])
    x = k.Concatenate(axis)([x, getattr(k, f"ZeroPadding{rank}D")(0, **f)(x)])
    return Functional(image, k.Dense(2)(head(x)))


@pytest.mark.parametrize(
    ("rank", "data_format", "head"),
    [
        (1, "channels_last", "Flatten"),
        (2, "channels_last", "GlobalAveragePooling"),
        (2, "channels_first", "Flatten"),
        (3, "channels_last", "GlobalAveragePooling"),
    ],
)
def test_a_residual_network_is_transposed_only_at_its_ends(rank, data_format, head, tmp_path):
    cls = layers.Flatten if head == "Flatten" else getattr(layers, f"{head}{rank}D")
    model = residual(rank, data_format, cls(data_format=data_format))
    weights = random_weights(model, model.input_shape)
    proto = assert_predicts(tmp_path / "model.onnx", model, *weights, inputs_of(model, 2))
    count = (data_format == "channels_last") + (head == "Flatten")
    assert op_types(proto).count("Transpose") == count


def test_a_permutation_is_not_computed_where_the_next_layer_undoes_it(tmp_path) -> None:
    model = Sequential(
        [
            layers.Permute((3, 1, 2)),
            layers.Conv2D(3, 2, data_format="channels_first"),
            layers.Permute((2, 3, 1)),
            layers.Conv2D(2, 2),
            layers.GlobalMaxPooling2D(),
        ],
        (4, 5, 2),
    )
    weights = random_weights(model, model.input_shape)
    proto = assert_predicts(tmp_path / "model.onnx", model, *weights, inputs_of(model))
    assert op_types(proto) == ["Transpose", "Conv", "Conv", "ReduceMax"]


def test_a_tensor_and_its_permutation_are_transposed_separately(tmp_path) -> None:
    image = Input((4, 4, 2))
    x = layers.Conv2D(4, 1)(image)
    branches = [layers.Dense(3)(x), layers.Dense(3)(layers.Permute((2, 1, 3))(x))]
    model = Functional(image, layers.Maximum()(branches))
    weights = random_weights(model, model.input_shape)
    proto = assert_predicts(tmp_path / "model.onnx", model, *weights, inputs_of(model))
    assert op_types(proto).count("Transpose") == 3


def test_an_image_of_one_channel_is_not_transposed(tmp_path) -> None:
    model = Sequential([layers.Conv2D(1, 3), layers.Flatten()], (5, 4, 1))
    weights = random_weights(model, model.input_shape)
    proto = assert_predicts(tmp_path / "model.onnx", model, *weights, inputs_of(model))
    assert op_types(proto) == ["Reshape", "Conv", "Reshape"]


def test_weights_of_a_shared_layer_are_stored_once_and_named_after_it(tmp_path) -> None:
    x = Input((3,))
    dense = layers.Dense(3)
    inner = Sequential([dense, layers.ReLU()], (3,), name="inner")
    model = Functional(x, inner(inner(x)))
    proto = saved(tmp_path / "model.onnx", model, *random_weights(model, (3,)))
    names = {array.name for array in proto.graph.initializer}
    assert names == {"inner/dense/kernel", "inner/dense/bias"}
    assert [node.name for node in proto.graph.node] == [
        "inner/dense/Gemm",
        "inner/re_lu/Relu",
        "inner/dense/Gemm_1",
        "inner/re_lu/Relu_1",
    ]


def test_outputs_that_are_inputs_or_equal_each_other_have_their_own_names(tmp_path) -> None:
    x = Input((3,), name="x")
    y = layers.Dense(2)(x)
    model = Functional(x, (x, y, y))
    weights = random_weights(model, (3,))
    proto = assert_predicts(tmp_path / "model.onnx", model, *weights, inputs_of(model))
    assert [output.name for output in proto.graph.output] == ["x_1", "dense", "dense_1"]


def test_a_single_layer_and_a_sequential_are_named_after_their_layers(tmp_path) -> None:
    for model, name in (
        (layers.Dense(2), "dense"),
        (Sequential([layers.Dense(2), layers.Dense(2)]), "dense_1"),
        (layers.SpectralNormalization(layers.Dense(2)), "dense"),
    ):
        weights = random_weights(model, (3,))
        proto = saved(tmp_path / "model.onnx", model, *weights, input_shape=(3,))
        assert [value.name for value in proto.graph.input] == ["input_layer"]
        assert [value.name for value in proto.graph.output] == [name]


def test_the_batch_size_is_open_and_the_versions_are_those_of_opset_18(tmp_path) -> None:
    model = Sequential([layers.Dense(2)], (3,))
    proto = saved(tmp_path / "model.onnx", model, *random_weights(model, (3,)))
    for value, size in ((proto.graph.input[0], 3), (proto.graph.output[0], 2)):
        batch, features = value.type.tensor_type.shape.dim
        assert (batch.dim_param, features.dim_value) == ("batch", size)
    assert [(opset.domain, opset.version) for opset in proto.opset_import] == [("", 18)]
    assert proto.ir_version == 8
    assert proto.producer_name == "jaxlayers"


def test_noise_and_dropout_are_not_written(tmp_path) -> None:
    model = Sequential(
        [
            layers.GaussianNoise(0.5),
            layers.Dropout(0.5),
            layers.AlphaDropout(0.5),
            layers.GaussianDropout(0.5),
            layers.SpatialDropout1D(0.5),
            layers.ActivityRegularization(0.5),
            layers.Dense(2),
        ],
        (2, 3),
    )
    weights = random_weights(model, model.input_shape)
    proto = assert_predicts(tmp_path / "model.onnx", model, *weights, inputs_of(model))
    assert op_types(proto) == ["MatMul", "Add"]


def test_inputs_have_the_dtypes_of_the_input_layers(tmp_path) -> None:
    tokens, image = Input((3,), dtype="int32"), Input((2, 2, 1), dtype="bfloat16")
    embedded = layers.Permute((2, 1))(layers.Embedding(9, 4)(layers.Permute((1,))(tokens)))
    model = Functional((tokens, image), layers.Dot((1, 1))([embedded, layers.Reshape((4,))(image)]))
    x = np.array([[1, 8, 0], [2, 2, 3]], np.int32), examples(2, (2, 2, 1))
    weights = random_weights(model, model.input_shape)
    proto = assert_predicts(tmp_path / "model.onnx", model, *weights, x)
    kinds = [value.type.tensor_type.elem_type for value in proto.graph.input]
    assert kinds == [onnx.TensorProto.INT32, onnx.TensorProto.FLOAT]
    assert "Cast" not in op_types(proto)


def test_integers_are_converted_where_a_layer_computes_with_them(tmp_path) -> None:
    image = Input((2, 3, 1), dtype="float32")
    x = layers.Add()([layers.Flatten()(image), layers.Reshape((6,))(image)])
    model = Functional(image, x)
    bytes_ = np.random.default_rng(0).integers(0, 256, (3, 2, 3, 1)).astype("uint8")
    proto = assert_predicts(tmp_path / "a.onnx", model, {}, {}, bytes_, dtype="uint8")
    assert proto.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert op_types(proto)[0] == "Cast"
    model = Sequential([layers.Flatten(), layers.Rescaling(1 / 255), layers.Dense(2)], (2, 3, 1))
    weights = random_weights(model, model.input_shape)
    proto = assert_predicts(tmp_path / "b.onnx", model, *weights, bytes_, dtype=np.uint8)
    assert op_types(proto) == ["Reshape", "Cast", "Mul", "Gemm"]


def test_indices_of_an_embedding_are_truncated_and_counted_from_the_end(tmp_path) -> None:
    layer = layers.Embedding(5, 2)
    weights = random_weights(layer, (4,))
    x = np.array([[0.0, 1.9, -1.0, -5.0]] * 2, np.float32)
    assert_predicts(tmp_path / "model.onnx", layer, *weights, x, input_shape=(4,))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_weights_of_other_dtypes_are_written_as_float32(dtype, tmp_path) -> None:
    model = Sequential([layers.Dense(4), layers.BatchNormalization()], (3,))
    with jax.enable_x64(True):
        weights = jax.tree.map(lambda a: jnp.asarray(a, dtype), random_weights(model, (3,)))
        proto = saved(tmp_path / "model.onnx", model, *weights)
    exact = jax.tree.map(lambda a: np.asarray(a, np.float32), weights)
    x = examples(3, (3,))
    (y,) = session_of(tmp_path / "model.onnx").run(None, {"input_layer": x})
    np.testing.assert_allclose(y, model.apply(*exact, x)[0], rtol=1e-5, atol=1e-5)
    kinds = {array.data_type for array in proto.graph.initializer}
    assert kinds == {onnx.TensorProto.FLOAT}


def test_wrappers_are_written_as_the_layers_inside(tmp_path) -> None:
    model = Sequential([layers.Dense(4, activation="tanh"), layers.Dense(2)], (3,))
    weights = random_weights(model, (3,))
    expected = saved(tmp_path / "a.onnx", model, *weights)
    for wrapper in (Frozen, InBfloat16, InferenceMode):
        file = saved(tmp_path / "b.onnx", wrapper(model), *weights)
        assert file.graph.node == expected.graph.node
        assert file.graph.output == expected.graph.output


def test_the_images_of_a_generator_are_transposed_once(tmp_path) -> None:
    model = dcgan.generator(width=8)
    weights = random_weights(model, model.input_shape)
    proto = assert_predicts(tmp_path / "model.onnx", model, *weights, inputs_of(model))
    operations = op_types(proto)
    # From vectors to images of 7 x 7, and from images of one channel to the output.
    assert [operations.count(name) for name in ("Transpose", "Reshape")] == [1, 2]


def random_model(seed: int) -> Functional:
    """Returns a random graph of layers of images, with branches that are merged."""
    rng = np.random.default_rng(seed)
    data_format = str(rng.choice(["channels_last", "channels_first"]))
    axis = -1 if data_format == "channels_last" else 1
    f = {"data_format": data_format}

    def choose(*values):
        return values[rng.integers(len(values))]

    def size():
        return (int(rng.integers(1, 4)), int(rng.integers(1, 4)))

    activation = choose("relu", "gelu", "hard_silu", "selu", "softplus", "softmax")
    makers = [
        lambda: layers.Conv2D(
            4, size(), size(), padding="same", groups=choose(1, 2), activation=activation, **f
        ),
        lambda: layers.Conv2D(4, size(), dilation_rate=size(), padding="same", **f),
        lambda: layers.Conv2DTranspose(4, size(), size(), padding=choose("same", "valid"), **f),
        lambda: layers.DepthwiseConv2D(size(), padding="same", **f),
        lambda: layers.SeparableConv2D(4, size(), padding="same", **f),
        lambda: layers.BatchNormalization(choose(1, 2, 3)),
        lambda: layers.LayerNormalization(choose(1, 2, 3, -1, (1, 2), (3, 1))),
        lambda: layers.GroupNormalization(choose(1, -1), axis=choose(1, 2, 3)),
        lambda: layers.UnitNormalization(choose(1, 2, 3)),
        lambda: layers.MaxPooling2D(size(), choose(None, 1), "same", **f),
        lambda: layers.AveragePooling2D(size(), size(), "same", **f),
        lambda: layers.UpSampling2D(size(), interpolation=choose("nearest", "bilinear"), **f),
        lambda: layers.ZeroPadding2D((size(), size()), **f),
        lambda: layers.AdaptiveAveragePooling2D(size(), **f),
        lambda: layers.Permute(tuple(int(dim) for dim in rng.permutation(3) + 1)),
        lambda: layers.PReLU(shared_axes=choose((1, 2), (2, 3), None)),
        lambda: layers.Softmax(choose(1, 2, 3, (1, 3))),
        lambda: layers.Dense(4),
        lambda: layers.Activation(choose("tanh", "mish", "glu", "sparsemax", "celu")),
        lambda: Sequential([choose(*makers[:-1])(), layers.ELU(), choose(*makers[:-1])()]),
    ]
    image = Input((4, 6, 4) if axis == -1 else (4, 4, 6))
    tensors = [image]
    while len(tensors) < 9:
        x = tensors[-1 if rng.random() < 0.7 else rng.integers(len(tensors))]
        same = [other for other in tensors if other.shape == x.shape]
        merge = choose(layers.Add(), layers.Maximum(), layers.Average(), layers.Concatenate(axis))
        try:
            y = merge([x, choose(*same)]) if rng.random() < 0.25 else choose(*makers)()(x)
        except (ValueError, AssertionError):  # the layer does not accept the shape
            continue
        if np.prod(y.shape[1:]) < 2000:
            tensors.append(y)
    vectors = layers.Dense(3)(layers.Flatten(data_format)(tensors[-1]))
    return Functional(image, (tensors[-2], vectors))


MORE_SEEDS = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 200)]


@pytest.mark.parametrize("seed", [*range(4), *MORE_SEEDS])
def test_random_models_predict_the_same(seed, tmp_path) -> None:
    model = random_model(seed)
    weights = random_weights(model, model.input_shape)
    assert_predicts(tmp_path / "model.onnx", model, *weights, inputs_of(model))
