"""Lookup of functions by Keras's name, class or object."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any


def resolve(kind: str, table: Mapping[str, Any], identifier: Any) -> Callable[..., Any]:
    """Returns the callable with the given identifier.

    Args:
        kind: The kind of function for the error message, such as `"activation"`.
        table: A dictionary from Keras's names to functions, or to classes that are called without
            arguments to construct the function.
        identifier: A name in `table`, a class, or any callable.

    Returns:
        The callable; classes are instantiated.

    Raises:
        ValueError: If the name is not in `table`.
        TypeError: If it is neither a name nor a callable, or it is a layer.
    """
    found: Any = identifier
    if isinstance(identifier, str):
        if identifier not in table:
            matches = difflib.get_close_matches(identifier, table, n=3)
            hint = f"; did you mean {' or '.join(map(repr, matches))}?" if matches else "."
            raise ValueError(
                f"unknown {kind} {identifier!r}{hint} Known names: {', '.join(sorted(table))}"
            )
        found = table[identifier]
    if inspect.isclass(found):
        found = found()
    # Layers are callable, but only with symbolic tensors.
    is_layer = hasattr(found, "init") and hasattr(found, "apply")
    if not callable(found) or is_layer:
        raise TypeError(
            f"{kind} must be one of Keras's names or a callable, "
            f"got {identifier!r} ({type(identifier).__name__})"
        )
    function: Callable[..., Any] = found
    return function
