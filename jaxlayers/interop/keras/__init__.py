"""Keras's files and configs, read and written without Keras.

A file is untrusted data: no code in it runs, and nothing is allocated before it is known to be
valid. See docs/keras.md for what is supported.
"""

from jaxlayers.interop.keras.loading import load, load_weights
from jaxlayers.interop.keras.saving import save
from jaxlayers.interop.keras.serialization import (
    NotSerializableError,
    from_config,
    serialize,
    to_config,
)

__all__ = [
    "NotSerializableError",
    "from_config",
    "load",
    "load_weights",
    "save",
    "serialize",
    "to_config",
]
