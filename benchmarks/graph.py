"""The layers of a `Functional` as a list, to construct the same model in other libraries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxlayers import Functional, Layer, layers
from jaxlayers._structure import flatten

Pair = tuple[int, int]


@dataclass(frozen=True)
class Step:
    """A layer, with the names of its inputs and the shapes of one example.

    `padding` is that of the window along height and width. It includes a preceding `ZeroPadding2D`,
    which the other libraries do not need.
    """

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    input_shape: Any
    output_shape: Any
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0))


def steps(model: Functional) -> tuple[Step, ...]:
    """Returns the layers of a model in order; each must be called once."""
    found: list[Step] = []
    padded: dict[str, tuple[str, tuple[Pair, Pair]]] = {}
    for (name, layer, calls), shapes in zip(model.nodes, model.layer_shapes(), strict=True):
        if not calls:
            continue
        (call,) = calls
        inputs = tuple(output.layer for output in flatten(call))
        if isinstance(layer, layers.ZeroPadding2D):
            padded[name] = inputs[0], layer.padding
            continue
        padding = ((0, 0), (0, 0))
        if inputs[0] in padded:
            (before, padding) = padded[inputs[0]]
            inputs = (before,)
        elif getattr(layer, "padding", "valid") == "same":
            padding = _same(layer, shapes[0][:2], shapes[1][:2])
        found.append(Step(name, layer, inputs, *shapes, padding))
    return tuple(found)


def _same(layer: Any, sizes: Sequence[int], windows: Sequence[int]) -> tuple[Pair, Pair]:
    """Returns the zeros that `padding="same"` adds before and after height and width."""
    totals = [
        max(0, (count - 1) * stride + kernel - size)
        for count, stride, kernel, size in zip(
            windows, layer.strides, layer.kernel_size, sizes, strict=True
        )
    ]
    height, width = ((total // 2, total - total // 2) for total in totals)
    return height, width
