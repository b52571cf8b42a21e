"""Whole models: inference at 224 x 224 pixels, and a training step of ResNet18 at 32 x 32.

One `Functional` is constructed in all libraries, layer by layer and with the same weights. Those on
JAX are compiled with their weights as arguments; inference uses the moving statistics.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"

import json
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxlayers import Functional, Layer, train
from jaxlayers.interop import keras as keras_files
from jaxlayers.models import mobilenet_v2, resnet

Functions = dict[str, Callable[[], object]]
Seconds = dict[str, float]


def efficientnet_b0() -> Functional:
    """Returns Keras's EfficientNetB0, from its config."""
    import keras

    from benchmarks.graph_in_keras import without_initialization

    with without_initialization():
        model = keras.applications.EfficientNetB0(weights=None)
    return keras_files.from_config(json.loads(model.to_json()))


MODELS: dict[str, Callable[[], Functional]] = {
    "MobileNetV2": mobilenet_v2.mobilenet_v2,
    "EfficientNetB0": efficientnet_b0,
    "ResNet50": resnet.resnet50,
}
BATCH_SIZES = (1, 8)
# Names of the two memory formats of PyTorch, and whether the channels are last.
TORCH_FORMATS = {"PyTorch": False, "PyTorch, channels last": True}


def inference(model: Functional) -> Iterator[tuple[int, Functions, Seconds]]:
    """Yields batch sizes, a function per library that computes the output, and compile times."""
    params, state = random_weights(model)
    on_jax = _on_jax(model, params, state)
    for batch_size in BATCH_SIZES:
        shape = (batch_size, *model.input_shape)
        images = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
        functions: Functions = {}
        compile_times: Seconds = {}
        for library, (layer, weights) in on_jax.items():
            functions[library], compile_times[library] = _compiled(
                lambda p, s, x, layer=layer: layer.apply(p, s, x)[0], *weights, jnp.asarray(images)
            )
        for name, channels_last in TORCH_FORMATS.items():
            functions[name] = _torch_inference(model, params, state, images, channels_last)
        yield batch_size, functions, compile_times


def training_step(batch_size: int) -> tuple[Functions, Seconds]:
    """Returns a function per library that takes a step of ResNet18, and compile times.

    Those on JAX are the same `train.Classifier` with other layers, PyTorch computes the same.
    """
    model = resnet.resnet18((32, 32, 3), 10, stem="cifar", classifier_activation=None)
    params, state = random_weights(model)
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(batch_size, *model.input_shape)).astype(np.float32)
    labels = rng.integers(10, size=batch_size).astype(np.int32)
    functions: Functions = {}
    compile_times: Seconds = {}
    for library, (layer, weights) in _on_jax(model, params, state).items():
        functions[library], compile_times[library] = _training_step(layer, weights, images, labels)
    for name, channels_last in TORCH_FORMATS.items():
        functions[name] = _torch_training_step(model, params, state, images, labels, channels_last)
    return functions, compile_times


def random_weights(model: Functional) -> tuple[Any, Any]:
    """Returns params and state for which the values of all layers are of the same size."""
    rng = np.random.default_rng(0)

    def draw(path: Any, shape: jax.ShapeDtypeStruct) -> np.ndarray:
        if path[-1].key != "kernel":
            is_factor = path[-1].key in ("gamma", "moving_variance", "variance")
            return np.full(shape.shape, float(is_factor), np.float32)
        is_depthwise = len(shape.shape) == 4 and shape.shape[-1] == 1
        fan_in = math.prod(shape.shape[: 2 if is_depthwise else -1])
        return (rng.standard_normal(shape.shape) * math.sqrt(2 / fan_in)).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, jax.eval_shape(model.init, jax.random.key(0)))


def _on_jax(model: Functional, params: Any, state: Any) -> dict[str, tuple[Layer, Any]]:
    """Returns the model in the libraries on JAX, and its weights as each of them stores them."""
    from benchmarks.graph_in_flax import in_flax
    from benchmarks.graph_in_keras import in_keras

    found: dict[str, tuple[Layer, Any]] = {
        "jaxlayers": (model, jax.tree.map(jnp.asarray, (params, state)))
    }
    for name, make in {"Keras on JAX": in_keras, "Flax NNX": in_flax}.items():
        layer = make(model, params, state)
        found[name] = layer, layer.init(jax.random.key(0))
    return found


def _compiled(function: Callable[..., Any], *arguments: Any) -> tuple[Callable[[], object], float]:
    before = time.perf_counter()
    compiled = jax.jit(function).lower(*arguments).compile()
    seconds = time.perf_counter() - before
    return lambda: jax.block_until_ready(compiled(*arguments)), seconds


def _training_step(
    layer: Layer, weights: Any, images: np.ndarray, labels: np.ndarray
) -> tuple[Callable[[], object], float]:
    task = train.Classifier(layer, optax.sgd(_LEARNING_RATE, _MOMENTUM))
    params, state = weights
    train_state = task.init(jax.random.key(0), params=params, state=state)
    batch = jnp.asarray(images), jnp.asarray(labels)
    before = time.perf_counter()
    step = jax.jit(task.step, donate_argnums=0).lower(train_state, batch).compile()
    seconds = time.perf_counter() - before

    def run() -> None:
        nonlocal train_state
        train_state, _ = step(train_state, batch)
        jax.block_until_ready(train_state)

    return run, seconds


_LEARNING_RATE, _MOMENTUM = 0.1, 0.9


def _torch_inference(
    model: Functional, params: Any, state: Any, images: np.ndarray, channels_last: bool
) -> Callable[[], object]:
    import torch

    from benchmarks.graph_in_torch import in_torch

    module, x = _on_device(in_torch(model, params, state).eval(), images, channels_last)

    @torch.inference_mode()
    def run() -> None:
        module(x)
        if x.is_cuda:
            torch.cuda.synchronize()

    return run


def _torch_training_step(
    model: Functional,
    params: Any,
    state: Any,
    images: np.ndarray,
    labels: np.ndarray,
    channels_last: bool,
) -> Callable[[], object]:
    import torch

    from benchmarks.graph_in_torch import in_torch

    module, x = _on_device(in_torch(model, params, state).train(), images, channels_last)
    classes = torch.from_numpy(labels.astype(np.int64)).to(x.device)
    optimizer = torch.optim.SGD(module.parameters(), _LEARNING_RATE, _MOMENTUM)
    criterion = torch.nn.CrossEntropyLoss()

    def run() -> None:
        loss = criterion(module(x), classes)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if x.is_cuda:
            torch.cuda.synchronize()

    return run


def _on_device(module: Any, images: np.ndarray, channels_last: bool) -> tuple[Any, Any]:
    import torch

    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    layout = torch.channels_last if channels_last else torch.contiguous_format
    x = torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, -1, 1)))
    return (
        module.to(device, memory_format=layout),
        x.to(device).contiguous(memory_format=layout),
    )
