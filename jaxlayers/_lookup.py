"""From a Keras name, a class or an object to the function that a layer calls."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any


def resolve(kind: str, table: Mapping[str, Any], identifier: Any) -> Callable[..., Any]:
    """Returns the callable that `identifier` stands for.

    Args:
        kind: what is looked up ("activation", "initializer", ...), for the error message.
        table: Keras's names and what they mean: functions, or classes that are called without
            arguments to make the function.
        identifier: a name in `table`, a class, or any callable.

    Raises:
        ValueError: a name that `table` does not have.
        TypeError: neither a name nor a callable.
    """
    found: Any = identifier
    if isinstance(identifier, str):
        if identifier not in table:
            near = difflib.get_close_matches(identifier, table, n=3)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
            raise ValueError(
                f"unknown {kind} {identifier!r}{hint} Known names: {', '.join(sorted(table))}"
            )
        found = table[identifier]
    if inspect.isclass(found):
        found = found()
    if not callable(found):
        raise TypeError(
            f"{kind} must be one of Keras's names or a callable, "
            f"got {identifier!r} ({type(identifier).__name__})"
        )
    function: Callable[..., Any] = found
    return function
