"""The flags of resumed runs: the original flags, updated with the given flags."""

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from experiments.command_line import module_of, parse
from jaxlayers import runs, train
from jaxlayers.runs.terminal import print_line

# Fields that do not affect the results of a run. Data is compared by its content.
_CHANGEABLE = (
    "compilation_cache",
    "data",
    "devices",
    "log_every",
    "sample_every",
    "score_every",
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
            defaults, and `changeable(started)` returns the names of additional fields that do not
            affect the results.
        given: The config parsed from `arguments` only.
        arguments: The arguments of the command line.

    Returns:
        An instance of `config`.

    Raises:
        FileNotFoundError: If there is no run to resume.
        ValueError: If `out` is not given, the run was started by another command, or an argument
            would change the results.
    """
    if given.out is None:
        raise ValueError("resume: pass the folder of the run to resume, --out DIR")
    folder = runs.RunFolder(given.out)
    folder.check_resumable()
    saved = folder.config()
    command = module_of(config)
    saved_arguments = saved.get("arguments")
    if saved.get("command") != command or not isinstance(saved_arguments, list):
        raise ValueError(
            f"{folder.path}: cannot be resumed by python -m {command}, because it was started by "
            "another command"
        )
    started = _parse_saved(config, folder.path, saved_arguments)
    resumed_config = parse(config, [*map(str, saved_arguments), *arguments])
    changeable = {*_CHANGEABLE, *resumed_config.changeable(started)}
    old, new = (dataclasses.asdict(config.resolved()) for config in (started, resumed_config))
    different = [
        f"--{name.replace('_', '-')} was {old[name]} and is {new[name]}"
        for name in old
        if name not in changeable and old[name] != new[name]
    ]
    if different:
        raise ValueError(
            f"{folder.path}: arguments that affect the results cannot be changed when a run is "
            f"resumed: {'; '.join(different)}. Omit them, or start a new run in another folder"
        )
    return resumed_config


def open_folder(config: Any, out: Path) -> runs.RunFolder:
    """Returns the folder of a run, whose `config.json` will contain the command line.

    Args:
        config: The config of the command.
        out: The folder.
    """
    config = dataclasses.replace(config, out=out, resume=False, resume_step=None)
    command_line = {"command": module_of(type(config)), "arguments": arguments_of(config)}
    values = dataclasses.asdict(config)
    del values["resume"], values["resume_step"]
    return runs.RunFolder(out, command_line | values)


def arguments_of(config: Any, prefix: str = "--") -> list[str]:
    """Returns the command-line arguments for a config, omitting defaults.

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
    """Prints the folder, and the command to resume an interrupted run.

    Args:
        config: The config of the command.
        out: The folder of the run.
        fit_config: The `FitConfig` of the run.
        result: The result of the run.

    Returns:
        The exit status.
    """
    step = int(result.train_state.step)
    if jax.process_index() == 0:
        print_line(f"the report, the metrics and the trained model are in {out}")
        resume = f"python -m {module_of(type(config))} --out {shlex.quote(str(out))} --resume"
        if result.signal is not None:
            print_line(f"stopped at step {step} of {fit_config.steps}; to resume: {resume}")
    return 0 if result.signal is None else 128 + result.signal


def _parse_saved(config: type, path: Path, arguments: Sequence[Any]) -> Any:
    try:
        return parse(config, [str(argument) for argument in arguments], quiet=True)
    except SystemExit as error:
        raise ValueError(
            f"{path}: config.json has arguments that this command does not accept: "
            f"{' '.join(map(repr, arguments))}"
        ) from error
