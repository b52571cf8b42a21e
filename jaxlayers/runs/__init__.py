"""What a run writes and what it is read back from: folders, checkpoints, plots, reports."""

from jaxlayers.runs.checkpoint import CheckpointError
from jaxlayers.runs.folder import RunFolder
from jaxlayers.runs.load import load, save

__all__ = ["CheckpointError", "RunFolder", "load", "save"]
