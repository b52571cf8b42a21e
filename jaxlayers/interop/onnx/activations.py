"""Activation functions, and the layers that consist of one."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jax import nn

from jaxlayers import activations
from jaxlayers._text import short_repr
from jaxlayers.interop.onnx.graph import Converter, Graph, UnsupportedError
from jaxlayers.interop.onnx.tensor import Tensor
from jaxlayers.layers import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from jaxlayers.layers.axes import as_tuple

Function = Callable[[Graph, Tensor], Tensor]


def activate(graph: Graph, activation: Any, x: Tensor) -> Tensor:
    """Applies the activation of a layer.

    Args:
        graph: The graph.
        activation: A name, a function or `None`.
        x: The input.

    Raises:
        UnsupportedError: If the activation is a function that has no name.
    """
    function = _FUNCTIONS.get(activations.get(activation))
    if function is None:
        raise UnsupportedError(
            "activation must be one of Keras's names, or a function that has one, got "
            f"{short_repr(activation)}"
        )
    return function(graph, x)


def _of(op_type: str, **attributes: float) -> Function:
    """Returns the function that consists of one operation."""
    return lambda graph, x: graph.op(op_type, x, **attributes)


def _clip(low: float, high: float) -> Function:
    return lambda graph, x: graph.op("Clip", x, low, high)


def _gelu(graph: Graph, x: Tensor) -> Tensor:
    # In the order of the operations that onnxruntime fuses into its own.
    erf = graph.op("Erf", graph.op("Div", x, math.sqrt(2)))
    return graph.op("Mul", graph.op("Mul", x, graph.op("Add", erf, 1.0)), 0.5)


def _gelu_approximate(graph: Graph, x: Tensor) -> Tensor:
    cubic = graph.op("Mul", graph.op("Mul", graph.op("Mul", x, x), x), 0.044715)
    inner = graph.op("Mul", graph.op("Add", x, cubic), math.sqrt(2 / math.pi))
    tanh = graph.op("Tanh", inner)
    return graph.op("Mul", graph.op("Mul", x, graph.op("Add", tanh, 1.0)), 0.5)


def _glu(graph: Graph, x: Tensor) -> Tensor:
    axis, half = x.position(-1), x.shape[-1] // 2
    names = graph.nodes_of("Split", [x.name, graph.integers([half] * 2, "sizes")], 2, axis=axis)
    first, second = (
        dataclasses.replace(x, name=name, shape=(*x.shape[:-1], half)) for name in names
    )
    return graph.op("Mul", first, graph.op("Sigmoid", second))


def _log_sigmoid(graph: Graph, x: Tensor) -> Tensor:
    return graph.op("Neg", graph.op("Softplus", graph.op("Neg", x)))


def _mish(graph: Graph, x: Tensor) -> Tensor:
    return graph.op("Mul", x, graph.op("Tanh", graph.op("Softplus", x)))


def _silu(graph: Graph, x: Tensor) -> Tensor:
    return graph.op("Mul", x, graph.op("Sigmoid", x))


def _softmax(graph: Graph, x: Tensor) -> Tensor:
    return graph.op("Softmax", x, axis=x.position(-1))


def _log_softmax(graph: Graph, x: Tensor) -> Tensor:
    return graph.op("LogSoftmax", x, axis=x.position(-1))


def _sparse_plus(graph: Graph, x: Tensor) -> Tensor:
    # (x + 1)^2 / 4 from -1 to 1, constant outside, and the line after 1.
    inside = graph.op("Add", graph.op("Clip", x, -1.0, 1.0), 1.0)
    square = graph.op("Mul", graph.op("Mul", inside, inside), 0.25)
    return graph.op("Add", square, graph.op("Relu", graph.op("Sub", x, 1.0)))


def _sparsemax(graph: Graph, x: Tensor) -> Tensor:
    # With the same steps, and therefore the same results, as `activations.sparsemax`.
    size, axis = x.shape[-1], x.position(-1)
    names = graph.nodes_of("TopK", [x.name, graph.integers([size], "size")], 2, axis=axis)
    ordered = dataclasses.replace(x, name=names[0])
    cumulative = graph.op("CumSum", ordered, graph.constant(axis, "axis", np.int64))
    rank = graph.along(x, (x.rank - 1,), np.arange(1, size + 1), "rank")
    excess = graph.op("Div", graph.op("Sub", cumulative, 1.0), rank)
    is_support = graph.op("Greater", ordered, excess)
    support = graph.op("Cast", is_support, to=np.dtype(np.float32))
    axes = graph.integers([axis], "axes")
    count = graph.op("ReduceSum", support, axes)
    total = graph.op("ReduceSum", graph.op("Mul", support, cumulative), axes)
    threshold = graph.op("Div", graph.op("Sub", total, 1.0), count)
    return graph.op("Relu", graph.op("Sub", x, threshold))


def _squareplus(graph: Graph, x: Tensor) -> Tensor:
    root = graph.op("Sqrt", graph.op("Add", graph.op("Mul", x, x), 4.0))
    return graph.op("Mul", graph.op("Add", x, root), 0.5)


def _tanh_shrink(graph: Graph, x: Tensor) -> Tensor:
    return graph.op("Sub", x, graph.op("Tanh", x))


# All but `threshold`, which cannot be an activation, because it has required arguments.
_FUNCTIONS: Mapping[Any, Function] = {
    activations.celu: _of("Celu"),
    activations.elu: _of("Elu"),
    activations.exponential: _of("Exp"),
    activations.gelu: _gelu,
    activations.glu: _glu,
    activations.hard_shrink: _of("Shrink", lambd=0.5),
    activations.hard_sigmoid: _of("HardSigmoid", alpha=1 / 6, beta=0.5),
    activations.hard_silu: _of("HardSwish"),
    activations.hard_tanh: _clip(-1.0, 1.0),
    activations.leaky_relu: _of("LeakyRelu", alpha=0.2),
    activations.linear: lambda graph, x: x,
    activations.log_sigmoid: _log_sigmoid,
    activations.log_softmax: _log_softmax,
    activations.mish: _mish,
    activations.relu: _of("Relu"),
    activations.relu6: _clip(0.0, 6.0),
    activations.selu: _of("Selu"),
    activations.sigmoid: _of("Sigmoid"),
    activations.silu: _silu,
    activations.soft_shrink: _of("Shrink", lambd=0.5, bias=0.5),
    activations.softmax: _softmax,
    activations.softplus: _of("Softplus"),
    activations.softsign: _of("Softsign"),
    activations.sparse_plus: _sparse_plus,
    activations.sparse_sigmoid: _of("HardSigmoid", alpha=0.5, beta=0.5),
    activations.sparsemax: _sparsemax,
    activations.squareplus: _squareplus,
    activations.tanh: _of("Tanh"),
    activations.tanh_shrink: _tanh_shrink,
    # Functions of JAX whose defaults are not Keras's.
    nn.gelu: _gelu_approximate,
    nn.leaky_relu: _of("LeakyRelu", alpha=0.01),
    nn.relu: _of("Relu"),
}


def _activation(graph: Graph, layer: Activation, weights: Mapping[str, Any], x: Tensor) -> Tensor:
    return activate(graph, layer.activation, x)


def _relu_layer(graph: Graph, layer: ReLU, weights: Mapping[str, Any], x: Tensor) -> Tensor:
    slope, largest, threshold = layer.negative_slope, layer.max_value, layer.threshold
    if largest is None and threshold == 0:
        return graph.op("LeakyRelu", x, alpha=slope) if slope else graph.op("Relu", x)
    y = graph.op("ThresholdedRelu", x, alpha=threshold) if threshold else x
    if largest is not None:
        y = graph.op("Clip", y, 0.0, largest)
    if not slope:
        return y
    below = graph.op("Relu", graph.op("Neg", graph.op("Sub", x, threshold)))
    return graph.op("Sub", y, graph.op("Mul", below, slope))


def _leaky_relu(graph: Graph, layer: LeakyReLU, weights: Mapping[str, Any], x: Tensor) -> Tensor:
    return graph.op("LeakyRelu", x, alpha=layer.negative_slope)


def _elu(graph: Graph, layer: ELU, weights: Mapping[str, Any], x: Tensor) -> Tensor:
    return graph.op("Elu", x, alpha=layer.alpha)


def _prelu(graph: Graph, layer: PReLU, weights: Mapping[str, Any], x: Tensor) -> Tensor:
    alpha = weights["alpha"][None].transpose(x.order)
    return graph.op("PRelu", x, graph.constant(alpha, "alpha"))


def _softmax_layer(graph: Graph, layer: Softmax, weights: Mapping[str, Any], x: Tensor) -> Tensor:
    axes = [x.position(axis) for axis in as_tuple(layer.axis)]
    if len(axes) == 1:
        return graph.op("Softmax", x, axis=axes[0])
    over = graph.integers(axes, "axes")
    exponential = graph.op("Exp", graph.op("Sub", x, graph.op("ReduceMax", x, over)))
    return graph.op("Div", exponential, graph.op("ReduceSum", exponential, over))


CONVERTERS: dict[type, Converter] = {
    Activation: _activation,
    ELU: _elu,
    LeakyReLU: _leaky_relu,
    PReLU: _prelu,
    ReLU: _relu_layer,
    Softmax: _softmax_layer,
}
