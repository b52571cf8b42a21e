"""MobileNetV2, for fast inference.

Reference:
    Sandler et al., 2018, https://arxiv.org/abs/1801.04381
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jaxlayers import _fields as fields
from jaxlayers import layers
from jaxlayers._symbolic import SymbolicTensor
from jaxlayers.functional import Functional
from jaxlayers.input_layer import Input
from jaxlayers.models import arguments
from jaxlayers.models.top import with_top

# Not the configured data format, because input_shape is channels last.
_FORMAT = "channels_last"
# The stages of blocks: (filters, number of blocks, strides of the first block, expansion).
_STAGES = (
    (16, 1, 1, 1),
    (24, 2, 2, 6),
    (32, 3, 2, 6),
    (64, 4, 2, 6),
    (96, 3, 1, 6),
    (160, 3, 2, 6),
    (320, 1, 1, 6),
)


def mobilenet_v2(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    *,
    alpha: float = 1.0,
    include_top: bool = True,
    pooling: Literal["avg", "max"] | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    momentum: float = 0.999,
) -> Functional:
    """Returns MobileNetV2; Keras's `MobileNetV2`.

    The names of the layers, the params and the outputs are Keras's. Height and width are divided by
    32 in total, so that the images should have at least 64 x 64 pixels.

    Args:
        input_shape: (height, width, channels), of any size.
        classes: Number of classes.
        alpha: Factor of the number of filters of each layer, a finite number above 0. The numbers
            are rounded to multiples of 8; the last convolution has at least 1280 filters.
        include_top: Whether to include the average pooling and the output layer.
        pooling: Pooling of the feature maps if `include_top` is False: `"avg"`, `"max"` or `None`.
        classifier_activation: Activation of the output layer, a name or a function; `None` for
            logits.
        momentum: Momentum of the moving statistics, from 0 to 1. A training of a few hundred steps
            needs much less than Keras's default, such as 0.9.

    Returns:
        A Functional from [batch, *input_shape] to [batch, classes]. Without the top, its output are
        the feature maps, or [batch, channels] after a pooling.

    Raises:
        TypeError: If `classifier_activation` is neither a name, a function nor `None`.
        ValueError: If an argument is out of range, or a softmax has a single class.

    Reference:
        Keras's `keras.applications.MobileNetV2`; Sandler et al., 2018,
        https://arxiv.org/abs/1801.04381

    Example:
        >>> mobilenet_v2((96, 96, 3), classes=10, alpha=0.35).output_shape()
        (10,)
    """
    model = "mobilenet_v2"
    shape = arguments.image_shape(model, input_shape, "input_shape")
    alpha = fields.PositiveNumber().check(model, "alpha", alpha)
    block = _Block(arguments.rate(model, momentum, "momentum"))
    image = Input(shape)
    x = layers.Conv2D(
        _multiple_of_8(32 * alpha), 3, 2, "same", data_format=_FORMAT, use_bias=False
    )(image, name="Conv1")
    x = _relu6(block.normalized(x, "bn_Conv1"), "Conv1_relu")
    number = 0
    for filters, count, first_strides, expansion in _STAGES:
        for position in range(count):
            name = f"block_{number}_" if number else "expanded_conv_"
            strides = 1 if position else first_strides
            # Keras truncates before it rounds.
            x = block(x, _multiple_of_8(int(filters * alpha)), strides, expansion, name)
            number += 1
    x = _pointwise(x, _multiple_of_8(1280 * max(1.0, alpha)), "Conv_1", padding="valid")
    x = _relu6(block.normalized(x, "Conv_1_bn"), "out_relu")
    x = with_top(
        model,
        x,
        include_top=include_top,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
    )
    return Functional(image, x, name=f"mobilenetv2_{alpha:0.2f}_{shape[0]}")


@dataclass(frozen=True)
class _Block:
    """An inverted residual: expansion, depthwise convolution and projection."""

    momentum: float

    def __call__(
        self, x: SymbolicTensor, filters: int, strides: int, expansion: int, name: str
    ) -> SymbolicTensor:
        inputs, channels = x, x.shape[-1]
        assert channels is not None  # only the batch is not known
        if expansion > 1:
            x = _pointwise(x, expansion * channels, f"{name}expand")
            x = _relu6(self.normalized(x, f"{name}expand_BN"), f"{name}expand_relu")
        if strides > 1:
            # Even sizes are padded on one side only, since strides of 2 halve them.
            sides = [((size or 0) % 2, 1) for size in x.shape[1:3]]
            x = layers.ZeroPadding2D(sides, _FORMAT)(x, name=f"{name}pad")
        x = layers.DepthwiseConv2D(
            3, strides, "valid" if strides > 1 else "same", data_format=_FORMAT, use_bias=False
        )(x, name=f"{name}depthwise")
        x = _relu6(self.normalized(x, f"{name}depthwise_BN"), f"{name}depthwise_relu")
        x = self.normalized(_pointwise(x, filters, f"{name}project"), f"{name}project_BN")
        if strides == 1 and channels == filters:
            x = layers.Add()([inputs, x], name=f"{name}add")
        return x

    def normalized(self, x: SymbolicTensor, name: str) -> SymbolicTensor:
        """Returns the batch normalization of feature maps."""
        output: SymbolicTensor = layers.BatchNormalization(momentum=self.momentum)(x, name=name)
        return output


def _pointwise(x: SymbolicTensor, filters: int, name: str, padding: str = "same") -> SymbolicTensor:
    convolution = layers.Conv2D(filters, 1, 1, padding, data_format=_FORMAT, use_bias=False)
    output: SymbolicTensor = convolution(x, name=name)
    return output


def _relu6(x: SymbolicTensor, name: str) -> SymbolicTensor:
    output: SymbolicTensor = layers.ReLU(6.0)(x, name=name)
    return output


def _multiple_of_8(filters: float) -> int:
    """Rounds a number of filters to a multiple of 8, down by at most a tenth."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded
