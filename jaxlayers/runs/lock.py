"""A lock on a folder, released when the process that holds it ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NAME = ".lock"


class FolderInUseError(FileExistsError):
    """Raised if another process or thread writes to the folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks an existing folder, and removes the lock file at the end.

    The lock is `flock` of the operating system, which is released even if the process is killed, so
    that no file has to be removed manually. If `flock` is not available (Windows), the folder is
    not locked.

    Args:
        folder: An existing folder.

    Raises:
        FolderInUseError: If another process holds the lock.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    path = folder / _NAME
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise FolderInUseError(
                f"{folder}: another run is writing to this folder (process {holder}). Wait until "
                "it ends, stop it, or use another folder for this run"
            ) from error
        # The previous holder may have removed the file between open and flock.
        if _refers_to(descriptor, path):
            break
        os.close(descriptor)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def is_lock(path: Path) -> bool:
    """Returns whether a path is a lock file."""
    return path.name == _NAME


def _refers_to(descriptor: int, path: Path) -> bool:
    """Returns whether a path refers to the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
