"""A `Functional` in PyTorch, as torchvision's models are written.

Activations and additions overwrite an input that is not used again, and convolutions pad both sides
equally. For even sizes and strides of 2, TensorFlow and Keras pad one side only, so that the
windows are one pixel apart and the outputs differ; the sizes and the number of operations do not.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.graph import Step, steps
from jaxlayers import Functional, layers


class _Model(nn.Module):
    def __init__(self, model: Functional, params: Any, state: Any) -> None:
        super().__init__()
        self.steps = steps(model)
        uses = Counter(name for step in self.steps for name in step.inputs)
        self.layers = nn.ModuleList(
            _module(step, params.get(step.name), state.get(step.name), uses[step.inputs[-1]] == 1)
            for step in self.steps
        )
        last = {name: step.name for step in self.steps for name in step.inputs}
        self.unused = [[n for n in step.inputs if last[n] == step.name] for step in self.steps]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = {"input_layer": x}
        for step, layer, unused in zip(self.steps, self.layers, self.unused, strict=True):
            y = layer(*(values[name] for name in step.inputs))
            for name in unused:
                del values[name]
            values[step.name] = y
        return y


def in_torch(model: Functional, params: Any, state: Any) -> nn.Module:
    """Returns the model with the given weights."""
    return _Model(model, params, state)


class _Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(*inputs)


def _module(step: Step, params: Any, state: Any, inplace: bool) -> nn.Module:
    layer: Any = step.layer
    make = _MODULES[type(layer)]
    made = make(step, layer, params, state) if make in _WITH_WEIGHTS else make(step, layer, inplace)
    name = getattr(layer, "activation", None)
    if isinstance(layer, layers.Activation) or name is None:
        return made
    return nn.Sequential(made, _activation(name, inplace=True))


def _activation(name: str, inplace: bool) -> nn.Module:
    if name == "softmax":
        return nn.Softmax(-1)
    if name == "sigmoid":
        return nn.Sigmoid()
    return {"relu": nn.ReLU, "silu": nn.SiLU, "swish": nn.SiLU}[name](inplace=inplace)


def _tensor(array: Any, *axes: int) -> nn.Parameter:
    array = np.transpose(array, axes) if axes else array
    return nn.Parameter(torch.from_numpy(np.array(array, order="C")))


def _convolution(step: Step, layer: Any, params: Any, state: Any) -> nn.Module:
    channels, filters = step.input_shape[-1], step.output_shape[-1]
    is_depthwise = isinstance(layer, layers.DepthwiseConv2D)
    made = nn.Conv2d(
        channels,
        filters,
        layer.kernel_size,
        layer.strides,
        tuple(map(max, step.padding)),
        groups=channels if is_depthwise else layer.groups,
        bias=layer.use_bias,
    )
    kernel = np.asarray(params["kernel"])
    if is_depthwise:
        kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
    made.weight = _tensor(kernel, 3, 2, 0, 1)
    if layer.use_bias:
        made.bias = _tensor(params["bias"])
    return made


def _dense(step: Step, layer: Any, params: Any, state: Any) -> nn.Module:
    made = nn.Linear(step.input_shape[-1], layer.units, layer.use_bias)
    made.weight = _tensor(params["kernel"], 1, 0)
    if layer.use_bias:
        made.bias = _tensor(params["bias"])
    return made


def _batch_normalization(step: Step, layer: Any, params: Any, state: Any) -> nn.Module:
    made = nn.BatchNorm2d(step.input_shape[-1], layer.epsilon, 1 - layer.momentum)
    made.weight, made.bias = _tensor(params["gamma"]), _tensor(params["beta"])
    made.running_mean = _tensor(state["moving_mean"]).data
    made.running_var = _tensor(state["moving_variance"]).data
    return made


class _Normalization(nn.Module):
    def __init__(self, step: Step, layer: Any, params: Any, state: Any) -> None:
        super().__init__()
        for name in ("mean", "variance"):
            self.register_buffer(name, _tensor(state[name]).data.reshape(-1, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.mean) / self.variance.sqrt()


def _max_pooling(step: Step, layer: Any, inplace: bool) -> nn.Module:
    return nn.MaxPool2d(layer.pool_size, layer.strides, tuple(map(max, step.padding)))


def _add(step: Step, layer: Any, inplace: bool) -> nn.Module:
    return _Function(lambda x, y: y.add_(x) if inplace else x + y)


_MODULES: dict[type, Callable[..., nn.Module]] = {
    layers.Activation: lambda step, layer, inplace: _activation(layer.activation, inplace),
    layers.Add: _add,
    layers.BatchNormalization: _batch_normalization,
    layers.Conv2D: _convolution,
    layers.Dense: _dense,
    layers.DepthwiseConv2D: _convolution,
    layers.Dropout: lambda step, layer, inplace: nn.Dropout(layer.rate),
    layers.GlobalAveragePooling2D: lambda *_: _Function(
        lambda x: functional.adaptive_avg_pool2d(x, 1).flatten(1)
    ),
    layers.MaxPooling2D: _max_pooling,
    layers.Multiply: lambda *_: _Function(torch.mul),
    layers.Normalization: _Normalization,
    layers.ReLU: lambda step, layer, inplace: nn.ReLU6(inplace=inplace),
    layers.Rescaling: lambda step, layer, inplace: _Function(
        lambda x: x * layer.scale + layer.offset
    ),
    layers.Reshape: lambda *_: _Function(lambda x: x[:, :, None, None]),
}
_WITH_WEIGHTS = (_convolution, _dense, _batch_normalization, _Normalization)
