"""The folder of a run: its configuration, metrics and results."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from jaxlayers._files import as_path, write_atomically
from jaxlayers._text import printable, short_repr
from jaxlayers.runs.arrays import read_arrays, write_arrays
from jaxlayers.runs.lock import is_lock, locked
from jaxlayers.runs.scores import read_scores

# Maximum size of config.json and model.json; this package writes smaller files.
_MAX_JSON_BYTES = 2**25


class RunFolder:
    """Reads and writes the files of a run.

    | file | content |
    | --- | --- |
    | `config.json` | everything that is needed to repeat the run |
    | `model.json` | the models as Keras configs, and a description of their inputs |
    | `metrics.jsonl` | one line per logged step: its number and its metrics |
    | `samples/step_0000100.png` | grids of samples from the same latent vectors |
    | `pictures/` | plots of a classifier |
    | `scores.json` | scores of generated images, and of real images |
    | `curves.png` | the metrics as curves |
    | `events.*` | metrics and samples for TensorBoard |
    | `report.html` | the report, with all of the above in one file |
    | `checkpoints/` | checkpoints to resume the run from |
    | `parameters.npz` | the last params and state |

    Args:
        path: The folder; it need not exist.
        config: Additional entries of `config.json`, such as the arguments of a command line.
    """

    def __init__(self, path: str | Path, config: Mapping[str, Any] | None = None) -> None:
        self.path = as_path(path, "RunFolder")
        self.extra_config = dict(config or {})

    def check_unused(self) -> None:
        """Checks that the folder can be used for a new run, without changing anything.

        Raises:
            FileExistsError: If the folder is not empty, or is a file.
        """
        used = self.path.exists() and (
            not self.path.is_dir() or any(not is_lock(entry) for entry in self.path.iterdir())
        )
        if used:
            raise FileExistsError(
                f"{self.path}: is not an empty folder; it has not been changed. Resume its run "
                "with resume=True, use another folder, or remove this one"
            )

    def check_resumable(self) -> None:
        """Checks that there is a run in the folder.

        Raises:
            FileNotFoundError: If there is none.
        """
        if not (self.path / "config.json").is_file():
            raise FileNotFoundError(
                f"{self.path}: is not the folder of a run (it has no config.json), so that there "
                "is nothing to resume"
            )

    @contextmanager
    def open(self, *, resume: bool = False) -> Iterator[None]:
        """Creates the folder of a new run, or opens the folder of a run to resume, with a lock.

        Args:
            resume: Whether to resume a run.

        Raises:
            FileExistsError: If the folder of a new run is not empty.
            FileNotFoundError: If there is no run to resume.
            FolderInUseError: If another run writes to the folder.
        """
        if resume:
            self.check_resumable()
        else:
            self.check_unused()
            self.path.mkdir(parents=True, exist_ok=True)
        with locked(self.path):
            if resume:
                for temporary in self.path.glob(".*.tmp"):
                    temporary.unlink()  # left by a run that was killed during a write
            else:
                self.check_unused()
                (self.path / "samples").mkdir()
            yield

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Writes `config.json`, which also contains `extra_config`.

        Args:
            config: The configuration, JSON values; it takes precedence over `extra_config`.
        """
        self._write("config.json", _json({**self.extra_config, **config}))

    def write_model(self, model: Mapping[str, Any]) -> None:
        """Writes `model.json`.

        Args:
            model: The configs of the models and the description of their inputs, JSON values.
        """
        self._write("model.json", _json(model))

    def remove(self) -> None:
        """Removes the folder and everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def forget_after(self, step: int) -> None:
        """Removes the outputs of later steps, which will be repeated.

        Args:
            step: The last step whose outputs are kept.
        """
        for later, path in self.samples().items():
            if later > step:
                path.unlink()
        shutil.rmtree(self.path / "pictures", ignore_errors=True)
        (self.path / "evaluation.json").unlink(missing_ok=True)
        if not self._has_scores_until(step):
            (self.path / "scores.json").unlink(missing_ok=True)
        path = self.path / "metrics.jsonl"
        if path.exists():
            lines = [line for line in self.rows() if line["step"] <= step]
            self._write(path.name, "".join(json.dumps(line) + "\n" for line in lines))

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Appends the metrics of a step to `metrics.jsonl`.

        Args:
            step: Number of steps taken.
            metrics: Metrics of that step by name.
        """
        with (self.path / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"step": step, **metrics}) + "\n")

    def metrics(self) -> dict[str, np.ndarray]:
        """Returns the logged metrics, one array per name, all of equal length.

        Missing values, such as those between evaluations, are NaN.
        """
        return columns(self.rows())

    def samples(self) -> dict[int, Path]:
        """Returns the sample grids by step, in order."""
        paths = sorted((self.path / "samples").glob("step_*.png"))
        return {int(path.stem.removeprefix("step_")): path for path in paths}

    def pictures(self) -> dict[str, Path]:
        """Returns the other plots by title, in the order of their names."""
        paths = sorted((self.path / "pictures").glob("*.png"))
        return {path.stem.replace("_", " "): path for path in paths}

    def sample_path(self, step: int) -> Path:
        """Returns the path of the sample grid after `step` steps."""
        return self.path / "samples" / f"step_{step:07d}.png"

    def save_parameters(self, params: Any, state: Any) -> None:
        """Writes `parameters.npz`.

        Args:
            params: Nested dictionaries of arrays.
            state: Nested dictionaries of arrays.
        """
        write_arrays(self.path / "parameters.npz", {"params": params, "state": state})

    def load_parameters(self) -> tuple[Any, Any]:
        """Returns the saved params and state as NumPy arrays.

        Arrays of bfloat16 are returned as float32.

        Raises:
            FileNotFoundError: If the run has not saved any.
            ValueError: If the file is damaged.
        """
        path = self.existing("parameters.npz")
        tree = read_arrays(path)
        if tree.keys() != {"params", "state"}:
            raise ValueError(f"{path}: must contain params and state, got {sorted(tree)}")
        return tree["params"], tree["state"]

    def config(self) -> dict[str, Any]:
        """Returns the content of `config.json`.

        Raises:
            FileNotFoundError: If it is not the folder of a run.
            ValueError: If the file is damaged.
        """
        return self._read("config.json")

    def model(self) -> dict[str, Any]:
        """Returns the content of `model.json`.

        Raises:
            FileNotFoundError: If it is not the folder of a run.
            ValueError: If the file is damaged.
        """
        return self._read("model.json")

    def existing(self, name: str) -> Path:
        """Returns the path of a file of the run.

        Raises:
            FileNotFoundError: If the run has no file of this name.
        """
        if not (self.path / name).exists():
            raise FileNotFoundError(f"{self.path}: has no {name}; use the folder of a finished run")
        return self.path / name

    def rows(self) -> list[dict[str, Any]]:
        """Returns the logged metrics, one dictionary per logged step.

        Raises:
            ValueError: If the file is damaged.
        """
        try:
            text = (self.path / "metrics.jsonl").read_text()
        except FileNotFoundError:
            return []
        # A run that was killed may have written an incomplete last line.
        lines = [line for line in text.splitlines(keepends=True) if line[-1] == "\n"]
        return [self._row(number, line) for number, line in enumerate(lines, 1)]

    def _has_scores_until(self, step: int) -> bool:
        """Returns whether there are scores of a step that is not after `step`."""
        try:
            table = read_scores(self.path / "scores.json")
        except ValueError:
            return False
        return table is not None and table.step is not None and table.step <= step

    def _row(self, number: int, line: str) -> dict[str, Any]:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict) or not isinstance(row.get("step"), int):
            raise ValueError(
                f"{self.path / 'metrics.jsonl'}: line {number} must be a JSON object with a step, "
                f"got {short_repr(line.strip())}"
            )
        return row

    def _read(self, name: str) -> dict[str, Any]:
        path = self.existing(name)
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise ValueError(
                f"{path}: has {path.stat().st_size} bytes, more than {_MAX_JSON_BYTES}"
            )
        try:
            content = json.loads(path.read_text("utf-8"))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: is not valid JSON ({printable(str(error))})") from error
        if not isinstance(content, dict):
            raise ValueError(f"{path}: must contain a JSON object, got {short_repr(content)}")
        return content

    def _write(self, name: str, text: str) -> None:
        with write_atomically(self.path / name) as file:
            file.write(text.encode("utf-8"))


def columns(rows: Sequence[Mapping[str, float]]) -> dict[str, np.ndarray]:
    """Converts rows of metrics to one array per name; missing values are NaN."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, default=str) + "\n"
