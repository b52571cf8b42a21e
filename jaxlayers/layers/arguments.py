"""What layers do with their arguments: bring them to one form, and refuse what Keras refuses."""

from collections.abc import Iterable, Sequence
from typing import Any

from jax import Array

from jaxlayers import config

# Types of fields that hold what the caller gave until `__post_init__` has brought it to one form,
# which no annotation says: one integer or two becomes two, None the configured data format.
IntOrPair = Any
DataFormat = Any

IMAGE_AXES = {
    "channels_last": ("height", "width", "channels"),
    "channels_first": ("channels", "height", "width"),
}


def settle(layer: object, **values: Any) -> None:
    """Sets fields of a frozen dataclass; for `__post_init__`, which brings them to one form."""
    for name, value in values.items():
        object.__setattr__(layer, name, value)


def refuse(layer: object, name: str, allowed: str, value: Any) -> ValueError:
    """Returns the error for an argument `name` of `layer` that is not `allowed`."""
    return ValueError(f"{type(layer).__name__}: {name} must be {allowed}, got {value!r}")


def is_integer(value: Any) -> bool:
    """Whether `value` is an int; True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether `value` is an int or a float; True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_tuple(value: Any) -> tuple[Any, ...] | None:
    """Returns a list, tuple or other sequence as a tuple; `None` for what is none."""
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else None


def positive(layer: object, name: str) -> int:
    """Returns the argument `name`, an integer above 0."""
    value = getattr(layer, name)
    if not is_integer(value) or value <= 0:
        raise refuse(layer, name, "a positive integer", value)
    return int(value)


def pair(layer: object, name: str, minimum: int = 1) -> tuple[int, int]:
    """Returns the argument `name`, an integer or two, as two of at least `minimum`."""
    value = getattr(layer, name)
    both = (value, value) if is_integer(value) else as_tuple(value)
    if both is None or len(both) != 2 or not all(is_integer(v) and v >= minimum for v in both):
        kind = "positive integer" if minimum == 1 else "integer that is not negative"
        raise refuse(layer, name, f"a {kind} or a tuple of two", value)
    return both


def non_negative(layer: object, name: str) -> float:
    """Returns the argument `name`, a number that is not negative."""
    value = getattr(layer, name)
    if not is_number(value) or not value >= 0:
        raise refuse(layer, name, "a number that is not negative", value)
    return float(value)


def choice(layer: object, name: str, allowed: Sequence[str], any_case: bool = False) -> str:
    """Returns the argument `name`, one of the strings `allowed`."""
    value = getattr(layer, name)
    chosen = value.lower() if any_case and isinstance(value, str) else value
    if chosen not in allowed:
        raise refuse(layer, name, "one of " + ", ".join(map(repr, allowed)), value)
    return str(chosen)


def data_format(layer: Any) -> str:
    """Returns the argument `data_format`, or the configured one where it is `None`."""
    if layer.data_format is None:
        return config.image_data_format()
    return choice(layer, "data_format", config.DATA_FORMATS, any_case=True)


def example_shape(layer: object, input_shape: Sequence[int], *axes: str) -> tuple[int, ...]:
    """Returns `input_shape` as a tuple, having checked it.

    Args:
        layer: for the error message.
        input_shape: shape of one example.
        axes: the names of the axes it must have; any number of axes where there are none.
    """
    shape = as_tuple(input_shape)
    if shape is None:
        raise ValueError(
            f"{layer!r}: input_shape must be a tuple of integers, the shape of one example, "
            f"got {input_shape!r}"
        )
    if axes and len(shape) != len(axes):
        batch = ", without the batch" if len(shape) == len(axes) + 1 else ""
        raise ValueError(
            f"{layer!r}: needs examples of shape ({', '.join(axes)}){batch}, got {shape}"
        )
    # Symbolic dimensions of jax.export are neither int nor comparable; they pass.
    if any(isinstance(d, str | float | None) or (isinstance(d, int) and d < 0) for d in shape):
        raise ValueError(
            f"{layer!r}: input_shape must hold integers that are not negative, got {shape}"
        )
    return shape


def shape_of_examples(layer: object, x: Array, *axes: str) -> tuple[int, ...]:
    """Returns the shape of one example of `x`, having checked that it has a batch axis.

    Args:
        layer: for the error message.
        x: [batch, *axes].
        axes: the names of the axes after the batch; any number where there are none.
    """
    if not hasattr(x, "ndim"):
        raise TypeError(f"{layer!r}: x must be an array, got {type(x).__name__}; use jnp.asarray")
    if x.ndim == 0 or (axes and x.ndim != len(axes) + 1):
        hint = "; for one example pass x[None]" if x.ndim == len(axes) else ""
        raise ValueError(
            f"{layer!r}: x must be [{', '.join(('batch', *(axes or ('...',))))}], "
            f"got an array of shape {x.shape}{hint}"
        )
    return tuple(x.shape[1:])


def same_shape(layer: object, input_shape: Sequence[int]) -> tuple[int, ...]:
    """The `output_shape` of layers that keep any shape."""
    return example_shape(layer, input_shape)
