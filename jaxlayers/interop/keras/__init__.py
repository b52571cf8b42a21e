"""Reading and writing of Keras files and configs, without Keras.

Files are untrusted data: no code in them is executed, and nothing is allocated before it has been
validated. See docs/keras.md for the supported formats and layers.
"""

from jaxlayers.interop.keras.image_features import features, inception_features
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
    "features",
    "from_config",
    "inception_features",
    "load",
    "load_weights",
    "save",
    "serialize",
    "to_config",
]
