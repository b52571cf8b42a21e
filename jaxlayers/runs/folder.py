"""The folder of a run: what was asked for, what happened, and what came out."""

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np

_SEPARATOR = "/"


class RunFolder:
    """Reads and writes the files of a run.

    | file | what it holds |
    | --- | --- |
    | `config.json` | all that is needed to run it again |
    | `model.json` | all that is needed to make the model again, for sampling |
    | `metrics.jsonl` | a line a log step: its number and its metrics |
    | `samples/step_0000100.png` | grids of samples, from the same latent vectors |
    | `pictures/` | what a classifier confuses and looks at |
    | `curves.png` | the metrics as curves |
    | `events.*` | metrics and samples for TensorBoard |
    | `report.html` | all of that on one page |
    | `checkpoints/` | what a run goes on from, a folder each |
    | `parameters.npz` | the last params and state |

    Args:
        path: the folder; it need not exist.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def create(self, config: Mapping[str, Any], model: Mapping[str, Any]) -> None:
        """Makes the folder for a new run.

        Args:
            config: what `config.json` will hold.
            model: what `model.json` will hold.

        Raises:
            FileExistsError: there is something in the folder already.
        """
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise FileExistsError(
                f"{self.path}: is not an empty folder; nothing in it has been touched. Give the "
                "run another folder, or remove this one"
            )
        (self.path / "samples").mkdir(parents=True)
        self._write("config.json", _json(config))
        self._write("model.json", _json(model))

    def reopen(self, config: Mapping[str, Any], free: Collection[str] = ()) -> None:
        """Goes on with the folder of a run.

        Args:
            config: what the run is to go on with; it becomes `config.json`.
            free: what may differ from the run so far.

        Raises:
            FileNotFoundError: this is no folder of a run.
            ValueError: something else differs.
        """
        was, now = self.config(), json.loads(_json(config))
        different = [
            f"{name} was {was.get(name)!r} and is {now.get(name)!r}"
            for name in {**was, **now}
            if name not in free and was.get(name) != now.get(name)
        ]
        if different:
            raise ValueError(
                f"{self.path}: is the folder of a run of another configuration: "
                f"{'; '.join(different)}. Resume with the same, or give the run another folder"
            )
        self._write("config.json", _json(config))

    def forget_after(self, step: int) -> None:
        """Removes what is of later steps, which will come again."""
        for later, path in self.samples().items():
            if later > step:
                path.unlink()
        for path in self.pictures().values():
            path.unlink()
        path = self.path / "metrics.jsonl"
        if path.exists():
            lines = [line for line in self._lines() if line["step"] <= step]
            self._write(path.name, "".join(json.dumps(line) + "\n" for line in lines))

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Appends a line to the metrics."""
        with (self.path / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"step": step, **metrics}) + "\n")

    def metrics(self) -> dict[str, np.ndarray]:
        """Returns the metrics logged so far, a column each; all of one length.

        NaN stands where a step has none, such as those between two evaluations.
        """
        rows = self._lines()
        names = dict.fromkeys(name for row in rows for name in row)
        return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}

    def samples(self) -> dict[int, Path]:
        """Returns the pictures of samples by the number of the step, the first step first."""
        paths = sorted((self.path / "samples").glob("step_*.png"))
        return {int(path.stem.removeprefix("step_")): path for path in paths}

    def pictures(self) -> dict[str, Path]:
        """Returns the other pictures by what they show, in the order of their names."""
        paths = sorted((self.path / "pictures").glob("*.png"))
        return {path.stem.replace("_", " "): path for path in paths}

    def sample_path(self, step: int) -> Path:
        """Returns where the picture of the samples after `step` steps belongs."""
        return self.path / "samples" / f"step_{step:07d}.png"

    def save_parameters(self, params: Any, state: Any) -> None:
        """Writes params and state, nested dictionaries of arrays.

        The file appears under its name only when it is whole.
        """
        arrays: dict[str, Any] = dict(_flatten({"params": params, "state": state}))
        temporary = self.path / "parameters.tmp.npz"
        try:
            np.savez(temporary, **arrays)
            temporary.replace(self.path / "parameters.npz")
        finally:
            temporary.unlink(missing_ok=True)

    def load_parameters(self) -> tuple[Any, Any]:
        """Returns params and state as they were saved, with NumPy's arrays.

        Those of bfloat16, which the file format does not know, come as float32.

        Raises:
            FileNotFoundError: the run has saved none.
        """
        with np.load(self._existing("parameters.npz"), allow_pickle=False) as file:
            tree: dict[str, Any] = {}
            for path, array in file.items():
                *parents, name = map(unquote, path.split(_SEPARATOR))
                node = tree
                for parent in parents:
                    node = node.setdefault(parent, {})
                if name:
                    node[name] = array
        return tree["params"], tree["state"]

    def config(self) -> dict[str, Any]:
        """Returns what `config.json` holds.

        Raises:
            FileNotFoundError: this is no folder of a run.
        """
        return dict(json.loads(self._existing("config.json").read_text()))

    def model(self) -> dict[str, Any]:
        """Returns what `model.json` holds.

        Raises:
            FileNotFoundError: this is no folder of a run.
        """
        return dict(json.loads(self._existing("model.json").read_text()))

    def _existing(self, name: str) -> Path:
        if not (self.path / name).exists():
            raise FileNotFoundError(
                f"{self.path}: has no {name}; give the folder of a run that has ended"
            )
        return self.path / name

    def _lines(self) -> list[dict[str, Any]]:
        try:
            text = (self.path / "metrics.jsonl").read_text()
        except FileNotFoundError:
            return []
        # A run that was killed may have left the beginning of a line.
        return [json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"]

    def _write(self, name: str, text: str) -> None:
        temporary = self.path / f"{name}.tmp"
        temporary.write_text(text)
        temporary.replace(self.path / name)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, default=str) + "\n"


def _flatten(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Yields each array with its path; an empty dictionary's path ends in the separator."""
    if not tree:
        yield above, np.empty(0)
    for name, node in tree.items():
        path = above + quote(name, safe="")
        if isinstance(node, Mapping):
            yield from _flatten(node, path + _SEPARATOR)
        else:
            array = np.asarray(node)
            # NumPy would write the dtypes of other packages (kind V), but not read them.
            yield path, array.astype(np.float32) if array.dtype.kind == "V" else array
