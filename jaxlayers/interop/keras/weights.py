"""The weights that a model has, and their numbers once they are known to fit.

Where they lie in a file say `numbered.py` for Keras 3 and `named.py` for Keras 2.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from jaxlayers.interop.keras.bare import bare
from jaxlayers.interop.keras.hdf5 import Stored
from jaxlayers.interop.keras.problems import Problems
from jaxlayers.layer import Shape
from jaxlayers.precision import InBfloat16
from jaxlayers.sequential import Sequential

Path = tuple[str, ...]

# Keras's order: what is trained first. Which of both dictionaries they are in follows.
_TRAINED = ("kernel", "bias", "gamma", "beta")
_CARRIED = ("moving_mean", "moving_variance", "moving_stddev", "renorm_mean", "renorm_stddev")

FLOATS = ("float16", "bfloat16", "float32", "float64")


@dataclasses.dataclass(frozen=True)
class Weight:
    """A weight that the model has.

    Attributes:
        layer: the names of the layer and of the models around it.
        name: such as `kernel`.
        trained: whether it is in params rather than in the state.
        shape: what it must have.
    """

    layer: Path
    name: str
    trained: bool
    shape: Shape

    def __str__(self) -> str:
        return "/".join((*self.layer, self.name))


def weights_of(model: Any, input_shape: Shape | None) -> list[Weight]:
    """Returns all weights of a model, in Keras's order, without making any array.

    Args:
        model: a `Sequential`, or one in `InBfloat16`.
        input_shape: shape of one example.

    Raises:
        ValueError: a shape that the model does not take.
    """
    # An initializer may compute on the host, and a shape from a file may be anything.
    plain = _with_zeros(model)
    try:
        params, state = jax.eval_shape(lambda key: plain.init(key, input_shape), jax.random.key(0))
    except Exception as error:  # JAX's own checks of shapes raise many kinds
        raise ValueError(str(error) or type(error).__name__) from error
    found = []
    for path, _ in leaves(model):
        for names, tree in ((_TRAINED, params), (_CARRIED, state)):
            own = _inside(tree, path)
            found += [
                Weight(path, name, tree is params, tuple(own[name].shape))
                for name in names
                if name in own
            ]
    return found


def leaves(model: Any, above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yields each layer that is no model with its name and those of the models around it."""
    for name, layer in bare(model).items():
        inside = bare(layer)
        if isinstance(inside, Sequential):
            yield from leaves(inside, (*above, name))
        else:
            yield (*above, name), inside


def numbers(
    wanted: list[Weight], found: Mapping[Weight, Stored], dtypes: Mapping[Path, str] | None
) -> tuple[dict[Weight, np.ndarray], list[str]]:
    """Returns the numbers of each weight, once everything that can be checked has been.

    Args:
        wanted: the weights of the model.
        found: what is stored of them.
        dtypes: what those of each layer must be kept in; any type of floats where `None`.

    Returns:
        The arrays, and what is wrong; no arrays where anything is.
    """
    problems = Problems()
    for weight in wanted:
        if weight not in found:
            continue
        array = found[weight]
        if array.shape != weight.shape:
            problems.add(f"{weight}: shape {array.shape}, the model has {weight.shape}")
        allowed = FLOATS if dtypes is None else (dtypes[weight.layer],)
        if str(array.dtype) not in allowed:
            problems.add(f"{weight}: {array.dtype}, the model has {' or '.join(allowed)}")
        elif array.dtype == np.float64 and not jax.config.read("jax_enable_x64"):
            problems.add(
                f"{weight}: float64, which JAX rounds to float32 unless "
                "jax.config.update('jax_enable_x64', True) is called before"
            )
    if problems.found:
        return {}, problems.found
    return {weight: found[weight].read() for weight in wanted if weight in found}, []


def _with_zeros(model: Any) -> Any:
    """Returns the model with initializers that take nothing to make a shape of."""
    if isinstance(model, InBfloat16):
        return InBfloat16(_with_zeros(model.layer))
    if isinstance(model, Sequential):
        return dataclasses.replace(model, layers=tuple(map(_with_zeros, model.layers)))
    names = [name for name in model.__dataclass_fields__ if name.endswith("_initializer")]
    return dataclasses.replace(model, **dict.fromkeys(names, "zeros")) if names else model


def _inside(tree: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    for name in path:
        tree = tree.get(name, {})
    return tree
