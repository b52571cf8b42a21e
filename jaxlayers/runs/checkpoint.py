"""Checkpoints, which are written in the background and from which runs are resumed."""

import json
import logging
import math
import shutil
import traceback
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
from jax import Array

from jaxlayers.runs.names import larger_is_better, named

# Free space required in addition to the arrays, for metadata, metrics and plots.
_RESERVED_BYTES = 2**20


class CheckpointError(ValueError):
    """Raised if a checkpoint cannot be read or written, or belongs to another run."""


class Checkpoints:
    """The checkpoints of a run, each in a sub-folder of a folder.

    A checkpoint is renamed to its final name only when it is complete, so that a run that is killed
    during a write still has the previous checkpoint. A checksum of every array is saved, and
    verified when the checkpoint is restored.

    Args:
        path: The folder; it need not exist.
        identity: A JSON description of the run; a checkpoint can only be restored by a run with the
            same description.
        keep: Number of latest checkpoints to keep.
        best: Name of a metric, whose best checkpoint is kept as well: the one with the smallest
            value, or with the largest if `larger_is_better`.

    Raises:
        ImportError: If orbax-checkpoint is not installed.
    """

    def __init__(
        self, path: Path, identity: Mapping[str, Any], keep: int = 3, best: str | None = None
    ) -> None:
        self._path = path.absolute()
        # Converted as it will be read back from JSON.
        self._identity = json.loads(json.dumps(identity))
        self._orbax = _orbax()
        policies = self._orbax.checkpoint_managers

        # Negated if larger is better, because the smallest value is kept.
        sign = -1 if best is not None and larger_is_better(best) else 1

        def metric(metrics: Mapping[str, float]) -> float:
            return math.inf if best is None or best not in metrics else sign * metrics[best]

        kept = [policies.LatestN(keep)]
        if best is not None:
            kept.append(policies.BestN(get_metric_fn=metric, reverse=True, n=1))
        options = self._orbax.CheckpointManagerOptions(
            preservation_policy=policies.AnyPreservationPolicy(kept),
            # Otherwise orbax does not write the metrics, which a resumed run needs.
            best_fn=None if best is None else metric,
            best_mode="min",
            cleanup_tmp_directories=True,
        )
        # Errors that orbax logs are raised here as well; the log would hide their messages.
        logging.getLogger("absl").addFilter(_is_not_logged_by_orbax)
        # If several reads fail, one error is raised here, and asyncio logs the others whenever they
        # are garbage collected, also after `close`.
        logging.getLogger("asyncio").addFilter(_is_not_raised_in_orbax)
        try:
            self._manager = self._orbax.CheckpointManager(self._path, options=options)
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be written ({error})") from error

    def steps(self) -> list[int]:
        """Returns the steps with checkpoints, the oldest first."""
        return sorted(self._manager.all_steps())

    def save(self, step: int, tree: Any, metrics: Mapping[str, float]) -> None:
        """Starts to write a checkpoint and returns when the arrays have been copied.

        Args:
            step: Number of steps taken.
            tree: A pytree of arrays.
            metrics: Metrics of that step by name.

        Raises:
            CheckpointError: If this checkpoint or the previous one cannot be written.
        """
        arrays = _arrays(tree)
        # A partial write would leave less space for other outputs.
        needed = sum(array.nbytes for array in arrays.values()) + _RESERVED_BYTES
        free = shutil.disk_usage(self._path).free
        if free < needed:
            raise self._not_written(
                f"no space left on device: {needed / 2**20:.1f} MiB needed, {free / 2**20:.1f} free"
            )
        saved = {name: [_description(array), _checksum(array)] for name, array in arrays.items()}
        args = self._orbax.args
        try:
            self._manager.save(
                step,
                args=args.Composite(
                    arrays=args.StandardSave(arrays),
                    about=args.JsonSave({"identity": self._identity, "saved": saved}),
                ),
                metrics=dict(metrics) or None,
                force=True,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise self._not_written(error) from error

    def wait(self) -> None:
        """Waits until everything is written.

        Raises:
            CheckpointError: If it cannot be written.
        """
        try:
            self._manager.wait_until_finished()
            self._manager.check_for_errors()
        except (OSError, ValueError, RuntimeError) as error:
            raise self._not_written(error) from error

    def close(self) -> None:
        """Waits for pending writes and stops background threads."""
        try:
            self.wait()
        finally:
            self._manager.close()
            logging.getLogger("absl").removeFilter(_is_not_logged_by_orbax)

    def restore(self, like: Any, step: int | None = None) -> Any:
        """Returns the pytree of a checkpoint.

        Args:
            like: A pytree of the same structure, with the shardings of the arrays to restore.
            step: The step of the checkpoint; `None` for the last one.

        Raises:
            CheckpointError: If there is no checkpoint, it is damaged, or it belongs to another run.
                The message names the file or value, and the older checkpoints.
        """
        steps = self.steps()
        if not steps:
            raise CheckpointError(f"{self._path}: there is no checkpoint to resume from")
        if step is None:
            step = steps[-1]
        if step not in steps:
            raise CheckpointError(
                f"{self._path}: there is no checkpoint after {step} steps, only after "
                f"{', '.join(map(str, steps))}"
            )
        wanted = _arrays(like)
        args = self._orbax.args
        with self._reading(step, "about"):
            about = self._manager.restore(step, args=args.Composite(about=args.JsonRestore()))[
                "about"
            ]
            saved = {name: tuple(entry) for name, entry in about["saved"].items()}
        self._compare(step, about["identity"], {n: kind for n, (kind, _) in saved.items()}, wanted)
        with self._reading(step, "arrays"):
            abstract = jax.tree.map(
                lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding),
                wanted,
            )
            arrays = self._manager.restore(
                step, args=args.Composite(arrays=args.StandardRestore(abstract))
            )["arrays"]
        for name, array in arrays.items():
            if _checksum(array) != saved[name][1]:
                raise self._damaged(step, f"arrays: {name}", "checksum mismatch")
        return _unflatten(like, arrays)

    def forget_after(self, step: int) -> None:
        """Removes the checkpoints of later steps, which will be repeated."""
        for later in self.steps():
            if later > step:
                self._manager.delete(later)

    def _compare(
        self, step: int, identity: Any, saved: Mapping[str, str], wanted: Mapping[str, Array]
    ) -> None:
        was = identity | saved
        now = self._identity | {name: _description(array) for name, array in wanted.items()}
        different = [
            f"{name} was {was.get(name, 'missing')} and is {now.get(name, 'missing')}"
            for name in sorted({*was, *now})
            if was.get(name) != now.get(name)
        ]
        if different:
            more = f" and {len(different) - 8} more" if len(different) > 8 else ""
            raise CheckpointError(
                f"{self._path / str(step)}: has another configuration: "
                f"{'; '.join(different[:8])}{more}. Resume with the configuration of the run, or "
                "start a new one in another folder"
            )

    @contextmanager
    def _reading(self, step: int, what: str) -> Iterator[None]:
        """Converts any error that orbax raises for a damaged checkpoint to `CheckpointError`."""
        try:
            yield
        except Exception as error:
            raise self._damaged(step, what, error) from None

    def _damaged(self, step: int, what: str, error: object) -> CheckpointError:
        older = [str(other) for other in self.steps() if other < step]
        advice = (
            f"There are older checkpoints, after {', '.join(older)} steps; to resume from one of "
            f"them, use its number, such as resume={older[-1]}"
            if older
            else "There is no older checkpoint"
        )
        text = str(error).strip().split("\n")[0][:300]
        return CheckpointError(
            f"{self._path / str(step)}: the checkpoint is damaged ({what}: {text}). {advice}"
        )

    def _not_written(self, error: object) -> CheckpointError:
        try:
            complete = [step for step in self.steps() if (self._path / str(step)).is_dir()]
        except OSError:
            complete = []
        last = (
            f"the last complete checkpoint is after {complete[-1]} steps"
            if complete
            else "there is no complete checkpoint"
        )
        return CheckpointError(f"{self._path}: a checkpoint could not be written ({error}); {last}")


def _is_not_raised_in_orbax(record: logging.LogRecord) -> bool:
    """Returns whether a log record does not report an error of orbax, or of a read it started."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return True
    # An error that tensorstore sets on a future that nothing awaits was never raised, and has no
    # traceback. Its message contains the specification of the array.
    frames = traceback.extract_tb(error.__traceback__)
    return not ("tensorstore_spec" in str(error) or any("orbax" in f.filename for f in frames))


def _is_not_logged_by_orbax(record: logging.LogRecord) -> bool:
    return "orbax" not in record.pathname


def _orbax() -> ModuleType:
    try:
        import orbax.checkpoint
    except ImportError as error:
        raise ImportError(
            'checkpoints need orbax-checkpoint: pip install "jaxlayers[train]"'
        ) from error
    module: ModuleType = orbax.checkpoint
    return module


def _is_key(leaf: Any) -> bool:
    return jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _arrays(tree: Any) -> dict[str, Array]:
    """Returns all arrays of a pytree by name, with random keys as their raw data."""
    return {
        name: jax.random.key_data(leaf) if _is_key(leaf) else leaf
        for name, leaf in named(tree).items()
    }


def _unflatten(like: Any, arrays: Mapping[str, Array]) -> Any:
    leaves = [
        jax.random.wrap_key_data(arrays[name], impl=jax.random.key_impl(leaf))
        if _is_key(leaf)
        else arrays[name]
        for name, leaf in named(like).items()
    ]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _description(array: Array) -> str:
    return f"{array.dtype}{list(array.shape)}"


def _checksum(array: Array) -> int:
    # Arrays are replicated, and a process can only read the copies on its own devices.
    local = array.addressable_data(0) if isinstance(array, Array) else array
    return zlib.crc32(np.ascontiguousarray(local).tobytes())
