"""Images to train on: a name or a path becomes a `Dataset`, and that becomes batches.

dataset = load("mnist-5k")
for images in batches(dataset, 128, seed=0):  # uint8, [128, 28, 28, 1], without end
    ...
"""

from jaxlayers.data.batches import batch_at, batches
from jaxlayers.data.dataset import Dataset
from jaxlayers.data.sources import load

__all__ = ["Dataset", "batch_at", "batches", "load"]
