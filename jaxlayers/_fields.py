"""Typed fields of dataclasses, which check and convert their values.

    @dataclass(frozen=True)
    class Conv2D:
        filters: fields.PositiveInteger = fields.PositiveInteger()
        strides: fields.IntegerTuple = fields.IntegerTuple(2, default=(1, 1))

A field is a descriptor, as described under "Descriptor-typed fields" in the documentation of
dataclasses. Every assignment to it, including the one in the generated `__init__`, goes through
its `convert`: `Conv2D(8, strides=2).strides` is `(2, 2)`, and `strides="x"` raises

    ValueError: Conv2D: strides must be a positive integer or a tuple of two, got 'x'

An argument without a default is required. The two type parameters of `Field` are the type that
the constructor accepts and the type of the attribute.

Arguments of functions are checked by the same fields: `PositiveInteger().check("lenet", "width",
width)` returns the converted width or raises the error.
"""

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar, overload

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers import config

Accepted = TypeVar("Accepted")
Attribute = TypeVar("Attribute")
_REQUIRED: Any = dataclasses.MISSING
_COUNTS: dict[int | None, str] = {1: "one", 2: "two", 3: "three"}

# A number, or an array of numbers as nested tuples.
NestedFloats = float | tuple["NestedFloats", ...]


class Field(Generic[Accepted, Attribute]):
    """The base class of fields; subclasses define `allowed` and `convert`.

    Args:
        default: The default value. If it is omitted, the argument is required.
    """

    allowed: str
    """The allowed values, as the end of the sentence "strides must be ..."."""

    name: str

    def __init__(self, *, default: Any = _REQUIRED) -> None:
        self.default = default

    def convert(self, value: Any) -> Attribute:
        """Returns `value` converted to the type of the attribute.

        Raises:
            ArithmeticError, AttributeError, TypeError, ValueError: If the value is not allowed.
                `check` replaces these with an error that lists the allowed values.
        """
        raise NotImplementedError

    def check(self, owner: object, name: str, value: Any) -> Attribute:
        """Checks and converts a value.

        Args:
            owner: The owner of the argument, for the error message: a layer, or the name of a class
                or a function.
            name: The name of the argument.
            value: The value received.

        Returns:
            The converted value.

        Raises:
            ValueError: If the value is not allowed.
        """
        try:
            return self.convert(_as_python(value))
        except (ArithmeticError, AttributeError, TypeError, ValueError):
            raise ValueError(f"{owner}: {name} must be {self.allowed}, got {value!r}") from None

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Any: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Attribute: ...
    def __get__(self, instance: object, owner: type) -> Any:
        if instance is not None and self.name in instance.__dict__:
            return instance.__dict__[self.name]
        # dataclasses reads the default from the class; an error means that there is none.
        if instance is not None or self.default is _REQUIRED:
            raise AttributeError(f"{owner.__name__} has no value of {self.name}")
        return self.default

    def __set__(self, instance: object, value: Accepted) -> None:
        instance.__dict__[self.name] = self.check(type(instance).__name__, self.name, value)


def set_fields(instance: object, **values: Any) -> None:
    """Checks and sets fields of a frozen dataclass, in `__post_init__`."""
    for name, value in values.items():
        object.__setattr__(instance, name, value)


class Boolean(Field[bool, bool]):
    """True or False; 1 and 0 are accepted as well."""

    allowed = "True or False"

    def convert(self, value: Any) -> bool:
        _require(isinstance(value, bool | int) and value in (0, 1))
        return bool(value)


class Integer(Field[int, int]):
    """An integer within bounds; bools are not accepted.

    Args:
        at_least: The smallest integer allowed; `None` for no bound.
        at_most: The largest integer allowed; `None` for no bound.
        default: As in `Field`.
    """

    def __init__(
        self,
        *,
        at_least: int | None = None,
        at_most: int | None = None,
        default: Any = _REQUIRED,
    ) -> None:
        super().__init__(default=default)
        self.at_least, self.at_most = at_least, at_most
        if at_least is None:
            self.allowed = "an integer"
        elif at_most is not None:
            self.allowed = f"an integer from {at_least} to {at_most}"
        else:
            named = {0: "an integer that is not negative", 1: "a positive integer"}
            self.allowed = named.get(at_least, f"an integer of at least {at_least}")

    def convert(self, value: Any) -> int:
        _require(isinstance(value, int) and not isinstance(value, bool))
        _require(self.at_least is None or value >= self.at_least)
        _require(self.at_most is None or value <= self.at_most)
        return int(value)


class PositiveInteger(Integer):
    """An integer above 0.

    Args:
        multiple_of: The number that the integer must be a multiple of.
        default: As in `Field`.
    """

    def __init__(self, *, multiple_of: int = 1, default: Any = _REQUIRED) -> None:
        super().__init__(at_least=1, default=default)
        self.multiple_of = multiple_of
        if multiple_of > 1:
            self.allowed = f"a positive multiple of {multiple_of}"

    def convert(self, value: Any) -> int:
        _require(super().convert(value) % self.multiple_of == 0)
        return int(value)


class Number(Field[float, float]):
    """A real number within bounds, as a float; bools and NaN are not accepted.

    Args:
        at_least: The smallest number allowed; `None` for any finite number.
        at_most: The largest number allowed; `None` for any finite number. `math.inf` allows
            infinity.
        below: An exclusive upper bound, instead of `at_most`.
        default: As in `Field`.
    """

    def __init__(
        self,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        below: float | None = None,
        default: Any = _REQUIRED,
    ) -> None:
        super().__init__(default=default)
        self.at_least, self.at_most, self.below = at_least, at_most, below
        bounded = at_most is not None or below is not None
        self.allowed = "a number" if bounded else "a finite number"
        if below is not None:
            self.allowed += f" from {at_least} to below {below}"
        elif at_most not in (None, math.inf):
            self.allowed += f" from {at_least} to {at_most}"
        elif at_least is not None:
            self.allowed += " that is not negative" if at_least == 0 else f" of at least {at_least}"

    def convert(self, value: Any) -> float:
        _require(isinstance(value, int | float) and not isinstance(value, bool))
        number = float(value)
        _require(number >= self.at_least if self.at_least is not None else number > -math.inf)
        _require(number <= self.at_most if self.at_most is not None else number < math.inf)
        _require(self.below is None or number < self.below)
        return number


class PositiveNumber(Number):
    """A finite number above 0."""

    def __init__(self, *, default: Any = _REQUIRED) -> None:
        super().__init__(default=default)
        self.allowed = "a finite number above 0"

    def convert(self, value: Any) -> float:
        _require(super().convert(value) > 0)
        return float(value)


class Numbers(Field[float | Sequence[Any] | np.ndarray | Array, NestedFloats]):
    """A finite number, or an array of them as nested tuples, so that it is hashable.

    Args:
        at_least: The smallest number allowed; `None` for any finite number.
        default: As in `Field`.
    """

    def __init__(self, *, at_least: float | None = None, default: Any = _REQUIRED) -> None:
        super().__init__(default=default)
        self.number = Number(at_least=at_least)
        self.allowed = f"{self.number.allowed} or an array of them"

    def convert(self, value: Any) -> NestedFloats:
        array = np.asarray(value)
        _require(array.size > 0)
        _require(any(jnp.issubdtype(array.dtype, kind) for kind in (jnp.integer, jnp.floating)))
        for number in array.astype(np.float64).flat:
            self.number.convert(float(number))
        return _nested_tuples(array.astype(np.float64).tolist())


class Choice(Field[str, str]):
    """One of several strings.

    Args:
        choices: The strings.
        any_case: Whether case is ignored; the attribute is in lower case.
        default: As in `Field`.
    """

    def __init__(self, *choices: str, any_case: bool = False, default: Any = _REQUIRED) -> None:
        super().__init__(default=default)
        self.choices, self.any_case = choices, any_case
        self.allowed = "one of " + ", ".join(map(repr, choices))

    def convert(self, value: Any) -> str:
        _require(isinstance(value, str))
        chosen = str(value.lower() if self.any_case else value)
        _require(chosen in self.choices)
        return chosen


class DataFormat(Field[str | None, str]):
    """`"channels_last"` or `"channels_first"`, case-insensitive; `None` for the configured one."""

    allowed = "'channels_last', 'channels_first', or None for the configured one"

    def __init__(self) -> None:
        super().__init__(default=None)

    def check(self, owner: object, name: str, value: Any) -> str:
        return config.image_data_format() if value is None else super().check(owner, name, value)

    def convert(self, value: Any) -> str:
        return Choice(*config.DATA_FORMATS, any_case=True).convert(value)


class Text(Field[str, str]):
    """A string that is not empty."""

    allowed = "a string that is not empty"

    def convert(self, value: Any) -> str:
        _require(isinstance(value, str) and value != "")
        return str(value)


class Tuple(Field[Sequence[Any], tuple[Any, ...]]):
    """A sequence of items of one type, as a tuple.

    Args:
        items: The field of an item.
        allowed: For the error message, such as "a tuple of positive integers".
        length: The number of items; `None` for any number.
        default: As in `Field`.
    """

    def __init__(
        self,
        items: Field[Any, Any],
        allowed: str,
        *,
        length: int | None = None,
        default: Any = _REQUIRED,
    ) -> None:
        super().__init__(default=default)
        self.items, self.allowed, self.length = items, allowed, length

    def convert(self, value: Any) -> tuple[Any, ...]:
        values = _as_tuple(value)
        _require(self.length is None or len(values) == self.length)
        return tuple(map(self.items.convert, values))


class IntegerTuple(Field[int | Sequence[int], tuple[int, ...]]):
    """A tuple of integers; a single integer is used for all.

    Args:
        length: The number of integers; `None` for the fields of a base class, whose subclasses
            define it.
        at_least: The smallest integer allowed.
        default: As in `Field`.
    """

    def __init__(
        self, length: int | None = None, *, at_least: int = 1, default: Any = _REQUIRED
    ) -> None:
        super().__init__(default=default)
        self.length, self.item = length, Integer(at_least=at_least)
        self.allowed = f"{self.item.allowed} or a tuple of {_COUNTS.get(length)}"

    def convert(self, value: Any) -> tuple[int, ...]:
        values = (value,) * (self.length or 0) if isinstance(value, int) else _as_tuple(value)
        _require(len(values) == self.length)
        return tuple(map(self.item.convert, values))


class Sides(Field[int | Sequence[int | Sequence[int]], tuple[tuple[int, ...], ...]]):
    """Numbers of positions before and after each axis.

    A single integer is used for both sides of an axis, or for all sides.

    Args:
        rank: The number of axes; `None` for the fields of a base class, whose subclasses define it.
        default: As in `Field`.
    """

    def __init__(self, rank: int | None = None, *, default: Any = _REQUIRED) -> None:
        super().__init__(default=default)
        self.rank, count = rank, _COUNTS.get(rank)
        self.allowed = (
            f"an integer, {count} integers or {count} pairs (before, after), not negative"
        )

    def convert(self, value: Any) -> tuple[tuple[int, ...], ...]:
        pair = IntegerTuple(2, at_least=0)
        values = (value,) * (self.rank or 0) if isinstance(value, int) else _as_tuple(value)
        _require(len(values) == self.rank)
        return tuple(map(pair.convert, values))


class Axes(Field[int | Sequence[int], int | tuple[int, ...]]):
    """An axis or a tuple of axes."""

    allowed = "an integer or a tuple of integers"

    def convert(self, value: Any) -> int | tuple[int, ...]:
        if isinstance(value, int):
            return Integer().convert(value)
        axes = tuple(map(Integer().convert, _as_tuple(value)))
        _require(bool(axes))
        return axes


class Instance(Field[Attribute, Attribute]):
    """An object of a class.

    Args:
        kind: The class.
        allowed: For the error message, such as "a jaxlayers.Layer".
        default: As in `Field`.
    """

    def __init__(self, kind: type, allowed: str, *, default: Any = _REQUIRED) -> None:
        super().__init__(default=default)
        self.kind, self.allowed = kind, allowed

    def convert(self, value: Any) -> Attribute:
        _require(isinstance(value, self.kind))
        instance: Attribute = value
        return instance


class Function(Field[Callable[..., Any], Callable[..., Any]]):
    """A function that can be called with given positional arguments.

    Args:
        arguments: The names of the arguments, such as `"key", "image"`.
        default: As in `Field`.
    """

    def __init__(self, *arguments: str, default: Any = _REQUIRED) -> None:
        super().__init__(default=default)
        self.arguments = arguments
        self.allowed = f"a function of ({', '.join(arguments)})"

    def convert(self, value: Any) -> Callable[..., Any]:
        _require(callable(value))
        function: Callable[..., Any] = value
        try:
            signature = inspect.signature(function)
        except ValueError:  # some functions of extension modules have no signature
            return function
        signature.bind(*self.arguments)
        return function


class Key(Field[Array, Array]):
    """A JAX random key, from `jax.random.key` or `jax.random.PRNGKey`."""

    allowed = "a JAX random key, such as jax.random.key(0)"

    def convert(self, value: Any) -> Array:
        typed = jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
        _require(typed or value.dtype == jnp.uint32)
        _require(len(value.shape) == (0 if typed else 1))
        key: Array = value
        return key


class Identifier(Field[Any, Any]):
    """One of Keras's names or a function; the value is stored unchanged.

    Args:
        get: Returns the function of an identifier, or raises an error that lists the known
            names, such as `initializers.get`.
        arguments: Names of the arguments of the function, such as `("x",)`.
        default: As in `Field`.
    """

    def __init__(
        self, get: Callable[[Any], Any], *arguments: str, default: Any = _REQUIRED
    ) -> None:
        super().__init__(default=default)
        self.get, self.function = get, Function(*arguments)

    def check(self, owner: object, name: str, value: Any) -> Any:
        try:
            function = self.get(value)
        except (ValueError, TypeError) as error:
            raise type(error)(f"{owner}: {name}: {error}") from None
        if callable(value):
            self.function.check(owner, name, function)
        return value


class Optional(Field[Accepted | None, Attribute | None]):
    """The values of another field, or `None`, which is the default.

    Args:
        field: The other field.
    """

    def __init__(self, field: Field[Accepted, Attribute]) -> None:
        super().__init__(default=None)
        self.field, self.allowed = field, f"{field.allowed} or None"

    def convert(self, value: Any) -> Attribute | None:
        return None if value is None else self.field.convert(value)


OptionalIntegers = Optional[int | Sequence[int], tuple[int, ...]]
"""The type of an `Optional` of an `IntegerTuple`."""


def _require(allowed: bool) -> None:
    """Raises the error of `convert` unless `allowed`."""
    if not allowed:
        raise ValueError


def _as_python(value: Any) -> Any:
    """Converts a NumPy or JAX scalar to a Python number."""
    is_concrete = isinstance(value, jax.Array) and not isinstance(value, jax.core.Tracer)
    if isinstance(value, np.generic) or (
        is_concrete and value.shape == () and not jnp.issubdtype(value.dtype, jax.dtypes.extended)
    ):
        return value.item()
    return value


def _as_tuple(value: Any) -> tuple[Any, ...]:
    _require(isinstance(value, Iterable) and not isinstance(value, str | bytes | dict))
    return tuple(map(_as_python, value))


def _nested_tuples(value: Any) -> NestedFloats:
    return tuple(map(_nested_tuples, value)) if isinstance(value, list) else value
