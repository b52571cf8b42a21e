"""Download of files into a cache, with checksums."""

import contextlib
import gzip
import hashlib
import http.client
import logging
import shutil
import urllib.request
import zlib
from pathlib import Path
from typing import BinaryIO

from jaxlayers._files import cache_folder, write_atomically

_TIMEOUT = 10.0  # seconds without a byte
_logger = logging.getLogger(__name__)


def fetch(url: str, filename: str, md5: str, *, unpacked: bool = False) -> Path:
    """Returns the path of a file in the cache, downloading it if necessary.

    Several processes can fetch a file at the same time, because it is written atomically after its
    checksum has been verified. A cached file is verified again, and replaced if damaged.

    Args:
        url: The URL of the file.
        filename: Path inside `cache_folder()`.
        md5: MD5 in hexadecimal. It detects damaged and replaced files, because no practical attack
            finds another file with a given MD5.
        unpacked: Whether `md5` is that of the decompressed content of a gzip file, whose header may
            differ between hosts.

    Raises:
        ConnectionError: If the file cannot be downloaded.
        ValueError: If the downloaded file has another checksum. It is not kept.
        OSError: If the cache cannot be written.

    Example:
        >>> fetch("https://host/cats.npz", "cats.npz", md5="9e107d...")  # doctest: +SKIP
        PosixPath('/home/ada/.cache/jaxlayers/cats.npz')
    """
    path = cache_folder() / filename
    if path.is_file() and _digest(path, unpacked) == md5:
        return path
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(write_atomically(path))
        except OSError as error:
            raise OSError(
                f"the cache folder {path.parent} cannot be written ({error}); "
                "set JAXLAYERS_CACHE to a writable one"
            ) from error
        _download(url, file)
        got = _digest(Path(file.name), unpacked)
        if got != md5:
            raise ValueError(
                f"{url}: expected MD5 {md5}, got {got}; the download was deleted. "
                "A proxy may have answered instead, or the published file has changed"
            )
    return path


def _download(url: str, file: BinaryIO) -> None:
    _logger.info("fetching %s", url)
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
            shutil.copyfileobj(response, file)
            length = response.headers.get("Content-Length")
        file.flush()
        if length is not None and file.tell() < int(length):
            raise ConnectionError(f"ended after {file.tell()} of {length} bytes")
    except (OSError, http.client.HTTPException) as error:
        raise ConnectionError(
            f"could not fetch {url} ({error}). Without a network, use mnist-5k, or the path of "
            "a folder of IDX files, of an .npz or .npy file, or of a folder or .zip of images"
        ) from error


def _digest(path: Path, unpacked: bool) -> str:
    try:
        with gzip.open(path) if unpacked else path.open("rb") as file:
            return hashlib.file_digest(file, _md5).hexdigest()
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return "none, since it is not a whole gzip file"


def _md5() -> "hashlib._Hash":
    # FIPS systems reject MD5 unless it is declared as not used for security.
    return hashlib.md5(usedforsecurity=False)
