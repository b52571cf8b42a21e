"""The summary table of a model, as in Keras."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax

from jaxlayers._any_size import with_size
from jaxlayers._structure import flatten_shapes
from jaxlayers.composition import Composition
from jaxlayers.freezing import trainable
from jaxlayers.layer import Layer, Params, State
from jaxlayers.layers.wrapper import Wrapper, unwrapped

_HEADER = ("Layer (type)", "Output Shape", "Param #", "Connected to")
# The column of numbers, which is aligned to the right.
_COUNTS = 2


def summarize(model: Composition, input_shape: Any) -> str:
    """Returns the summary table of a model.

    Args:
        model: The model; the layers of nested models are indented.
        input_shape: Shape of one example of the input, with `None` for any size.

    Returns:
        The table as text, with one row per layer that has its name, class, output shape (`None` for
        the batch), number of parameters and, unless the model is a chain of layers, its inputs. The
        rows are followed by the totals and their size in memory.
    """
    shape = with_size(input_shape)
    params, state = jax.eval_shape(lambda key: model.init(key, shape), jax.random.key(0))
    mask = jax.tree.leaves(trainable(model, params))
    pairs = list(zip(jax.tree.leaves(params), mask, strict=True))
    updated = [array for array, is_trainable in pairs if is_trainable]
    other = [array for array, is_trainable in pairs if not is_trainable] + _arrays(state)
    columns = 3 if model.connections() is None else 4
    rows = [_HEADER, *_rows(model, input_shape, params, state)]
    return "\n".join(
        [
            f'Model: "{model.name}"',
            *_table([row[:columns] for row in rows]),
            f" Total params: {_total(updated + other)}",
            f" Trainable params: {_total(updated)}",
            f" Non-trainable params: {_total(other)}",
        ]
    )


def _rows(
    model: Composition,
    input_shape: Any,
    params: Params,
    state: State,
    indent: str = "",
) -> Iterator[tuple[str, ...]]:
    # As in Keras, the layers of nested models have no connections.
    connections = (None if indent else model.connections()) or ["-"] * len(model)
    for (name, layer), (inner, output), connected in zip(
        model.items(), model.layer_shapes(input_shape), connections, strict=True
    ):
        inside = params.get(name, {}), state.get(name, {})
        count = sum(math.prod(a.shape) for part in inside for a in _arrays(part))
        label = f"{indent}{name} ({_class_names(layer)})"
        yield label, _batch_shapes(output), f"{count:,}", connected
        model_inside = unwrapped(layer)
        if isinstance(model_inside, Composition):
            yield from _rows(model_inside, inner, *inside, indent=f"{indent}   ")


def _class_names(layer: Layer) -> str:
    """Returns the class of a layer, such as `Frozen(Dense)` for a layer in a wrapper."""
    name = type(layer).__name__
    return f"{name}({_class_names(layer.layer)})" if isinstance(layer, Wrapper) else name


def _batch_shapes(shapes: Any) -> str:
    """Returns shapes with the batch, `[...]` around several, as in Keras."""
    texts = [f"({', '.join(map(str, (None, *shape)))})" for shape in flatten_shapes(shapes)]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def rule(left: str, line: str, cross: str, right: str) -> str:
        return left + cross.join(line * (width + 2) for width in widths) + right

    def cells(row: tuple[str, ...], bar: str) -> str:
        texts = [
            text.rjust(width) if column == _COUNTS else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
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
