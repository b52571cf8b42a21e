"""Images to train on: a name or a path becomes a `Dataset`, and that becomes batches.

Image files that do not fit into memory are `Streamed` instead: read while training.

dataset = load("mnist-5k")
for images in batches(dataset, 128, seed=0):  # uint8, [128, 28, 28, 1], without end
    ...
"""

from jaxlayers.data.batches import batch_at, batches
from jaxlayers.data.dataset import Dataset, hold_out
from jaxlayers.data.single import border, read_image
from jaxlayers.data.sources import load, load_and_hold_out
from jaxlayers.data.streaming import Streamed

__all__ = [
    "Dataset",
    "Streamed",
    "batch_at",
    "batches",
    "border",
    "hold_out",
    "load",
    "load_and_hold_out",
    "read_image",
]
