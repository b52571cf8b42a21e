"""A `Functional` in Flax NNX, with the `init` and `apply` of a layer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from benchmarks.graph import Step, steps
from jaxlayers import Functional, Layer, activations, layers


class _Model(nnx.Module):
    def __init__(self, model: Functional, params: Any, state: Any) -> None:
        self.steps = steps(model)
        self.modules = nnx.List(
            [_module(s, params.get(s.name), state.get(s.name)) for s in self.steps]
        )

    def __call__(self, x: Any, training: bool) -> Any:
        values = {"input_layer": x}
        for step, module in zip(self.steps, self.modules, strict=True):
            inputs = [values[name] for name in step.inputs]
            values[step.name] = _call(step, module, inputs, training)
        return values[self.steps[-1].name]


def _module(step: Step, params: Any, state: Any) -> nnx.Module | None:
    """Returns the module of a layer with weights; `None` for other layers."""
    layer: Any = step.layer
    rngs, channels = nnx.Rngs(0), step.input_shape[-1]
    if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
        is_depthwise = isinstance(layer, layers.DepthwiseConv2D)
        module = nnx.Conv(
            channels,
            step.output_shape[-1],
            layer.kernel_size,
            layer.strides,
            padding=step.padding,
            feature_group_count=channels if is_depthwise else layer.groups,
            use_bias=layer.use_bias,
            rngs=rngs,
        )
        kernel = params["kernel"]
        if is_depthwise:
            kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
        module.kernel[...] = kernel
    elif isinstance(layer, layers.Dense):
        module = nnx.Linear(channels, layer.units, use_bias=layer.use_bias, rngs=rngs)
        module.kernel[...] = params["kernel"]
    elif isinstance(layer, layers.BatchNormalization):
        module = nnx.BatchNorm(channels, momentum=layer.momentum, epsilon=layer.epsilon, rngs=rngs)
        module.scale[...], module.bias[...] = params["gamma"], params["beta"]
        module.mean[...], module.var[...] = state["moving_mean"], state["moving_variance"]
        return module
    elif isinstance(layer, layers.Normalization):
        return _Statistics(state)
    else:
        return None
    if layer.use_bias:
        module.bias[...] = params["bias"]
    return module


class _Statistics(nnx.Module):
    def __init__(self, state: Any) -> None:
        self.mean, self.variance = (nnx.BatchStat(state[name]) for name in ("mean", "variance"))

    def __call__(self, x: Any) -> Any:
        return (x - self.mean[...]) / jnp.sqrt(self.variance[...])


def _call(step: Step, module: Any, inputs: list[Any], training: bool) -> Any:
    layer: Any = step.layer
    x = inputs[0]
    if isinstance(layer, layers.BatchNormalization):
        return module(x, use_running_average=not training)
    if module is not None:
        y = module(x)
        activation = getattr(layer, "activation", None)
        return y if activation is None else activations.get(activation)(y)
    return _WITHOUT_WEIGHTS[type(layer)](step, layer, *inputs)


def _max_pooling(step: Step, layer: Any, x: Any) -> Any:
    return nnx.max_pool(x, layer.pool_size, layer.strides, step.padding)


_WITHOUT_WEIGHTS: dict[type, Callable[..., Any]] = {
    layers.Activation: lambda step, layer, x: activations.get(layer.activation)(x),
    layers.Add: lambda step, layer, x, y: x + y,
    layers.Dropout: lambda step, layer, x: x,  # of models that are not trained here
    layers.GlobalAveragePooling2D: lambda step, layer, x: x.mean((1, 2)),
    layers.MaxPooling2D: _max_pooling,
    layers.Multiply: lambda step, layer, x, y: x * y,
    layers.ReLU: lambda step, layer, x: jax.nn.relu6(x),
    layers.Rescaling: lambda step, layer, x: x * layer.scale + layer.offset,
    layers.Reshape: lambda step, layer, x: x.reshape(-1, *step.output_shape),
}


@dataclass(frozen=True)
class FlaxLayer(Layer):
    """A Flax module; its own weights are the initial ones."""

    module: Any
    result: tuple[int, ...]
    input_shape: tuple[int, ...] = ()  # in place of the property of Layer

    def init(self, key: Any, input_shape: Any = None) -> Any:
        _, params, state = nnx.split(self.module, nnx.Param, ...)
        return params, state

    def apply(self, params: Any, state: Any, x: Any, *, training: bool = False, key: Any = None):
        module = nnx.merge(nnx.graphdef(self.module), params, state, copy=True)
        y = module(x, training)
        return y, nnx.split(module, nnx.Param, ...)[2]

    def output_shape(self, input_shape: Any = None) -> tuple[int, ...]:
        return self.result


def in_flax(model: Functional, params: Any, state: Any) -> FlaxLayer:
    """Returns the model with the given weights."""
    return FlaxLayer(_Model(model, params, state), model.output_shape(), model.input_shape)
