"""The flags of a resumed run: the original ones, updated with those given."""

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from experiments.command_line import module_of, parse
from jaxlayers import runs, train
from jaxlayers.runs.terminal import say

# The results of a run do not depend on them. Data is compared by its content.
_CHANGEABLE = (
    "compilation_cache",
    "data",
    "devices",
    "log_every",
    "sample_every",
    "skip_unreadable",
    "checkpoint_every",
    "best",
    "machines",
    "out",
    "resume",
    "resume_step",
)


def resumed(config: type, given: Any, arguments: Sequence[str]) -> Any:
    """Returns the config to resume a run with.

    Args:
        config: A dataclass with `out`, `resume` and `resume_step`. Its method `resolved()` fills in
            defaults, and `changeable(started)` returns the names of further fields that do not
            affect the results.
        given: The config parsed from `arguments` alone.
        arguments: The arguments of the command line.

    Raises:
        FileNotFoundError: If there is no run to resume.
        ValueError: If it is not known which run, it was started by another command, or an argument
            would change its numbers.
    """
    if given.out is None:
        raise ValueError("resume: give the folder of the run to resume, --out DIR")
    folder = runs.RunFolder(given.out)
    folder.check_resumable()
    saved = folder.config()
    command = module_of(config)
    saved_arguments = saved.get("arguments")
    if saved.get("command") != command or not isinstance(saved_arguments, list):
        raise ValueError(
            f"{folder.path}: was not started by python -m {command}, which therefore cannot "
            "resume it"
        )
    started = _parse_saved(config, folder.path, saved_arguments)
    current = parse(config, [*map(str, saved_arguments), *arguments])
    changeable = {*_CHANGEABLE, *current.changeable(started)}
    old, new = (dataclasses.asdict(config.resolved()) for config in (started, current))
    different = [
        f"--{name.replace('_', '-')} was {old[name]} and is {new[name]}"
        for name in old
        if name not in changeable and old[name] != new[name]
    ]
    if different:
        raise ValueError(
            f"{folder.path}: a run must be resumed with its original arguments, because "
            f"its results depend on them: {'; '.join(different)}. Omit them, or start a new "
            "run in another folder"
        )
    return current


def open_folder(config: Any, out: Path) -> runs.RunFolder:
    """Returns the folder of a run, with the command line to resume it in `config.json`.

    Args:
        config: The config of the command.
        out: The folder.
    """
    config = dataclasses.replace(config, out=out, resume=False, resume_step=None)
    description = {"command": module_of(type(config)), "arguments": arguments_of(config)}
    values = dataclasses.asdict(config)
    del values["resume"], values["resume_step"]
    return runs.RunFolder(out, description | values)


def arguments_of(config: Any, prefix: str = "--") -> list[str]:
    """Returns the arguments from which `parse` returns a config, without defaults.

    Example:
        >>> from experiments.dcgan import Config
        >>> arguments_of(Config(steps=9, size=(8, 8), compilation_cache=False))
        ['--steps=9', '--size', '8', '8', '--no-compilation-cache']
    """
    arguments: list[str] = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        name = field.name.replace("_", "-")
        if value == default:
            continue
        if dataclasses.is_dataclass(value):
            arguments += arguments_of(value, f"{prefix}{name}.")
        elif isinstance(value, bool):
            arguments.append(f"{prefix}{'' if value else 'no-'}{name}")
        elif isinstance(value, tuple):
            arguments += [f"{prefix}{name}", *map(str, value)]
        else:
            arguments.append(f"{prefix}{name}={value}")
    return arguments


def finish(config: Any, out: Path, fit_config: train.FitConfig, result: train.FitResult) -> int:
    """Prints the folder, or the command to resume; returns the exit status.

    Args:
        config: The config of the command.
        out: The folder of the run.
        fit_config: The `FitConfig` of the run.
        result: The result of the run.
    """
    step = int(result.train_state.step)
    if jax.process_index() == 0:
        say(f"the report, the metrics and the trained model are in {out}")
        resume = f"python -m {module_of(type(config))} --out {shlex.quote(str(out))} --resume"
        if result.signal is not None:
            say(f"stopped at step {step} of {fit_config.steps}; to resume: {resume}")
    return 0 if result.signal is None else 128 + result.signal


def _parse_saved(config: type, path: Path, arguments: Sequence[Any]) -> Any:
    try:
        return parse(config, [str(argument) for argument in arguments], quiet=True)
    except SystemExit as error:
        raise ValueError(
            f"{path}: config.json has arguments that this command does not accept: "
            f"{' '.join(map(repr, arguments))}"
        ) from error
