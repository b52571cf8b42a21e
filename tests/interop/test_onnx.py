"""ONNX files of every layer and every activation, compared with the layers themselves."""

import jax
import pytest

from jaxlayers import Functional, Input, Sequential, activations, layers
from jaxlayers.input_layer import InputLayer
from jaxlayers.interop.onnx.converters import CONVERTERS, UNSUPPORTED
from tests.interop.onnx_files import assert_predicts, inputs_of
from tests.interop.test_stablehlo import CONVOLUTIONS, random_weights
from tests.layers.test_contract import EVERY_CASE
from tests.layers.test_merging import VALID

NCHW = "channels_first"
OTHER_ARGUMENTS = [
    # Positions that no window contributes to, at the end of the output.
    (layers.Conv1DTranspose(2, 1, strides=4, padding="same"), (3, 2)),
    (layers.Conv2DTranspose(2, 3, strides=5, padding="same", output_padding=4), (3, 2, 2)),
    (layers.Conv2DTranspose(2, 2, strides=3, output_padding=2), (3, 2, 2)),
    (layers.Conv2DTranspose(2, 4, padding="same", dilation_rate=(2, 3)), (4, 3, 2)),
    (layers.Conv3DTranspose(2, (2, 3, 1), strides=2, padding="same"), (2, 3, 2, 2)),
    (layers.Conv1D(2, 3, dilation_rate=2, padding="causal", data_format=NCHW), (2, 6)),
    (layers.Conv3D(4, 2, strides=2, groups=2, padding="same"), (3, 2, 4, 2)),
    (layers.DepthwiseConv1D(3, depth_multiplier=2, padding="same", dilation_rate=2), (5, 2)),
    (layers.SeparableConv2D(3, 3, strides=2, padding="same", data_format=NCHW), (2, 5, 4)),
    (layers.MaxPooling2D(5, 3, "same"), (4, 7, 2)),
    (layers.AveragePooling1D(4, 1, "same"), (3, 2)),
    (layers.SumPooling2D((1, 3), (2, 1), "same", NCHW), (2, 5, 4)),
    (layers.AdaptiveAveragePooling2D((2, 5)), (6, 5, 2)),
    (layers.UpSampling2D((2, 3), NCHW, "bicubic"), (2, 4, 3)),
    (layers.UpSampling2D((4, 1), interpolation="bilinear"), (3, 5, 2)),
    (layers.BatchNormalization(axis=2, scale=False), (2, 3, 4)),
    (layers.LayerNormalization(1), (2, 3, 4)),
    (layers.LayerNormalization(center=False, scale=False), (2, 3)),
    (layers.LayerNormalization((1, 2, 3)), (2, 3, 4)),
    (layers.GroupNormalization(-1), (2, 3, 4)),
    (layers.GroupNormalization(2, center=False), (4,)),
    (layers.RMSNormalization(1), (2, 3)),
    (layers.UnitNormalization((1, 3)), (2, 3, 4)),
    (layers.Normalization(None, 0.5, 2.0), (2, 3)),
    (layers.Rescaling([[[0.5]], [[2.0]]], [1.0, 2.0, 3.0]), (2, 4, 3)),
    (layers.Softmax((1, 3)), (2, 3, 4)),
    (layers.Softmax(1), (2, 3)),
    (layers.ReLU(6.0), (4, 3)),
    (layers.ReLU(negative_slope=0.5), (4, 3)),
    (layers.ReLU(threshold=0.5), (4, 3)),
    (layers.ReLU(1.0, 0.5), (4, 3)),
    (layers.PReLU(), (2, 3)),
    (layers.Dense(3, use_bias=False), (2,)),
    (layers.Dense(3), (2, 3, 2)),
    (layers.Reshape((4, 3)), (2, 3, 2)),
]
# Functions of JAX are accepted as well; those with other defaults than Keras's have other names.
ACTIVATIONS = [
    *(name for name in activations.BY_NAME if name != "threshold"),
    jax.nn.relu,
    jax.nn.leaky_relu,
    jax.nn.gelu,
]
MERGED = [(getattr(layers, name)(**arguments), tuple(shapes)) for name, arguments, shapes in VALID]
# Many layers in one model compile faster than many models.
GROUPS = {
    "contract": EVERY_CASE,
    "other arguments": OTHER_ARGUMENTS,
    "convolutions": list(CONVOLUTIONS.values()),
    "activations": [(layers.Activation(function), (3, 4)) for function in ACTIVATIONS],
    "merging": MERGED,
}


def side_by_side(cases) -> Functional:
    """Returns a model with an input for each shape, and the output of each layer for its shape."""
    inputs: dict[str, object] = {}

    def input_of(shape, index=0):
        name = f"{shape} {index}"
        return inputs.setdefault(name, Input(shape, name=name))

    def inputs_of(shape):
        if shape and isinstance(shape[0], tuple):
            return [input_of(s, index) for index, s in enumerate(shape)]
        return input_of(shape)

    outputs = {
        f"{index} {layer!r}": layer(inputs_of(shape), name=f"layer{index}")
        for index, (layer, shape) in enumerate(cases)
    }
    return Functional(inputs, outputs)


@pytest.mark.parametrize("group", GROUPS)
def test_every_layer_predicts_the_same_in_onnxruntime(group, tmp_path) -> None:
    model = side_by_side(GROUPS[group])
    weights = random_weights(model, model.input_shape)
    assert_predicts(tmp_path / "model.onnx", model, *weights, inputs_of(model))


def test_every_layer_can_be_written_or_has_a_reason() -> None:
    known = {getattr(layers, name) for name in layers.__all__} - {layers.Layer}
    known |= {Sequential, Functional, InputLayer}
    assert CONVERTERS.keys() | UNSUPPORTED.keys() == known
    assert not CONVERTERS.keys() & UNSUPPORTED.keys()
    tested = {type(layer) for cases in GROUPS.values() for layer, _ in cases}
    tested |= {type(inner) for layer, _ in EVERY_CASE for inner in getattr(layer, "layers", ())}
    assert CONVERTERS.keys() - tested == {layers.InBfloat16}
