"""The weights of a model, and the reading of their values.

`keras3_weights.py` and `keras2_weights.py` locate the weights in a file.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxlayers.interop.errors import Problems
from jaxlayers.interop.keras.dtype_policies import unwrapped
from jaxlayers.interop.keras.hdf5 import StoredArray
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import Normalization, SpectralNormalization
from jaxlayers.layers.mixed_precision import InBfloat16
from jaxlayers.sequential import Sequential

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


def weights_of(model: Layer, input_shape: Sequence[int | None]) -> list[Weight]:
    """Returns all weights of a model, in Keras's order, without allocating arrays.

    Args:
        model: A `Sequential`, or one in `InBfloat16`.
        input_shape: Shape of one example, in which `None` is any size.

    Raises:
        ValueError: If the model does not accept the shape.
    """
    error = ValueError("")
    for size in _SIZES if None in input_shape else (0,):
        shape: Shape = tuple(size if d is None else d for d in input_shape)
        try:
            return _weights_of(model, shape)
        except ValueError as failure:
            error = failure
    raise error


def abstract_init(model: Layer, input_shape: Shape) -> tuple[Params, State]:
    """Returns the shapes and dtypes of the params and the state.

    Unlike `jax.eval_shape(model.init, ...)`, it does not call initializers. Some of them compute on
    the host, and a config from a file may declare weights of any size.

    Args:
        model: A layer, a `Sequential`, or one in `InBfloat16`.
        input_shape: Shape of one example.

    Returns:
        Params and state with `jax.ShapeDtypeStruct` instead of arrays.

    Raises:
        ValueError: If the model does not accept the shape.
    """
    plain = _with_zeros(model)
    try:
        params, state = jax.eval_shape(lambda key: plain.init(key, input_shape), jax.random.key(0))
    except Exception as error:  # JAX's shape checks raise many types of errors
        raise ValueError(str(error) or type(error).__name__) from error
    return params, state


def leaves(model: Layer, above: Path = ()) -> Iterator[tuple[Path, Layer]]:
    """Yields the path and the layer of each layer that is not a model."""
    sequential = unwrapped(model)
    assert isinstance(sequential, Sequential)
    for name, layer in sequential.items():
        inside = unwrapped(layer)
        if isinstance(inside, Sequential):
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


def _weights_of(model: Layer, input_shape: Shape) -> list[Weight]:
    params, state = abstract_init(model, input_shape)
    found = []
    for path, layer in leaves(model):
        for names, tree in ((_TRAINABLE, params), (_NON_TRAINABLE, state)):
            own = _subtree(tree, path)
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
    if isinstance(model, InBfloat16 | SpectralNormalization):
        return dataclasses.replace(model, layer=_with_zeros(model.layer))
    if isinstance(model, Sequential):
        return dataclasses.replace(model, layers=tuple(map(_with_zeros, model.layers)))
    if not dataclasses.is_dataclass(model):
        return model
    names = [field.name for field in dataclasses.fields(model)]
    initializers = [name for name in names if name.endswith("_initializer")]
    zeros = dict.fromkeys(initializers, "zeros")
    return dataclasses.replace(model, **zeros) if zeros else model


def _subtree(tree: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    for name in path:
        tree = tree.get(name, {})
    return tree
