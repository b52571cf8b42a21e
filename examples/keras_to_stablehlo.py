"""From a Keras file to a StableHLO file, which JAX runs without this library and without Keras.

python examples/keras_to_stablehlo.py model.keras model.bin
"""

import argparse
from pathlib import Path

import jax
import numpy as np

import jaxlayers
from jaxlayers.interop import keras


def main(arguments=None):
    """Writes the file, runs it, and returns the largest difference from the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="a .keras or .h5 file")
    parser.add_argument("target", help="the StableHLO file to write")
    parser.add_argument("--platforms", nargs="+", default=["cpu", "cuda", "tpu"])
    options = parser.parse_args(arguments)

    model, params, state = keras.load(options.source)
    print(model.summary())
    jaxlayers.export(model, params, state, options.target, platforms=options.platforms)

    content = Path(options.target).read_bytes()
    exported = jax.export.deserialize(bytearray(content))
    x = np.random.default_rng(0).random((2, *model.input_shape), np.float32)
    expected, _ = model.apply(params, state, x)
    difference = float(np.abs(exported.call(x) - expected).max())
    print(f"{options.target}: {len(content):,} bytes for {', '.join(exported.platforms)}")
    return difference


if __name__ == "__main__":
    print("largest difference:", main())
