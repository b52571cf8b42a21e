"""Settings of the process: Keras's `image_data_format`, and the library for CPU convolutions."""

import functools
import json
import os
import warnings
from pathlib import Path

DATA_FORMATS = ("channels_last", "channels_first")
CPU_CONVOLUTIONS = ("auto", "onednn", "xla")

_configured: str | None = None
_cpu_convolutions: str | None = None


def image_data_format() -> str:
    """Returns the data format of layers that are constructed without one.

    It is the value passed to `set_image_data_format`, if any; otherwise the one in Keras's
    configuration file, `keras.json` in the folder `KERAS_HOME` or, if that variable is not set, in
    `~/.keras`; otherwise `"channels_last"`.

    Returns:
        `"channels_last"` or `"channels_first"`.

    Raises:
        ValueError: If the configuration file contains any other data format.
    """
    return _configured or _read_data_format(_keras_json())


def set_image_data_format(data_format: str) -> None:
    """Sets the data format of layers that are constructed without one, for this process.

    Layers read it when they are constructed; existing layers do not change.

    Args:
        data_format: `"channels_last"` or `"channels_first"`, case-insensitive.

    Raises:
        ValueError: If it is any other value.
    """
    global _configured
    if str(data_format).lower() not in DATA_FORMATS:
        raise ValueError(
            f"set_image_data_format: data_format must be one of {DATA_FORMATS}, got {data_format!r}"
        )
    _configured = data_format.lower()


def cpu_convolutions(library: str) -> None:
    """Sets the library that computes convolutions on the CPU, for this process.

    It applies to functions that are compiled from now on; compiled functions are not changed.
    Without a call of this function, the environment variable `JAXLAYERS_CPU_CONVOLUTIONS` decides,
    else `"auto"`.

    Args:
        library: `"auto"` for oneDNN where it has been tested and XLA elsewhere; `"onednn"` for the
            same, with an error where oneDNN cannot be used; `"xla"` for XLA's operations only.

    Raises:
        ValueError: If it is any other value.
    """
    global _cpu_convolutions
    _cpu_convolutions = _allowed("cpu_convolutions: library", library)


def get_cpu_convolutions() -> str:
    """Returns the library that computes convolutions on the CPU, see `cpu_convolutions`.

    Returns:
        `"auto"`, `"onednn"` or `"xla"`.

    Raises:
        ValueError: If the environment variable has any other value.
    """
    name = "JAXLAYERS_CPU_CONVOLUTIONS"
    return _cpu_convolutions or _allowed(name, os.environ.get(name) or "auto")


def _allowed(name: str, library: str) -> str:
    if library not in CPU_CONVOLUTIONS:
        raise ValueError(f"{name} must be one of {CPU_CONVOLUTIONS}, got {library!r}")
    return library


def _keras_json() -> Path:
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    return Path(home).expanduser() / "keras.json"


@functools.cache
def _read_data_format(path: Path) -> str:
    try:
        data_format = json.loads(path.read_text()).get("image_data_format", "channels_last")
    except OSError:
        return "channels_last"
    except (ValueError, AttributeError) as error:
        # Keras also ignores a file that is not JSON, but silently.
        warnings.warn(
            f"{path} contains no JSON object ({error}); using channels_last", stacklevel=3
        )
        return "channels_last"
    if data_format not in DATA_FORMATS:
        raise ValueError(
            f"{path}: image_data_format must be one of {DATA_FORMATS}, got {data_format!r}"
        )
    return str(data_format)
