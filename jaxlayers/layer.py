"""The interface of layers: `init` and the pure function `apply`, over dictionaries of arrays."""

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple, Self

import jax
import jax.numpy as jnp
from jax import Array

from jaxlayers import _symbolic

Params = dict[str, Any]
State = dict[str, Any]
Shape = tuple[int, ...]

# The layers whose output_shape calls init at the moment; init may in turn call output_shape.
_inferring_shape: ContextVar[tuple["Layer", ...]] = ContextVar("_inferring_shape", default=())


class FinalActivation(NamedTuple):
    """The final activation of a layer."""

    name: str  # Keras's name; "linear" if there is none
    axes: tuple[int, ...] = ()  # axes it normalizes over, counting the batch; () if elementwise
    removable: bool = True  # whether `logits` can remove it


class Layer:
    """The base class of layers: frozen dataclasses of Keras's arguments with two pure functions.

    A custom layer is a frozen dataclass that inherits from this class and defines `apply`, and
    `init` if it has params or state; all other methods have defaults. Layers are hashable and equal
    by value, so that they can be static arguments of `jax.jit`. `init, apply = layer` unpacks the
    two functions.

    Shapes in `init` and `output_shape` are those of one example, without the batch dimension. A
    layer with several inputs takes a tuple of arrays in `apply` and a tuple of shapes in `init` and
    `output_shape`; one with several outputs returns them as a tuple. A layer called on a symbolic
    input, from `jaxlayers.Input`, returns a symbolic output, of which a `Functional` is made.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Scale(Layer):
        ...     factor: float
        ...     def apply(self, params, state, x, *, training=False, key=None):
        ...         return self.factor * x, state
        >>> Scale(2.0).output_shape((3,))
        (3,)
    """

    def __new__(cls, *arguments: Any, **fields: Any) -> Self:
        _check_no_keras_argument(cls, fields)
        layer = super().__new__(cls)
        # Keras numbers the names of layers in the order of construction, and so does Functional.
        # The number is not part of the value.
        layer.__dict__["_construction"] = next(_symbolic.positions)
        return layer

    @property
    def input_shape(self) -> Sequence[int] | None:
        """The shape of one example that the layer was constructed with, or `None`."""
        return None

    def init(self, key: Array, input_shape: Sequence[int]) -> tuple[Params, State]:
        """Initializes the params and the state.

        Args:
            key: A JAX random key.
            input_shape: Shape of one example.

        Returns:
            `params`, the trainable weights, and `state`, the non-trainable weights, as dictionaries
            with Keras's weight names, `{}` if there are none.

        Raises:
            ValueError: If the layer does not accept the shape.
        """
        if not _is_inferring_shape(self):
            self.output_shape(input_shape)
        return {}, {}

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        """Computes the output.

        Args:
            params: The params, as returned by `init`.
            state: The state, as returned by `init` or by the previous call.
            x: [batch, *input_shape].
            training: Whether to run in training mode, in which dropout is applied and batch
                normalization uses the statistics of the batch.
            key: A JAX random key; required in training mode by layers that use random numbers.

        Returns:
            The output, [batch, *output_shape], and the new state.

        Raises:
            ValueError: If the layer does not accept the shape of `x`, or requires a key and none
                was passed.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define apply")

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        """Returns the shape of one example of the output.

        Args:
            input_shape: Shape of one example of the input.

        Raises:
            ValueError: If the layer does not accept the input shape.
        """
        if type(self).init is Layer.init:
            params, state = {}, {}
        elif _is_inferring_shape(self):
            raise TypeError(
                f"{type(self).__name__}: output_shape must be defined where init calls it, "
                "got that of Layer, which calls init"
            )
        else:
            token = _inferring_shape.set((*_inferring_shape.get(), self))
            try:
                weights = jax.eval_shape(lambda k: self.init(k, input_shape), jax.random.key(0))
            finally:
                _inferring_shape.reset(token)
            params, state = weights
        x = jax.ShapeDtypeStruct((1, *input_shape), float)
        y, _ = jax.eval_shape(lambda *a: output_and_state(self, self.apply(*a)), params, state, x)
        return tuple(y.shape[1:])

    def penalty(self, params: Params, state: State) -> Array:
        """Returns the sum of the layer's regularization penalties, a scalar.

        Add it to the loss inside the differentiated function. Activity penalties are read from
        `state`, in which `apply` stores them.

        Args:
            params: The params.
            state: The new state, as returned by `apply`.
        """
        return jnp.zeros(())

    def constrain(self, params: Params) -> Params:
        """Returns `params` projected onto the layer's constraints.

        Args:
            params: The params, after an update by the optimizer.
        """
        return params

    @property
    def output_values(self) -> Literal["computed", "mixed", "moved"]:
        """How the values of the output are related to those of the input.

        `"moved"`: they are values of the input in other positions, as in `Flatten`, so that an
        elementwise function gives the same result before and after the layer. `"mixed"`: they are
        within the range of the input, such as averages. `"computed"`: anything else.
        """
        return "computed"

    def final_activation(self) -> FinalActivation | None:
        """Returns the final activation of the layer; `None` if it is not known."""
        return None

    def logits(self) -> "Layer":
        """Returns the layer without its final sigmoid or softmax.

        Losses are computed from the input of these activations, which does not saturate. If the
        layer ends in neither, or the activation cannot be removed, the layer itself is returned.
        The returned layer has the same params and state.
        """
        return self

    def map_layers(self, function: "Callable[[str | None, Layer], Layer]") -> Self:
        """Returns this layer with the layers directly inside it replaced.

        Args:
            function: Called with the name of each layer inside this one, `None` if it has no name,
                and the layer; returns a layer with the same params and state.
        """
        return self

    def __call__(self, x: Any, *, name: str | None = None) -> Any:
        """Calls the layer on symbolic inputs, to construct a `Functional`.

        One layer object that is called several times has one set of weights. Two objects have one
        each, even if they are equal.

        Args:
            x: The output of `Input` or of the call of another layer; a tuple or list of them for a
                layer with several inputs, or a dictionary by name for a `Functional`.
            name: Name of the layer in the model; `None` for Keras's name.

        Returns:
            The symbolic output; a tuple, or a dictionary by name, if there are several.

        Raises:
            TypeError: If `x` is not symbolic. To compute with arrays, use `init` and `apply`.
            ValueError: If the layer does not accept the shapes of the inputs.
        """
        return _symbolic.call(self, x, name)

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        yield self.init
        yield self.apply

    def __repr__(self) -> str:
        if not dataclasses.is_dataclass(self):
            return object.__repr__(self)
        return f"{type(self).__name__}({', '.join(_arguments(self))})"


def output_and_state(layer: Layer, returned: Any) -> tuple[Any, State]:
    """Checks that `apply` of a layer returned two values, and returns them."""
    if not (isinstance(returned, tuple) and len(returned) == 2):
        raise TypeError(
            f"{type(layer).__name__}: apply must return a tuple (output, state), "
            f"got {type(returned).__name__}"
        )
    output, state = returned
    return output, state


def _is_inferring_shape(layer: Layer) -> bool:
    return any(other is layer for other in _inferring_shape.get())


def _arguments(layer: Any) -> Iterator[str]:
    """Yields `name=value` for the fields of a layer that differ from their defaults."""
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        if field.init and not (value == field.default and type(value) is type(field.default)):
            yield f"{field.name}={value!r}"


# Arguments of all layers of Keras that layers do not have, and what has this purpose.
_KERAS_ARGUMENTS = {
    "name": "names are passed to the call, layer(x, name=...), or to Sequential(..., names=...)",
    "input_shape": "it is an argument of the model, Sequential([...], input_shape=...)",
    "trainable": "jaxlayers.freeze(model, names) freezes layers",
    "dtype": "layers compute in the dtype of weights and inputs; see layers.InBfloat16",
    "seed": "random numbers are determined by the key of init and apply",
}


def _check_no_keras_argument(cls: Any, given: Iterable[str]) -> None:
    for name in _KERAS_ARGUMENTS.keys() & given:
        if name not in inspect.signature(cls.__init__).parameters:
            raise TypeError(
                f"{cls.__name__}: there is no argument {name!r}; {_KERAS_ARGUMENTS[name]}"
            )
