"""Values in an ONNX graph, and the order in which their axes are stored."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Order = tuple[int, ...]


def logical_order(rank: int) -> Order:
    """Returns the order of axes that are stored as the layers of a model see them."""
    return tuple(range(rank))


@dataclass(frozen=True)
class Tensor:
    """A value in an ONNX graph.

    ONNX's convolutions and pooling are channels-first. Instead of transposing around each of them,
    a tensor records the order in which its axes are stored: (0, 3, 1, 2) for the images
    [batch, height, width, channels] of a model that are stored channels-first. Shapes and axes are
    those that the layers of the model see, unless they are said to be stored.

    Args:
        name: Name in the graph.
        shape: Shape of one example.
        order: The axes in the order in which they are stored, counting the batch, which is first.
        dtype: Name of the dtype.
    """

    name: str
    shape: tuple[int, ...]
    order: Order
    dtype: str = "float32"

    @property
    def rank(self) -> int:
        """The number of axes, counting the batch."""
        return len(self.shape) + 1

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """The shape of one example, in the order in which its axes are stored."""
        return self.stored_shape_in(self.order)

    def stored_shape_in(self, order: Order) -> tuple[int, ...]:
        """Returns the shape of one example with the axes stored in another order."""
        return tuple(self.shape[axis - 1] for axis in order[1:])

    def position(self, axis: int) -> int:
        """Returns where an axis is stored; the axis counts the batch and may be negative."""
        return self.order.index(axis % self.rank)

    def has_same_memory_in(self, order: Order) -> bool:
        """Returns whether another order has the same values in the same places of the memory.

        It does if only axes of size 1 are elsewhere.
        """

        def of_several(order: Order) -> Order:
            return tuple(axis for axis in order if axis == 0 or self.shape[axis - 1] != 1)

        return of_several(order) == of_several(self.order)

    def stored_as(self, name: str, stored_shape: Sequence[int]) -> "Tensor":
        """Returns a tensor with another shape of one example, stored in the same order."""
        sizes = dict(zip(self.order[1:], stored_shape, strict=True))
        shape = tuple(sizes[axis] for axis in range(1, self.rank))
        return dataclasses.replace(self, name=name, shape=shape)

    def along(self, axes: Sequence[int], weight: Any) -> np.ndarray:
        """Returns an array with some of the axes in a form that is broadcast to the stored tensor.

        Args:
            axes: The axes, in increasing order, counting the batch.
            weight: An array with these axes.
        """
        sizes = (1, *self.shape)
        shape = [size if axis in axes else 1 for axis, size in enumerate(sizes)]
        return np.asarray(weight).reshape(shape).transpose(self.order)
