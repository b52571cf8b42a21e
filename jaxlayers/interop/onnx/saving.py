"""Writing of models to ONNX files."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxlayers._files import as_path, write_atomically
from jaxlayers._structure import (
    are_several_shapes,
    flatten,
    flatten_shapes,
    unflatten,
    unflatten_like_shapes,
)
from jaxlayers._text import short_repr
from jaxlayers.composition import Composition, snake_case
from jaxlayers.functional import Functional
from jaxlayers.interop.onnx.compositions import unwrapped
from jaxlayers.interop.onnx.converters import converter_of
from jaxlayers.interop.onnx.dtypes import dtype_in_file
from jaxlayers.interop.onnx.graph import Graph
from jaxlayers.interop.onnx.protobuf import MAX_BYTES, serialize
from jaxlayers.interop.onnx.tensor import Tensor, logical_order
from jaxlayers.layer import Layer, Params, State
from jaxlayers.layers.arguments import example_shape
from jaxlayers.sequential import Sequential


def save(
    path: str | os.PathLike[str],
    model: Layer,
    params: Params,
    state: State,
    *,
    input_shape: Any = None,
    dtype: Any = None,
) -> None:
    """Saves a model to an ONNX file, which onnxruntime and other inference engines run.

    The file contains the operations of each layer in inference mode, and the weights in float32. It
    runs batches of any size. The inputs have the names of the input layers of a `Functional`, or
    `input_layer`, and the outputs the names of the last layers; those of a model whose inputs or
    outputs are dictionaries have their names in the dictionary. The file is written atomically.

    Images are stored channels-first, as ONNX's convolutions require, from the first layer that
    needs it to the first one that does not: a convolutional network has one transpose at its input,
    and at most one before its first `Flatten` or `Dense`. Inputs and outputs have the shapes of the
    model.

    All layers of this library can be written. `InBfloat16` is written in float32, as are weights in
    other dtypes. An `Embedding` refuses indices that are out of range, instead of returning NaN.

    Args:
        path: Path of the file; an existing file is replaced.
        model: Any layer, such as a `Sequential` or a `Functional`.
        params: Params as returned by `init`.
        state: State as returned by `init`.
        input_shape: Shape of one example, or a tuple or dictionary of shapes if there are several
            inputs; required if the model was constructed without one.
        dtype: Dtype of the inputs; `None` for those of the input layers, or float32 where they have
            none. Floats are float32.

    Raises:
        ValueError: If ONNX has no counterpart of a layer or an activation, no input shape is known,
            the params are not those of the model, or the weights take more than 2 GB. The message
            lists all layers that cannot be written.
        TypeError: If `model` is not a `Layer`, `params` or `state` is not a dictionary, `path` is
            not a path, or the dtype is unknown.
        ImportError: If onnx is not installed.
        OSError: If the file cannot be written.

    Example:
        >>> from jaxlayers import Sequential, layers
        >>> model = Sequential([layers.Conv2D(4, 3), layers.Flatten()], input_shape=(8, 8, 1))
        >>> params, state = model.init(jax.random.key(0))
        >>> save("model.onnx", model, params, state)
        >>> import onnx
        >>> [node.op_type for node in onnx.load("model.onnx").graph.node]
        ['Reshape', 'Conv', 'Transpose', 'Reshape']
    """
    path = as_path(path, "save")
    shapes = _input_shapes(model, input_shape)
    inputs = _inputs(model, shapes, dtype)
    for name, tree in (("params", params), ("state", state)):
        if not isinstance(tree, Mapping):
            raise TypeError(
                f"save: {name} must be a dictionary, as returned by init, "
                f"got {short_repr(tree)} ({type(tree).__name__})"
            )
    x = unflatten_like_shapes(shapes, inputs)
    y = _output_structure(model, params, state, x)
    names = _unique([*(tensor.name for tensor in inputs), *_output_names(model, y)])
    graph = Graph(converter_of, names)
    found = graph.layer(model, "", _merged(*jax.device_get((params, state))), x)
    graph.problems.raise_if_any("save: these layers cannot be written to an ONNX file:")
    outputs = [graph.in_logical_order(tensor) for tensor in flatten(found)]
    outputs = graph.with_outputs(outputs, names[len(inputs) :])
    size = sum(array.nbytes for array in graph.constants.values())
    if size > MAX_BYTES:
        raise ValueError(
            f"save: the weights of an ONNX file must take less than {MAX_BYTES:,} bytes in "
            f"float32, the limit of its format, got {size:,}"
        )
    name = model.name if isinstance(model, Composition) else snake_case(type(model).__name__)
    content = serialize(name, graph.nodes, graph.constants, inputs, outputs)
    with write_atomically(path) as file:
        file.write(content)


def _input_shapes(model: Layer, given: Any) -> Any:
    """Returns the shape of one example; a tuple or dictionary if there are several inputs."""
    if not isinstance(model, Layer):
        raise TypeError(
            f"save: model must be a jaxlayers.Layer, got {short_repr(model)} "
            f"({type(model).__name__})"
        )
    shapes = model.input_shape if given is None else given
    if shapes is None:
        raise ValueError(
            f"save: {model!r} was constructed without input_shape: input_shape must be the "
            "shape of one example, a tuple of integers, got None"
        )
    if not are_several_shapes(shapes):
        return example_shape(model, shapes)
    return unflatten(shapes, [example_shape(model, shape) for shape in flatten(shapes)])


def _inputs(model: Layer, shapes: Any, dtype: Any) -> list[Tensor]:
    """Returns the inputs of the graph."""
    flat = flatten_shapes(shapes)
    names, dtypes = ["input_layer"] * len(flat), [dtype] * len(flat)
    inside = unwrapped(model)
    if isinstance(inside, Functional):
        sources = [output.layer for output in flatten(inside.inputs)]
        names = sorted(inside.inputs) if isinstance(inside.inputs, Mapping) else sources
        if dtype is None:
            dtypes = [getattr(inside[source], "dtype", None) for source in sources]
    return [
        Tensor(name, shape, logical_order(len(shape) + 1), _dtype_in_file(own))
        for name, shape, own in zip(_unique(names), flat, dtypes, strict=True)
    ]


def _dtype_in_file(dtype: Any) -> str:
    try:
        return "float32" if dtype is None else dtype_in_file(dtype)
    except TypeError:
        raise TypeError(
            "save: dtype must be a dtype of real numbers, such as jnp.float32 or 'uint8', or None "
            f"for those of the input layers, got {dtype!r}"
        ) from None


def _output_structure(model: Layer, params: Params, state: State, x: Any) -> Any:
    """Checks that the params and the state are those of the model, and returns its outputs.

    Returns:
        The outputs as shapes and dtypes; a tuple or a dictionary if there are several.

    Raises:
        ValueError: If the model cannot be applied with them to inputs of these shapes.
    """
    tensors = flatten(x)
    batch = unflatten(
        x,
        [
            jax.ShapeDtypeStruct((1, *tensor.shape), jax.dtypes.canonicalize_dtype(tensor.dtype))
            for tensor in tensors
        ],
    )
    try:
        return jax.eval_shape(lambda *arguments: model.apply(*arguments)[0], params, state, batch)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            "save: params and state must be those that init returns for the model with examples of "
            f"shape {', '.join(str(tensor.shape) for tensor in tensors)}: {error}"
        ) from error


def _output_names(model: Layer, y: Any) -> list[str]:
    """Returns the names of the outputs, in the order of `flatten`."""
    inside = unwrapped(model)
    if isinstance(y, Mapping):
        return sorted(y)
    if isinstance(inside, Functional):
        return [output.layer for output in flatten(inside.outputs)]
    name = snake_case(type(inside).__name__)
    if isinstance(inside, Sequential):
        *_, (name, _) = inside.items()
    return [name] * len(flatten(y))


def _unique(names: Sequence[str]) -> list[str]:
    """Returns the names, with `_1`, `_2`, ... for duplicates."""
    unique: list[str] = []
    for name in names:
        candidates = (name, *(f"{name}_{count}" for count in range(1, len(names) + 1)))
        unique.append(next(candidate for candidate in candidates if candidate not in unique))
    return unique


def _merged(params: Any, state: Any) -> Any:
    """Returns params and state as one dictionary of float32 arrays."""
    if isinstance(params, Mapping) and isinstance(state, Mapping):
        names = dict.fromkeys((*params, *state))
        return {name: _merged(params.get(name, {}), state.get(name, {})) for name in names}
    return np.asarray(state if isinstance(params, Mapping) else params, np.float32)
