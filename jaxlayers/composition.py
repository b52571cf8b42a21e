"""The base class of models that consist of named layers."""

import math
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import FinalActivation, Layer, Params, Shape, State
from jaxlayers.layers.wrapper import unwrapped


class Composition(Layer):
    """The base class of `Sequential` and `Functional`.

    `params` and `state` are dictionaries from layer names to the params and state of the layers;
    layers without any are omitted.
    """

    @property
    def name(self) -> str:
        """Name of the model."""
        raise NotImplementedError

    def items(self) -> Iterator[tuple[str, Layer]]:
        """Yields the name of each layer and the layer, in order."""
        raise NotImplementedError

    def layer_shapes(self, input_shape: Any = None) -> Iterable[tuple[Any, Any]]:
        """Returns the shapes of one example of the input and the output of each layer, in order.

        Args:
            input_shape: Shape of one example of the input of the model; required if the model was
                constructed without one.
        """
        raise NotImplementedError

    def submodel(self, name: str) -> "Composition":
        """Returns the model from the input to the output of a layer, on the same params."""
        raise NotImplementedError

    def summary(self) -> str:
        """Returns Keras's summary table of the model."""
        raise NotImplementedError

    def connections(self) -> Sequence[str] | None:
        """Returns the inputs of each layer, as in Keras's summary; `None` for a chain of layers."""
        return None

    def penalty(self, params: Params, state: State) -> Array:
        self._check_weights(params=params, state=state)
        return sum(
            (
                layer.penalty(params.get(name, {}), state.get(name, {}))
                for name, layer in self.items()
            ),
            start=jnp.zeros(()),
        )

    def constrain(self, params: Params) -> Params:
        self._check_weights(params=params)
        return {
            name: layer.constrain(params[name]) for name, layer in self.items() if name in params
        }

    def __len__(self) -> int:
        return sum(1 for _ in self.items())

    @property
    def _label(self) -> str:
        """The model in error messages."""
        return f"{type(self).__name__} {self.name!r}"

    def _layer(self, index: int | str, allowed: str = "the name of a layer") -> Layer:
        """Returns the layer at a position or of a name."""
        by_name = dict(self.items())
        if isinstance(index, str):
            if index not in by_name:
                raise KeyError(f"{self._label}: index must be one of {(*by_name,)}, got {index!r}")
            return by_name[index]
        try:
            return list(by_name.values())[operator.index(index)]
        except (IndexError, TypeError) as error:
            raise type(error)(
                f"{self._label}: index must be an integer from {-len(by_name)} to "
                f"{len(by_name) - 1} or {allowed}, got {index!r}"
            ) from None

    def _check_weights(self, **trees: Any) -> None:
        """Raises an error if params or state are not dictionaries.

        Additional layers are accepted, because this model may be a part of a larger one.
        """
        for kind, tree in trees.items():
            if not isinstance(tree, Mapping):
                raise TypeError(
                    f"{self._label}: {kind} must be a dictionary from the names of layers to their "
                    f"weights, as returned by init, got {tree!r}"
                )

    def _check_key(self, key: Array) -> None:
        fields.Key().check(self._label, "key", key)

    def _check_rank(self, what: str, shape: Sequence[int | None], x: Any) -> None:
        """Raises an error if `x` is an array that does not have the axes `[batch, *shape]`."""
        if hasattr(x, "shape") and len(x.shape) != len(shape) + 1:
            hint = "; for one example pass x[None]" if len(x.shape) == len(shape) else ""
            raise ValueError(
                f"{self._label}: {what} must be [{', '.join(map(str, ('batch', *shape)))}], "
                f"got an array of shape {tuple(x.shape)}{hint}"
            )

    def _check_sizes(self, what: str, shape: Sequence[int | None], x: Any) -> None:
        """Raises an error if an array `[batch, ...]` does not have the sizes in `shape`."""
        sizes = tuple(getattr(x, "shape", (None, *shape)))
        if any(n is not None and n != size for n, size in zip(shape, sizes[1:], strict=True)):
            raise ValueError(
                f"{self._label}: {what} must be [{', '.join(map(str, ('batch', *shape)))}], "
                f"got an array of shape {sizes}; None in the shape of Input is for any size"
            )


_fold_in_each = jax.vmap(jax.random.fold_in, (None, 0))


def layer_keys(key: Array | None, count: int) -> Any:
    """Returns one random key per layer; `None` for each if there is no key."""
    # One vectorized call, because each separate call takes XLA as long to compile as a convolution.
    return [None] * count if key is None else _fold_in_each(key, jnp.arange(count))


@contextmanager
def notes(note: str) -> Iterator[None]:
    """Adds a note to errors."""
    try:
        yield
    except Exception as error:
        error.add_note(note)
        raise


def complete_names(layers: Sequence[Layer], names: Sequence[str | None]) -> tuple[str, ...]:
    """Returns the names of layers, with Keras's names in place of `None`.

    Keras's names are class names in snake case, with `_1`, `_2`, ... for duplicates. A model that
    is a layer of another model has its own name.
    """
    taken, seen = {*names}, Counter[str]()
    complete = []
    for layer, given in zip(layers, names, strict=True):
        name = given
        while name is None or (given is None and name in taken):
            inside = unwrapped(layer)
            base = snake_case(type(inside).__name__)
            if isinstance(inside, Composition):
                base = inside.name
            name = f"{base}_{seen[base]}" if seen[base] else base
            seen[base] += 1
        complete.append(name)
        taken.add(name)
    return tuple(complete)


def snake_case(name: str) -> str:
    """Returns a class name in Keras's snake case, such as `conv2d_transpose`."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def activation_before(
    found: FinalActivation | None,
    after: Sequence[Layer],
    shapes: Callable[[], tuple[Shape, Shape]] | None,
) -> FinalActivation | None:
    """Returns the final activation of a model that ends in layers that do not compute values.

    These layers move or mix the output of the activation. An elementwise activation can be removed
    if they only move values. An activation that normalizes over axes can be removed only if it
    normalizes over a whole example and no value is dropped.

    Args:
        found: The final activation of the last layer that computes values.
        after: The layers after it.
        shapes: Returns the shape of one example before and after these layers; `None` if unknown.
    """
    if found is None or not after:
        return found
    if any(layer.output_values == "mixed" for layer in after):
        return found._replace(removable=False)
    if not found.axes:
        return found
    if shapes is None:
        return found._replace(removable=False)
    before, shape = shapes()
    normalized = {axis % (len(before) + 1) for axis in found.axes}
    normalized_size = math.prod(before[axis - 1] for axis in normalized if axis > 0)
    is_whole = 0 not in normalized and normalized_size == math.prod(before) == math.prod(shape)
    axes = tuple(range(1, len(shape) + 1))
    return found._replace(axes=axes, removable=found.removable and is_whole)
