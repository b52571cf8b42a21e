"""Residual networks.

Reference:
    He et al., 2016, https://arxiv.org/abs/1512.03385
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
_STEM = fields.Choice("imagenet", "cifar")

Stem = Literal["imagenet", "cifar"]
Pooling = Literal["avg", "max"] | None
Activation = str | Callable[[Any], Any] | None


def resnet18(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    *,
    include_top: bool = True,
    pooling: Pooling = None,
    classifier_activation: Activation = "softmax",
    width: int = 64,
    stem: Stem = "imagenet",
    momentum: float = 0.9,
) -> Functional:
    """Returns the ResNet of 18 layers, whose blocks consist of two 3 x 3 convolutions.

    Keras has no such model. With the stem `"imagenet"`, the params and the outputs are those of
    torchvision's `resnet18`: the convolutions have no bias, and those with strides pad both sides
    equally. The names of the layers follow `resnet50`.

    Args:
        input_shape: (height, width, channels), of any size.
        classes: Number of classes.
        include_top: Whether to include the average pooling and the output layer.
        pooling: Pooling of the feature maps if `include_top` is False: `"avg"`, `"max"` or `None`.
        classifier_activation: Activation of the output layer, a name or a function; `None` for
            logits.
        width: Number of filters of the first convolution; each of the last three of the four
            stages doubles it.
        stem: `"imagenet"`: a 7 x 7 convolution with strides 2 and a maximum pooling, which divide
            height and width by 4. `"cifar"`: a 3 x 3 convolution, for small images, which the
            other stem would reduce to a few pixels.
        momentum: Momentum of the moving statistics, from 0 to 1; by default PyTorch's.

    Returns:
        A Functional from [batch, *input_shape] to [batch, classes]. Without the top, its output are
        the feature maps, or [batch, channels] after a pooling, with 8 times `width` channels.

    Raises:
        TypeError: If `classifier_activation` is neither a name, a function nor `None`.
        ValueError: If an argument is out of range, or a softmax has a single class.

    Reference:
        He et al., 2016, https://arxiv.org/abs/1512.03385, table 1, and section 4.2 for the stem
        for small images; He et al., 2015, https://arxiv.org/abs/1502.01852, for the initialization.

    Example:
        >>> resnet18((32, 32, 3), classes=10, stem="cifar").output_shape()
        (10,)
    """
    convolve = _Convolution(
        use_bias=False,
        kernel_initializer="he_normal",
        momentum=arguments.rate("resnet18", momentum, "momentum"),
        epsilon=1e-5,
    )
    return _resnet(
        "resnet18",
        convolve,
        _basic_block,
        (2, 2, 2, 2),
        input_shape,
        width,
        stem,
        include_top=include_top,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
    )


def resnet50(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    *,
    include_top: bool = True,
    pooling: Pooling = None,
    classifier_activation: Activation = "softmax",
    width: int = 64,
    stem: Stem = "imagenet",
    momentum: float = 0.99,
) -> Functional:
    """Returns the ResNet of 50 layers; Keras's `ResNet50`.

    The blocks consist of a 1 x 1, a 3 x 3 and a 1 x 1 convolution. The names of the layers, the
    params and the outputs are Keras's, with the default `width` and `stem`.

    Args:
        input_shape: (height, width, channels), of any size.
        classes: Number of classes.
        include_top: Whether to include the average pooling and the output layer.
        pooling: Pooling of the feature maps if `include_top` is False: `"avg"`, `"max"` or `None`.
        classifier_activation: Activation of the output layer, a name or a function; `None` for
            logits.
        width: Number of filters of the first convolution; each of the last three of the four
            stages doubles it.
        stem: As in `resnet18`.
        momentum: Momentum of the moving statistics, from 0 to 1. A training of a few hundred steps
            needs less than Keras's default, such as 0.9.

    Returns:
        A Functional from [batch, *input_shape] to [batch, classes]. Without the top, its output are
        the feature maps, or [batch, channels] after a pooling, with 32 times `width` channels.

    Raises:
        TypeError: If `classifier_activation` is neither a name, a function nor `None`.
        ValueError: If an argument is out of range, or a softmax has a single class.

    Reference:
        Keras's `keras.applications.ResNet50`; He et al., 2016, https://arxiv.org/abs/1512.03385

    Example:
        >>> resnet50((64, 64, 3), include_top=False, pooling="avg").output_shape()
        (2048,)
    """
    convolve = _Convolution(
        use_bias=True,
        kernel_initializer="glorot_uniform",
        momentum=arguments.rate("resnet50", momentum, "momentum"),
        epsilon=1.001e-5,
    )
    return _resnet(
        "resnet50",
        convolve,
        _bottleneck_block,
        (3, 4, 6, 3),
        input_shape,
        width,
        stem,
        include_top=include_top,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
    )


@dataclass(frozen=True)
class _Convolution:
    """A convolution with batch normalization, as one of the models has them."""

    use_bias: bool
    kernel_initializer: str
    momentum: float
    epsilon: float

    def __call__(
        self, x: SymbolicTensor, filters: int, kernel_size: int, strides: int, name: str
    ) -> SymbolicTensor:
        """Returns the normalized output; with strides, both sides are padded equally."""
        padding = "same" if kernel_size > 1 and strides == 1 else "valid"
        if kernel_size > 1 and strides > 1:
            x = layers.ZeroPadding2D(kernel_size // 2, _FORMAT)(x, name=f"{name}_pad")
        convolution = layers.Conv2D(
            filters,
            kernel_size,
            strides,
            padding,
            data_format=_FORMAT,
            use_bias=self.use_bias,
            kernel_initializer=self.kernel_initializer,
        )
        normalization = layers.BatchNormalization(momentum=self.momentum, epsilon=self.epsilon)
        normalized: SymbolicTensor = normalization(
            convolution(x, name=f"{name}_conv"), name=f"{name}_bn"
        )
        return normalized


# A block: (convolution, input, filters, strides of the first convolution, name) -> output.
_Block = Callable[[_Convolution, SymbolicTensor, int, int, str], SymbolicTensor]


def _resnet(
    model: str,
    convolve: _Convolution,
    block: _Block,
    counts: Sequence[int],
    input_shape: Sequence[int],
    width: int,
    stem: str,
    **top: Any,
) -> Functional:
    """Returns a model of a stem, stages of several blocks each, and the layers of `with_top`."""
    image = Input(arguments.image_shape(model, input_shape, "input_shape"))
    width = arguments.positive(model, "width", width)
    if _STEM.check(model, "stem", stem) == "imagenet":
        x = _relu(convolve(image, width, 7, 2, "conv1"), "conv1_relu")
        x = layers.ZeroPadding2D(1, _FORMAT)(x, name="pool1_pad")
        x = layers.MaxPooling2D(3, 2, data_format=_FORMAT)(x, name="pool1_pool")
    else:
        x = _relu(convolve(image, width, 3, 1, "conv1"), "conv1_relu")
    for stage, count in enumerate(counts):
        for number in range(count):
            strides = 2 if stage and not number else 1
            name = f"conv{stage + 2}_block{number + 1}"
            x = block(convolve, x, width * 2**stage, strides, name)
    x = with_top(model, x, pooling_names=("avg_pool", "max_pool"), **top)
    return Functional(image, x, name=model)


def _basic_block(
    convolve: _Convolution, x: SymbolicTensor, filters: int, strides: int, name: str
) -> SymbolicTensor:
    shortcut = _shortcut(convolve, x, filters, strides, name)
    x = _relu(convolve(x, filters, 3, strides, f"{name}_1"), f"{name}_1_relu")
    x = convolve(x, filters, 3, 1, f"{name}_2")
    return _relu(layers.Add()([shortcut, x], name=f"{name}_add"), f"{name}_out")


def _bottleneck_block(
    convolve: _Convolution, x: SymbolicTensor, filters: int, strides: int, name: str
) -> SymbolicTensor:
    shortcut = _shortcut(convolve, x, 4 * filters, strides, name)
    x = _relu(convolve(x, filters, 1, strides, f"{name}_1"), f"{name}_1_relu")
    x = _relu(convolve(x, filters, 3, 1, f"{name}_2"), f"{name}_2_relu")
    x = convolve(x, 4 * filters, 1, 1, f"{name}_3")
    return _relu(layers.Add()([shortcut, x], name=f"{name}_add"), f"{name}_out")


def _shortcut(
    convolve: _Convolution, x: SymbolicTensor, filters: int, strides: int, name: str
) -> SymbolicTensor:
    """Returns the input of a block, projected if its shape differs from that of the output."""
    if strides == 1 and x.shape[-1] == filters:
        return x
    return convolve(x, filters, 1, strides, f"{name}_0")


def _relu(x: SymbolicTensor, name: str) -> SymbolicTensor:
    activated: SymbolicTensor = layers.Activation("relu")(x, name=name)
    return activated
