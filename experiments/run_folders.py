"""The folder that an experiment writes into: a new one, or that of the run it goes on with."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import jax

from jaxlayers import runs


def check(out: Path | None, resume: bool) -> None:
    """Checks that it is known which run to go on with.

    Raises:
        ValueError: it is not.
    """
    if resume and out is None:
        raise ValueError("resume: give the folder of the run to go on with, --out DIR")


def prepare(
    out: Path,
    resume: bool,
    config: Mapping[str, Any],
    free: Collection[str],
    model: Mapping[str, Any],
) -> runs.RunFolder:
    """Makes the folder, or opens it again; one process of several does.

    Args:
        out: the folder.
        resume: whether a run goes on in it.
        config: what `config.json` will hold.
        free: what of it may differ from the run that goes on.
        model: what `model.json` will hold.

    Raises:
        FileExistsError: there is something in the folder of a new run.
        FileNotFoundError: there is no run to go on with.
        ValueError: it is of another configuration.
    """
    folder = runs.RunFolder(out)
    description = json.loads(json.dumps({**config, "out": str(out)}, default=str))
    if jax.process_index() > 0:
        pass
    elif resume:
        folder.reopen(description, free)
    else:
        folder.create(description, model)
    return folder


def tell(text: str) -> None:
    """Prints a line, in one process of several."""
    if jax.process_index() == 0:
        print(text, flush=True)
