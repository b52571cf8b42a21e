"""The default data format of images, Keras's `image_data_format`."""

import functools
import json
import os
import warnings
from pathlib import Path

DATA_FORMATS = ("channels_last", "channels_first")

_configured: str | None = None


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
