"""Parsing of command lines to a config dataclass, and messages for errors."""

import dataclasses
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from jaxlayers.runs.terminal import say


def run(main: Callable[[Any], int], config: type) -> int:
    """Parses the command line into a `config`, calls `main` with it, and returns its exit status.

    Errors that a user can correct (in arguments, files or the network) are printed as a message,
    with status 1, instead of a traceback. With `resume`, the flags are those in the folder of the
    run to resume, updated with those given.
    """
    try:
        import tyro  # noqa: F401
    except ImportError:
        say('command lines need tyro: pip install "jaxlayers[train]"', sys.stderr)
        return 1
    arguments = sys.argv[1:]
    parsed = parse(config, arguments)
    try:
        if getattr(parsed, "resume", False) or getattr(parsed, "resume_step", None) is not None:
            from experiments.resuming import resumed

            parsed = resumed(config, parsed, arguments)
        return main(parsed)
    except (ValueError, TypeError, OSError, ImportError, FloatingPointError) as error:
        say(f"error: {_with_flags(describe(error), config)}", sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def parse(config: type, arguments: Sequence[str], quiet: bool = False) -> Any:
    """Parses arguments to a `config`.

    Args:
        config: A dataclass; its fields without a default are positional.
        arguments: Such as `["--steps", "100"]`.
        quiet: Whether to print no message for wrong arguments.

    Raises:
        SystemExit: If the arguments are wrong, or include `--help`.
    """
    import tyro

    return tyro.cli(
        config,
        prog=f"python -m {module_of(config)}",
        args=list(arguments),
        config=(tyro.conf.PositionalRequiredArgs,),
        console_outputs=not quiet,
    )


def module_of(config: type) -> str:
    """Returns the name of the module that defines a config, even if it is run by `-m`."""
    specification = sys.modules[config.__module__].__spec__
    return specification.name if specification else config.__module__


def describe(error: BaseException) -> str:
    """Returns the message of an error with the layer and the model that raised it."""
    notes = [note for note in getattr(error, "__notes__", ()) if note.startswith("In layer ")]
    return "\n".join([str(error), *notes])


def _with_flags(message: str, config: type) -> str:
    """Replaces arguments by the flags of the command in a message of the library."""
    names = "|".join(field.name for field in dataclasses.fields(config))

    def flag(match: re.Match[str]) -> str:
        return "--" + match[1].replace("_", "-")

    message = re.sub(rf"^\w+: ({names})\b(?=:| must| needs| is)", flag, message)
    message = re.sub(r"\bresume=(\d+)", r"--resume-step \1", message)
    message = re.sub(rf"\b({names})=True\b", flag, message)
    return re.sub(rf"\b({names})=(?=\S)", lambda match: flag(match) + " ", message)
