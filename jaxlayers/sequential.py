"""A linear stack of layers, as a layer."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, Literal, Self, overload

import jax
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers._any_size import has_any_size, output_shape
from jaxlayers._symbolic import SymbolicTensor
from jaxlayers.composition import (
    Composition,
    activation_before,
    complete_names,
    layer_keys,
    notes,
)
from jaxlayers.fusion import fused_convolutions
from jaxlayers.layer import FinalActivation, Layer, Params, Shape, State, output_and_state
from jaxlayers.layers.arguments import example_shape, is_training
from jaxlayers.summary import summarize


class _Layers(fields.Field[Sequence[Layer], tuple[Layer, ...]]):
    """A non-empty sequence of layers."""

    def check(self, owner: object, name: str, value: Any) -> tuple[Layer, ...]:
        if not isinstance(value, Iterable) or isinstance(value, str):
            raise TypeError(f"{owner}: {name} must be a list of layers, got {value!r}")
        layers = tuple(value)
        if not layers:
            raise ValueError(f"{owner}: {name} must have at least one layer, got {value!r}")
        for position, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                hint = ""
                if isinstance(layer, str):
                    hint = f"; for an activation use layers.Activation({layer!r})"
                elif isinstance(layer, SymbolicTensor):
                    hint = "; pass the shape of the input as input_shape"
                raise TypeError(
                    f"{owner}: layer {position} of {name} must be a jaxlayers.Layer, got {layer!r} "
                    f"({type(layer).__name__}){hint}"
                )
        return layers


@dataclass(frozen=True, repr=False)
class Sequential(Composition):
    """Applies layers one after another; Keras's `Sequential`.

    `params` and `state` are dictionaries from layer names to the params and state of the layers;
    layers without any are omitted. The names are Keras's: `conv2d`, `conv2d_1`, ... in the order of
    the model. A nested Sequential has its own `name`.

    `model[:k]` is a Sequential of the first k layers, and `model[i:j]` of a range of layers. The
    layers keep their names, so that slices use the same params and state. `model[i]` and
    `model["conv2d"]` are single layers.

    Args:
        layers: The layers, at least one.
        input_shape: Shape of one example; if `None`, `init` and `output_shape` require it.
        name: Name of the model, for its summary and for models that contain it.
        names: Names of the layers; `None` for Keras's names.
        fuse: Whether `apply` fuses pairs of layers, as described in `jaxlayers.fusion`; the results
            are the same.

    Input shape:
        [batch, *input_shape].

    Output shape:
        That of the last layer.

    Raises:
        ValueError: If there are no layers, there is not one unique name per layer, or a layer does
            not accept its input shape.
        TypeError: If an element is not a layer.

    Example:
        >>> from jaxlayers import layers
        >>> model = Sequential([layers.Dense(8, activation="relu"), layers.Dense(2)], (4,))
        >>> params, state = model.init(jax.random.key(0))
        >>> sorted(params)
        ['dense', 'dense_1']
        >>> y, state = model.apply(params, state, jnp.ones((3, 4)))
        >>> y.shape
        (3, 2)
    """

    layers: _Layers = _Layers()
    input_shape: Sequence[int] | None = None
    name: fields.Text = fields.Text(default="sequential")
    names: fields.Optional[Sequence[str], tuple[str, ...]] = fields.Optional(
        fields.Tuple(fields.Text(), "a tuple of strings that are not empty")
    )
    fuse: fields.Boolean = fields.Boolean(default=True)

    def __post_init__(self) -> None:
        names = _default_names(self.layers) if self.names is None else self.names
        if len(names) != len(self.layers) or len(set(names)) != len(names):
            raise ValueError(
                f"Sequential: names must be {len(self.layers)} unique names, one per layer, "
                f"got {names}"
            )
        fields.set_fields(self, names=names)
        if self.input_shape is not None:
            fields.set_fields(self, input_shape=example_shape(self, self.input_shape))
            self.output_shape()

    def init(self, key: Array, input_shape: Sequence[int] | None = None) -> tuple[Params, State]:
        """Initializes the params and the state of all layers.

        Args:
            key: A JAX random key; that of a layer is `jax.random.fold_in(key, position)`.
            input_shape: Shape of one example; required if the model was constructed without one.

        Returns:
            `params` and `state`, dictionaries from layer names to the params and state of the
            layers.

        Raises:
            ValueError: If no input shape is known, it differs from the one the model was
                constructed with, or a layer does not accept it.
        """
        shape = self._input_shape(input_shape)
        self._check_key(key)
        params: Params = {}
        state: State = {}
        for position, (name, layer) in enumerate(self.items()):
            with self._notes(name, position):
                initialized = layer.init(jax.random.fold_in(key, position), shape)
                shape = layer.output_shape(shape)
            for tree, weights in zip((params, state), initialized, strict=True):
                if weights:
                    tree[name] = weights
        return params, state

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        self._check_inputs(params, state, x, key)
        training = is_training(self._label, training)
        new_state = {}
        fused = fused_convolutions(self.layers) if self.fuse else {}
        keys = layer_keys(key, len(self))
        for position, (name, layer) in enumerate(self.items()):
            if position + 1 in fused:
                continue  # fused into the next layer
            layer_weights = params.get(name, {}), state.get(name, {})
            with self._notes(name, position):
                if position in fused:
                    x, layer_state = fused[position](*layer_weights, x)
                else:
                    x, layer_state = output_and_state(
                        layer,
                        layer.apply(*layer_weights, x, training=training, key=keys[position]),
                    )
            if layer_state:
                new_state[name] = layer_state
        return x, new_state

    def output_shape(self, input_shape: Sequence[int] | None = None) -> Shape:
        """Returns the shape of one example of the output.

        Args:
            input_shape: Shape of one example of the input; required if the model was constructed
                without one.

        Raises:
            ValueError: As in `init`.
        """
        *_, shape = self.shapes(input_shape)
        return shape

    def shapes(self, input_shape: Sequence[int] | None = None) -> Iterator[Shape]:
        """Yields the output shape of each layer for one example, in order.

        Args:
            input_shape: As in `output_shape`.

        Raises:
            ValueError: As in `init`.
        """
        shape = self._input_shape(input_shape)
        for position, (name, layer) in enumerate(self.items()):
            with self._notes(name, position):
                shape = layer.output_shape(shape)
            yield shape

    def layer_shapes(self, input_shape: Any = None) -> Iterator[tuple[Any, Any]]:
        """Yields the shapes of one example of the input and the output of each layer, in order.

        Args:
            input_shape: As in `output_shape`.
        """
        if input_shape is not None and has_any_size(input_shape):
            # Models that contain this one pass None for any size.
            outputs = accumulate(
                self.layers, lambda shape, layer: output_shape(layer, shape), initial=input_shape
            )
            return pairwise(outputs)
        return pairwise([self._input_shape(input_shape), *self.shapes(input_shape)])

    @property
    def output_values(self) -> Literal["computed", "mixed", "moved"]:
        found = {layer.output_values for layer in self.layers}
        if "computed" in found:
            return "computed"
        return "mixed" if "mixed" in found else "moved"

    def final_activation(self) -> FinalActivation | None:
        return self._final_activation()[1]

    def logits(self) -> "Sequential":
        position, found = self._final_activation()
        if found is None or not found.removable:
            return self
        layers = list(self.layers)
        layers[position] = layers[position].logits()
        return replace(self, layers=layers)

    def _final_activation(self) -> tuple[int, FinalActivation | None]:
        """Returns the position of the last layer that computes values, and its activation."""
        position = len(self) - 1
        while position > 0 and self.layers[position].output_values != "computed":
            position -= 1

        def shapes() -> tuple[Shape, Shape]:
            return list(self.shapes())[position], self.output_shape()

        return position, activation_before(
            self.layers[position].final_activation(),
            self.layers[position + 1 :],
            None if self.input_shape is None else shapes,
        )

    def items(self) -> Iterator[tuple[str, Layer]]:
        """Yields the name of each layer and the layer, in order."""
        return zip(self.names or (), self.layers, strict=True)

    def map_layers(self, function: Callable[[str | None, Layer], Layer]) -> Self:
        return replace(self, layers=[function(name, layer) for name, layer in self.items()])

    def submodel(self, name: str) -> "Sequential":
        """Returns the model from the input to the output of a layer, on the same params.

        Args:
            name: Name of the layer.

        Raises:
            KeyError: If there is no such layer.
        """
        self._layer(name)
        return self[: (self.names or ()).index(name) + 1]

    def summary(self, input_shape: Sequence[int] | None = None) -> str:
        """Returns Keras's summary table: the name, output shape and parameters of each layer.

        Args:
            input_shape: Shape of one example; required if the model was constructed without one.
        """
        return summarize(self, self._input_shape(input_shape))

    def __len__(self) -> int:
        return len(self.layers)

    @overload
    def __getitem__(self, index: int | str) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> "Sequential": ...
    def __getitem__(self, index: int | str | slice) -> Layer:
        if not isinstance(index, slice):
            return self._layer(index, "the name of a layer or a slice")
        start, _, step = index.indices(len(self))
        if step != 1:
            raise ValueError(f"{self._label}: slice must have step 1, got {step}")
        shape = self.input_shape
        if shape is not None and start > 0:
            shape = self[:start].output_shape()
        return replace(
            self, layers=self.layers[index], names=(self.names or ())[index], input_shape=shape
        )

    def __repr__(self) -> str:
        arguments = [f"[{', '.join(map(repr, self.layers))}]"]
        if self.input_shape is not None:
            arguments.append(f"input_shape={self.input_shape}")
        if self.name != "sequential":
            arguments.append(f"name={self.name!r}")
        if self.names != _default_names(self.layers):
            arguments.append(f"names={self.names}")
        if not self.fuse:
            arguments.append("fuse=False")
        return f"Sequential({', '.join(arguments)})"

    def _check_inputs(self, params: Params, state: State, x: Array, key: Array | None) -> None:
        self._check_weights(params=params, state=state)
        if key is not None:
            self._check_key(key)
        if self.input_shape is not None:
            self._check_rank("x", tuple(self.input_shape), x)

    def _notes(self, name: str, position: int) -> AbstractContextManager[None]:
        """Adds a note with the names of the layer and the model to errors."""
        return notes(f"In layer {position} of Sequential {self.name!r}, {name!r}.")

    def _input_shape(self, given: Sequence[int] | None) -> Shape:
        if given is None and self.input_shape is None:
            raise ValueError(
                f"{self._label}: input_shape must be the shape of one example, passed to the "
                "constructor or to this method, got None"
            )
        if given is None:
            return tuple(self.input_shape or ())
        shape = example_shape(self, given)
        if self.input_shape is not None and shape != self.input_shape:
            raise ValueError(
                f"{self._label}: input_shape must be {self.input_shape}, as in the constructor, "
                f"got {shape}"
            )
        return shape


def _default_names(layers: Sequence[Layer]) -> tuple[str, ...]:
    return complete_names(layers, [None] * len(layers))
