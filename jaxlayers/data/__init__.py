"""Loading of images into a `Dataset`, and iteration over batches.

Image files that do not fit into memory can be `Streamed`, that is read while training.
"""

from jaxlayers.data.batches import batch_at, batches
from jaxlayers.data.dataset import Dataset, split_validation
from jaxlayers.data.single import border, read_image
from jaxlayers.data.sources import load, load_with_validation
from jaxlayers.data.stacked import stacked
from jaxlayers.data.streaming import Streamed

__all__ = [
    "Dataset",
    "Streamed",
    "batch_at",
    "batches",
    "border",
    "load",
    "load_with_validation",
    "read_image",
    "split_validation",
    "stacked",
]
