"""Outputs of a run: its folder, checkpoints, plots and report."""

from jaxlayers.runs.checkpoint import CheckpointError
from jaxlayers.runs.folder import RunFolder
from jaxlayers.runs.load import load, save

__all__ = ["CheckpointError", "RunFolder", "load", "save"]
