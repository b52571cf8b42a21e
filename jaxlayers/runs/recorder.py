"""The recorder of metrics and samples."""

import importlib.util
import sys
import time
from collections.abc import Mapping

import numpy as np

from jaxlayers.runs import plots
from jaxlayers.runs.folder import RunFolder
from jaxlayers.runs.report import report
from jaxlayers.runs.scores import read_scores
from jaxlayers.runs.tensorboard import TensorBoard
from jaxlayers.runs.terminal import Progress, print_line


class Recorder:
    """Records metrics and samples in memory, a folder, TensorBoard and the terminal.

    Args:
        progress: The display on the terminal.
        folder: The folder to write to; `None` to write no files.
        after: Number of steps taken before the run is resumed.
    """

    def __init__(self, progress: Progress, folder: RunFolder | None, after: int = 0) -> None:
        self._progress, self._folder = progress, folder
        self.rows: list[dict[str, float]] = []
        self._start = time.monotonic()
        self._seconds = 0.0
        self._events: TensorBoard | None = None
        if folder is None:
            return
        folder.forget_after(after)
        self.rows = folder.rows()
        self._seconds = self.rows[-1].get("seconds", 0.0) if self.rows else 0.0
        if importlib.util.find_spec("tensorboardX"):
            self._events = TensorBoard(folder.path, after)
        else:
            print_line('no TensorBoard files: pip install "jaxlayers[train]"', file=sys.stderr)

    def metrics(self, step: int, metrics: Mapping[str, float]) -> None:
        """Adds the metrics of a step."""
        self._progress.update(step, metrics)
        seconds = round(self._seconds + time.monotonic() - self._start, 3)
        self.rows.append({"step": step, **metrics, "seconds": seconds})
        if self._folder is not None:
            self._folder.log(step, {**metrics, "seconds": seconds})
        if self._events is not None:
            self._events.scalars(step, metrics)

    def samples(self, step: int, images: np.ndarray, columns: int | None = None) -> None:
        """Adds a grid of samples, [N, height, width, channels], with values from 0 to 1."""
        if self._folder is not None:
            plots.save_grid(images, self._folder.sample_path(step), columns=columns)
        if self._events is not None:
            self._events.image(step, plots.tile(images, columns=columns))

    def close(self) -> None:
        """Writes the curves and the report."""
        if self._events is not None:
            self._events.close()
        if self._folder is not None:
            path = self._folder.path
            table = read_scores(path / "scores.json")
            real = {} if table is None else table.validation_scores
            plots.save_curves(self._folder.metrics(), path / "curves.png", real)
            report(self._folder)
