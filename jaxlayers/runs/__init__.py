"""Outputs of a run: its folder, checkpoints, plots and report."""

from jaxlayers.runs.checkpoint import CheckpointError
from jaxlayers.runs.folder import RunFolder
from jaxlayers.runs.load import load, save
from jaxlayers.runs.lock import FolderInUseError

__all__ = ["CheckpointError", "FolderInUseError", "RunFolder", "load", "save"]
