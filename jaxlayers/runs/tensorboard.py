"""Event files for TensorBoard: metrics as scalars, samples as images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


class TensorBoard:
    """Writes `events.*` files to a folder.

    Args:
        path: The folder.
        after: The step from which the run is resumed; TensorBoard discards later steps in existing
            files.

    Raises:
        ImportError: If tensorboardX is not installed.
    """

    def __init__(self, path: Path, after: int = 0) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise ImportError(
                'TensorBoard files need tensorboardX: pip install "jaxlayers[train]"'
            ) from error
        self._writer: Any = SummaryWriter(str(path), purge_step=after + 1 if after else None)

    def scalars(self, step: int, metrics: Mapping[str, float]) -> None:
        """Adds the metrics of a step."""
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def image(self, step: int, picture: np.ndarray) -> None:
        """Adds a grid of samples, [height, width, channels], with values from 0 to 1."""
        self._writer.add_image("samples", picture, step, dataformats="HWC")

    def close(self) -> None:
        """Flushes and closes the file."""
        self._writer.close()
