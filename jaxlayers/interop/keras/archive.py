"""The zip that a `.keras` file is; what is in it never goes to the disk."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"

# JSON of a model of thousands of layers.
_LARGEST_CONFIG = 2**24
_LARGEST_METADATA = 2**16
# Weights hardly compress; those that are all zero, as before any training, do.
_SMALL = 2**24
_LARGEST_GROWTH = 20
_MOST_MEMBERS = 10_000


def read_members(path: Path) -> dict[str, bytes]:
    """Returns config, weights and, if it is there, metadata of a `.keras` archive, by their names.

    Args:
        path: the archive.

    Raises:
        ValueError: no zip, a truncated or damaged one, members that would leave the folder they
            are unpacked to, or ones that grow more than weights can.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            if len(names) > _MOST_MEMBERS or len(set(names)) != len(names):
                raise ValueError("holds too many files, or two of one name")
            for name in names:
                if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
                    raise ValueError(f"holds a file outside of the archive, {name[:100]!r}")
            if CONFIG not in names:
                raise ValueError(f"holds no {CONFIG}; it is no Keras model")
            if WEIGHTS not in names:
                others = [name for name in names if name.startswith("model.weights")]
                raise ValueError(f"holds no {WEIGHTS}, which is the only form read; got {others}")
            limits = {
                CONFIG: _LARGEST_CONFIG,
                METADATA: _LARGEST_METADATA,
                WEIGHTS: max(_SMALL, _LARGEST_GROWTH * path.stat().st_size),
            }
            return {
                name: _bounded(archive, name, limit)
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
        raise ValueError(f"is no zip archive, or a damaged one: {error}") from None


def write_members(members: Mapping[str, bytes], path: Path) -> None:
    """Writes an archive; it appears under its name only when it is whole.

    The same members make the same bytes.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            for name, content in members.items():
                # Without a date of its own an entry has that of the first day of zip.
                archive.writestr(zipfile.ZipInfo(name), content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _bounded(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    member = archive.getinfo(name)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"holds {name} in a compression that Keras does not use")
    if member.file_size > limit:
        raise ValueError(
            f"holds {name}, which says that it has {member.file_size:,} bytes; at most "
            f"{limit:,} are read of this file"
        )
    with archive.open(member) as file:
        # What a member says of its size may be too little as well.
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"holds {name}, which is larger than it says")
    return content
