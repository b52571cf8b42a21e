"""The contract of a layer: `init` and one pure function, over dictionaries of arrays."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

Params = dict[str, Any]
State = dict[str, Any]
Shape = tuple[int, ...]

# The layers whose output_shape is calling their init, which may itself ask for the output_shape.
_finding_shape: ContextVar[tuple["Layer", ...]] = ContextVar("_finding_shape", default=())


class FinalActivation(NamedTuple):
    """The activation that the output of a layer comes out of."""

    name: str  # Keras's name; "linear" where there is none
    axes: tuple[int, ...] = ()  # that it normalizes over, counted with the batch; () if elementwise
    removable: bool = True  # whether `logits` can take it away


class Layer:
    """What every layer is: a frozen dataclass of Keras's arguments with two pure functions.

    A layer of your own is a frozen dataclass that inherits from this and defines `apply`, and
    `init` if it has params or state; the rest has defaults that fit. Layers are hashable and
    equal by value, so that they can be static arguments of `jax.jit`, and `init, apply = layer`
    takes them apart.

    Shapes in `init` and `output_shape` are those of one example, without the batch.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Scale(Layer):
        ...     factor: float
        ...     def apply(self, params, state, x, *, training=False, key=None):
        ...         return self.factor * x, state
        >>> Scale(2.0).output_shape((3,))
        (3,)
    """

    @property
    def input_shape(self) -> Sequence[int] | None:
        """Shape of one example that the layer was constructed for; `None` where for any."""
        return None

    def init(self, key: Array, input_shape: Sequence[int]) -> tuple[Params, State]:
        """Makes the params and the state.

        Args:
            key: a JAX random key.
            input_shape: shape of one example.

        Returns:
            `params`, what is trained, and `state`, what is carried but not trained: both
            dictionaries with Keras's weight names, `{}` where there is nothing.

        Raises:
            ValueError: a shape that the layer does not take.
        """
        if not _is_finding_shape(self):
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
            params: as `init` makes them.
            state: as `init` makes it, or the one that the previous call returned.
            x: [batch, *input_shape].
            training: whether this is a training step; dropout drops and batch normalization
                takes the statistics of the batch only then.
            key: a JAX random key; needed in training by layers that draw random numbers.

        Returns:
            The output, [batch, *output_shape], and the new state.

        Raises:
            ValueError: an array of a shape that the layer does not take, or no key where one
                is needed.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no apply")

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        """Returns the shape of one example of the output.

        Raises:
            ValueError: an input shape that the layer does not take.
        """
        if type(self).init is Layer.init:
            params, state = {}, {}
        elif _is_finding_shape(self):
            raise TypeError(
                f"{type(self).__name__}: output_shape must be defined where init calls it, "
                "got the one of Layer, which calls init"
            )
        else:
            token = _finding_shape.set((*_finding_shape.get(), self))
            try:
                made = jax.eval_shape(lambda k: self.init(k, input_shape), jax.random.key(0))
            finally:
                _finding_shape.reset(token)
            params, state = made
        x = jax.ShapeDtypeStruct((1, *input_shape), float)
        y, _ = jax.eval_shape(lambda *a: self.apply(*a), params, state, x)
        return tuple(y.shape[1:])

    def penalty(self, params: Params, state: State) -> Array:
        """Returns the sum of the layer's regularization penalties, a scalar.

        Add it to the loss inside the differentiated function. Penalties of the activity come
        from `state`, where `apply` leaves them.
        """
        return jnp.zeros(())

    def constrain(self, params: Params) -> Params:
        """Returns `params` projected onto the layer's constraints."""
        return params

    @property
    def output_values(self) -> Literal["computed", "mixed", "moved"]:
        """Whether the output has values of its own.

        `"moved"`: the values of the input in other places, such as `Flatten`, so that an
        elementwise function may as well come after the layer as before it. `"mixed"`: values
        within the range of the input, such as averages. `"computed"`: anything else.
        """
        return "computed"

    def final_activation(self) -> FinalActivation | None:
        """Returns the activation that the output comes out of; `None` where that is not known."""
        return None

    def logits(self) -> "Layer":
        """Returns the layer without the sigmoid or softmax that its output comes out of.

        Losses are computed from what comes before these, where nothing saturates. The layer
        itself where there is none, or where one cannot be taken away. Same params and state.
        """
        return self

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        yield self.init
        yield self.apply

    def __repr__(self) -> str:
        if not dataclasses.is_dataclass(self):
            return object.__repr__(self)
        return f"{type(self).__name__}({', '.join(_arguments(self))})"


def _is_finding_shape(layer: Layer) -> bool:
    return any(other is layer for other in _finding_shape.get())


def _arguments(layer: Any) -> Iterator[str]:
    """Yields `name=value` for the fields of a layer that are not at their defaults."""
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        if field.init and not (value == field.default and type(value) is type(field.default)):
            yield f"{field.name}={value!r}"
