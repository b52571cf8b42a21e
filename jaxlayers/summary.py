"""The summary table of a model, as in Keras."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import jax
from jax import Array

from jaxlayers.layer import Layer, Params, Shape, State


@runtime_checkable
class Composition(Protocol):
    """A model that consists of named layers."""

    @property
    def name(self) -> str:
        """Name of the model."""
        ...

    def init(self, key: Array, input_shape: Sequence[int]) -> tuple[Params, State]:
        """Initializes the params and the state, dictionaries by layer name."""
        ...

    def items(self) -> Iterable[tuple[str, Layer]]:
        """Returns the layers with their names, in order."""
        ...

    def shapes(self, input_shape: Sequence[int]) -> Iterable[Shape]:
        """Returns the output shape of each layer."""
        ...

    def summary(self) -> str:
        """Returns Keras's summary table of the model."""
        ...


_HEADER = ("Layer (type)", "Output Shape", "Param #")


def summarize(model: Composition, input_shape: Sequence[int]) -> str:
    """Returns the summary table of a Sequential.

    Args:
        model: The Sequential; the layers of nested models are indented.
        input_shape: Shape of one example.

    Returns:
        The table as text: one row per layer with its name, class, output shape (`None` for the
        batch) and number of parameters, followed by the totals and their size in memory.
    """
    params, state = jax.eval_shape(lambda key: model.init(key, input_shape), jax.random.key(0))
    trainable, other = _arrays(params), _arrays(state)
    return "\n".join(
        [
            f'Model: "{model.name}"',
            *_table([_HEADER, *_rows(model, input_shape, params, state)]),
            f" Total params: {_total(trainable + other)}",
            f" Trainable params: {_total(trainable)}",
            f" Non-trainable params: {_total(other)}",
        ]
    )


def _rows(
    model: Composition, input_shape: Sequence[int], params: Params, state: State, indent: str = ""
) -> Iterator[tuple[str, str, str]]:
    shape = tuple(input_shape)
    for (name, layer), output in zip(model.items(), model.shapes(shape), strict=True):
        inside = params.get(name, {}), state.get(name, {})
        count = sum(math.prod(a.shape) for part in inside for a in _arrays(part))
        label = f"{indent}{name} ({type(layer).__name__})"
        yield label, f"({', '.join(map(str, (None, *output)))})", f"{count:,}"
        if isinstance(layer, Composition):
            yield from _rows(layer, shape, *inside, indent=f"{indent}   ")
        shape = output


def _table(rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def rule(left: str, line: str, cross: str, right: str) -> str:
        return left + cross.join(line * (width + 2) for width in widths) + right

    def cells(row: tuple[str, str, str], bar: str) -> str:
        name, shape, count = row
        texts = (name.ljust(widths[0]), shape.ljust(widths[1]), count.rjust(widths[2]))
        return f"{bar} {f' {bar} '.join(texts)} {bar}"

    header, *body = rows
    yield rule("┏", "━", "┳", "┓")
    yield cells(header, "┃")
    yield rule("┡", "━", "╇", "┩")
    for row in body:
        yield cells(row, "│")
    yield rule("└", "─", "┴", "┘")


def _arrays(tree: Any) -> list[jax.ShapeDtypeStruct]:
    """Returns the arrays of a tree except activity penalties."""
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [leaf for path, leaf in paths if path[-1].key != "activity_penalty"]


def _total(arrays: Sequence[jax.ShapeDtypeStruct]) -> str:
    count = sum(math.prod(a.shape) for a in arrays)
    size = float(sum(math.prod(a.shape) * a.dtype.itemsize for a in arrays))
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024 or unit == "GB":
            break
        size /= 1024
    return f"{count:,} ({size:.2f} {unit})"
