"""One value, a tuple of values, or a dictionary of values by name.

These are the forms of the inputs and outputs of layers. The values themselves are not tuples,
except for shapes, for which there are separate functions.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn


class FrozenDict(dict[str, Any]):
    """A dictionary that cannot be changed and is hashable, for the fields of layers.

    Layers are not called with it, because JAX does not treat it as a tree.
    """

    def __hash__(self) -> int:  # type: ignore[override]  # that of dict is None
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (dict(self),)

    def _refuse(self, *arguments: Any, **values: Any) -> NoReturn:
        raise TypeError("this dictionary cannot be changed; use dict(...) to copy it")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse


def flatten(values: Any) -> list[Any]:
    """Returns the values in order; those of a dictionary are in the order of their sorted names."""
    if isinstance(values, Mapping):
        return [values[name] for name in sorted(values)]
    return list(values) if isinstance(values, tuple | list) else [values]


def unflatten(like: Any, values: Sequence[Any]) -> Any:
    """Returns values in the form of `like`, in the order of `flatten`."""
    if isinstance(like, Mapping):
        by_name = dict(zip(sorted(like), values, strict=True))
        return {name: by_name[name] for name in like}
    if isinstance(like, tuple | list):
        return tuple(values)
    (value,) = values
    return value


def flatten_shapes(shapes: Any) -> list[tuple[int, ...]]:
    """Returns the shapes in the order of `flatten`."""
    return [tuple(shape) for shape in flatten(shapes if are_several_shapes(shapes) else [shapes])]


def unflatten_like_shapes(like: Any, values: Sequence[Any]) -> Any:
    """Returns values in the form of the shapes `like`."""
    return unflatten(like if are_several_shapes(like) else None, values)


def are_several_shapes(shapes: Any) -> bool:
    """Returns whether a value is a tuple or dictionary of shapes instead of one shape."""
    if not isinstance(shapes, tuple | list):
        return isinstance(shapes, Mapping)
    return bool(shapes) and all(isinstance(shape, tuple | list) for shape in shapes)
