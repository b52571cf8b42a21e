"""The zip archive of a `.keras` file, which is read in memory and not unpacked to disk."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from jaxlayers._files import write_atomically

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"

# The config of a model with thousands of layers is smaller.
_MAX_CONFIG_BYTES = 2**24
_MAX_METADATA_BYTES = 2**16
# Trained weights hardly compress, unlike weights that are initialized to zeros.
_MIN_WEIGHTS_LIMIT = 2**24
_MAX_COMPRESSION = 20
_MAX_MEMBERS = 10_000


def read_members(path: Path) -> dict[str, bytes]:
    """Returns the config, the weights and, if present, the metadata of an archive by name.

    Args:
        path: The archive.

    Raises:
        ValueError: If it is not a zip archive, it is damaged, or a member has a path outside the
            archive or is larger than weights can be.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            if len(names) > _MAX_MEMBERS or len(set(names)) != len(names):
                raise ValueError("contains too many files, or two with the same name")
            for name in names:
                if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
                    raise ValueError(f"contains a path outside the archive, {name[:100]!r}")
            if CONFIG not in names:
                raise ValueError(f"contains no {CONFIG}; it is not a Keras model")
            if WEIGHTS not in names:
                others = [name for name in names if name.startswith("model.weights")]
                raise ValueError(f"contains no {WEIGHTS}, the only format supported; got {others}")
            limits = {
                CONFIG: _MAX_CONFIG_BYTES,
                METADATA: _MAX_METADATA_BYTES,
                WEIGHTS: max(_MIN_WEIGHTS_LIMIT, _MAX_COMPRESSION * path.stat().st_size),
            }
            return {
                name: _read_bounded(archive, name, limit)
                for name, limit in limits.items()
                if name in names
            }
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        RuntimeError,  # encrypted
        NotImplementedError,
        UnicodeDecodeError,
        OverflowError,
    ) as error:
        raise ValueError(f"is not a zip archive, or is damaged: {error}") from None


def write_members(members: Mapping[str, bytes], path: Path) -> None:
    """Writes an archive atomically; equal members give identical files."""
    with write_atomically(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            # A ZipInfo without a date has a constant date.
            archive.writestr(zipfile.ZipInfo(name), content)


def _read_bounded(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    member = archive.getinfo(name)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"contains {name} with a compression method that Keras does not use")
    if member.file_size > limit:
        raise ValueError(
            f"contains {name} with a declared size of {member.file_size:,} bytes; at most "
            f"{limit:,} are read from this file"
        )
    with archive.open(member) as file:
        # The declared size may also be too small.
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"contains {name}, which is larger than its declared size")
    return content
