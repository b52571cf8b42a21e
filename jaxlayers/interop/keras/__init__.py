"""Models in Keras's files, in and out, without Keras.

A file is data from a stranger: nothing in it is run, and nothing is read before it is known to
fit. See docs/keras.md for what is supported.
"""

from jaxlayers.interop.keras.convert import convert
from jaxlayers.interop.keras.files import load, load_weights, save
from jaxlayers.interop.keras.reading import from_config
from jaxlayers.interop.keras.writing import to_config

__all__ = ["convert", "from_config", "load", "load_weights", "save", "to_config"]
