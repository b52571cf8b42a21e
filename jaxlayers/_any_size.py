"""Shapes in which `None` is any size, such as those of images."""

from typing import Any, Protocol

from jaxlayers._structure import flatten_shapes, unflatten_like_shapes

# Sizes that represent any size. They are larger than the windows of convolutions and pooling, and
# multiples of all strides in practice.
_SIZES = (512, 1024)


class _Layer(Protocol):
    def output_shape(self, input_shape: Any) -> Any: ...


def has_any_size(shapes: Any) -> bool:
    """Returns whether a shape, or one in a tuple or dictionary of shapes, contains `None`."""
    return any(None in shape for shape in flatten_shapes(shapes))


def output_shape(layer: _Layer, input_shape: Any) -> Any:
    """Returns the output shape of a layer, which has `None` where it depends on one in the input.

    Args:
        layer: The layer.
        input_shape: As for `layer.output_shape`, with `None` for any size.

    Raises:
        ValueError: If the layer does not accept the shape.
    """
    if not has_any_size(input_shape):
        return layer.output_shape(input_shape)
    first, second = (layer.output_shape(with_size(input_shape, size)) for size in _SIZES)
    pairs = zip(flatten_shapes(first), flatten_shapes(second), strict=True)
    merged = [tuple(a if a == b else None for a, b in zip(*pair, strict=True)) for pair in pairs]
    return unflatten_like_shapes(first, merged)


def with_size(shapes: Any, size: int = _SIZES[0]) -> Any:
    """Returns a shape, or several, with a size in place of `None`."""
    sized = [tuple(size if d is None else d for d in shape) for shape in flatten_shapes(shapes)]
    return unflatten_like_shapes(shapes, sized)
