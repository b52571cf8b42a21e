"""The weights of a model, and the reading of their values.

`keras3_weights.py` and `keras2_weights.py` locate the weights in a file.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from jaxlayers._any_size import has_any_size, with_size
from jaxlayers.composition import Composition
from jaxlayers.interop.errors import Problems
from jaxlayers.interop.keras.hdf5 import StoredArray
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import Normalization
from jaxlayers.layers.wrapper import unwrapped

Path = tuple[str, ...]

# Keras's order: trainable weights, which are in params, then non-trainable weights.
_TRAINABLE = (
    "kernel",
    "depthwise_kernel",
    "pointwise_kernel",
    "bias",
    "gamma",
    "beta",
    "embeddings",
    "alpha",
    "scale",
)
_NON_TRAINABLE = (
    "moving_mean",
    "moving_variance",
    "moving_stddev",
    "renorm_mean",
    "renorm_stddev",
    "vector_u",
    "mean",
    "variance",
)

# Sizes to try for axes of images that are None in a config: the weights do not depend on the
# sizes, but the images must not be smaller than the windows.
_SIZES = (64, 256, 1024)

FLOATS = ("float16", "bfloat16", "float32", "float64")


@dataclasses.dataclass(frozen=True)
class Weight:
    """A weight of the model.

    Attributes:
        layer: The names of the models that contain the layer, and of the layer.
        name: The name of the weight, such as `kernel`.
        trainable: Whether the weight is in params, not in the state.
        shape: The shape of the weight.
        only_in_keras: Whether the weight is only in files, as an integer that is always 0.
    """

    layer: Path
    name: str
    trainable: bool
    shape: Shape
    only_in_keras: bool = False

    def __str__(self) -> str:
        return "/".join((*self.layer, self.name))


def weights_of(model: Layer, input_shape: Any) -> list[Weight]:
    """Returns all weights of a model, in Keras's order, without allocating arrays.

    Args:
        model: A `Sequential` or `Functional`, also in wrappers.
        input_shape: Shape of one example, in which `None` is any size; a tuple or dictionary of
            shapes for a model with several inputs.

    Raises:
        ValueError: If the model does not accept the shape.
    """
    error = ValueError("")
    for size in _SIZES if has_any_size(input_shape) else (0,):
        try:
            return _weights_of(model, with_size(input_shape, size))
        except ValueError as failure:
            error = failure
    raise error


def abstract_init(model: Layer, input_shape: Any) -> tuple[Params, State]:
    """Returns the shapes and dtypes of the params and the state.

    Unlike `jax.eval_shape(model.init, ...)`, it does not call initializers. Some of them compute on
    the host, and a config from a file may declare weights of any size.

    Args:
        model: Any layer, such as a `Sequential`.
        input_shape: Shape of one example.

    Returns:
        Params and state with `jax.ShapeDtypeStruct` instead of arrays.

    Raises:
        ValueError: If the model does not accept the shape.
    """
    found = list(_layers_with_weights(model, input_shape))
    try:
        # A single trace, and without one random key per layer.
        weights = jax.eval_shape(
            lambda key: [layer.init(key, shape) for _, layer, shape in found], jax.random.key(0)
        )
    except Exception as error:  # JAX's shape checks raise many types of errors
        raise ValueError(str(error) or type(error).__name__) from error
    params: Params = {}
    state: State = {}
    for (path, *_), own in zip(found, weights, strict=True):
        for tree, values in zip((params, state), own, strict=True):
            if values:
                subtree(tree, path).update(values)
    return params, state


def _layers_with_weights(
    model: Layer, input_shape: Any, above: Path = ()
) -> Iterator[tuple[Path, Layer, Any]]:
    """Yields the path, the layer with zeros as initial values, and the input shape."""
    inside = unwrapped(model)
    if isinstance(inside, Composition):
        shapes = inside.layer_shapes(input_shape)
        for (name, layer), (shape, _) in zip(inside.items(), shapes, strict=True):
            yield from _layers_with_weights(layer, shape, (*above, name))
    elif type(inside).init is not Layer.init or not above:
        yield above, _with_zeros(inside), input_shape


def leaves(model: Layer, above: Path = ()) -> Iterator[tuple[Path, Layer]]:
    """Yields the path and the layer of each layer that is not a model."""
    composition = unwrapped(model)
    assert isinstance(composition, Composition)
    for name, layer in composition.items():
        inside = unwrapped(layer)
        if isinstance(inside, Composition):
            yield from leaves(inside, (*above, name))
        else:
            yield (*above, name), inside


def read_values(
    wanted: list[Weight],
    found: Mapping[Weight, StoredArray],
    dtypes: Mapping[Path, str] | None,
    problems: Problems,
) -> dict[Weight, np.ndarray]:
    """Returns the values of all weights of the model; `{}` if there are problems.

    Args:
        wanted: The weights of the model.
        found: The stored arrays.
        dtypes: The dtype of the weights by layer; `None` for any float dtype.
        problems: The problems; wrong shapes and dtypes are added.
    """
    for weight in wanted:
        if weight not in found:
            continue
        array = found[weight]
        if array.shape != weight.shape:
            problems.add(f"{weight}: shape {array.shape}, the model has {weight.shape}")
        if weight.only_in_keras:
            continue
        allowed = FLOATS if dtypes is None else (dtypes[weight.layer],)
        if str(array.dtype) not in allowed:
            problems.add(f"{weight}: {array.dtype}, the model has {' or '.join(allowed)}")
        elif array.dtype == np.float64 and not jax.config.read("jax_enable_x64"):
            problems.add(
                f"{weight}: float64, which JAX rounds to float32 unless "
                "jax.config.update('jax_enable_x64', True) is called first"
            )
    if problems.count:
        return {}
    return {weight: found[weight].read() for weight in wanted if not weight.only_in_keras}


def _weights_of(model: Layer, input_shape: Any) -> list[Weight]:
    params, state = abstract_init(model, input_shape)
    found = []
    for path, layer in leaves(model):
        for names, tree in ((_TRAINABLE, params), (_NON_TRAINABLE, state)):
            own = subtree(tree, path)
            found += [
                Weight(path, name, tree is params, tuple(own[name].shape))
                for name in names
                if name in own
            ]
        if isinstance(layer, Normalization) and layer.mean is None:
            found.append(Weight(path, "count", False, (), only_in_keras=True))
    return found


def _with_zeros(model: Layer) -> Layer:
    """Returns the model with all initializers replaced by zeros."""
    inside = model.map_layers(lambda name, layer: _with_zeros(layer))
    if inside is not model or not dataclasses.is_dataclass(model):
        return inside
    names = [field.name for field in dataclasses.fields(model)]
    initializers = [name for name in names if name.endswith("_initializer")]
    zeros = dict.fromkeys(initializers, "zeros")
    return dataclasses.replace(model, **zeros) if zeros else model


def subtree(tree: dict[str, Any], path: Path) -> dict[str, Any]:
    """Returns the dictionary at a path, which is created if it does not exist."""
    for name in path:
        tree = tree.setdefault(name, {})
    return tree
