"""A lock on a folder that ends with the process that has it, however that ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NAME = ".lock"


class FolderInUseError(FileExistsError):
    """Another process, or another thread, writes into a folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of an existing folder; the file of the lock is removed at the end.

    The lock is the operating system's (`flock`): it ends with the process, also if that is
    killed, so that nothing has to be removed by hand. Where there is no `flock` (Windows),
    nothing is locked.

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
                f"{folder}: another run is writing into this folder (process {holder}). Wait for "
                "its end, stop it, or give this run another folder"
            ) from error
        # The previous holder may have removed the file between the opening and the locking.
        if _is_at(descriptor, path):
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
    """Whether a path is the file of such a lock."""
    return path.name == _NAME


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one that has the path now."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
