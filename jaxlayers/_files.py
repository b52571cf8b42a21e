"""Atomic writes of files, and the cache folder."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from jaxlayers._text import short_repr


def cache_folder() -> Path:
    """Returns `$JAXLAYERS_CACHE`, else `$XDG_CACHE_HOME/jaxlayers`, else `~/.cache/jaxlayers`."""
    if own := os.environ.get("JAXLAYERS_CACHE"):
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(shared).expanduser() / "jaxlayers"


@contextmanager
def write_atomically(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a temporary file that replaces `path` when the block ends without an error.

    The temporary file is in the same folder, because a rename is atomic only within a file
    system. After an error it is removed, and an existing file at `path` is unchanged.

    Args:
        path: The file to write; an existing one is replaced.

    Yields:
        A binary file, open for writing.

    Raises:
        FileNotFoundError: If the folder of `path` does not exist.
        IsADirectoryError: If `path` is a folder.
        OSError: If the file cannot be written; the message has `path` as it was passed.

    Example:
        >>> with write_atomically("notes.txt") as file:
        ...     _ = file.write(b"complete")
        >>> Path("notes.txt").read_text()
        'complete'
    """
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"{path}: is a folder, not a file")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder {target.parent} does not exist")
    temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        file = temporary.open("xb")
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None
    try:
        with file:
            yield file
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def as_path(path: object, caller: str) -> Path:
    """Checks the argument `path` of a function and returns it as a `Path`.

    Args:
        path: The argument.
        caller: The name of the function, for the error message.

    Raises:
        TypeError: If it is neither a string nor an `os.PathLike` of one.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"{caller}: path must be a str or an os.PathLike, got {short_repr(path)} "
            f"({type(path).__name__})"
        )
    return Path(path)
