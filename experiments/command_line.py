"""Parsing of command lines into config dataclasses, and error messages."""

import dataclasses
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from jaxlayers.runs.terminal import closable_output, print_line


def run(main: Callable[[Any], int], config: type) -> int:
    """Parses the command line, calls `main` with the config, and returns its exit status.

    Errors that a user can correct (in arguments, files or the network) are printed as messages
    instead of tracebacks, with exit status 1. With `resume`, the flags of the original command are
    read from the folder of the run and updated with the given flags.

    Args:
        main: The function to call.
        config: The dataclass of its argument.
    """
    try:
        import tyro  # noqa: F401
    except ImportError:
        print_line('command lines need tyro: pip install "jaxlayers[train]"', sys.stderr)
        return 1
    arguments = sys.argv[1:]
    with closable_output():
        parsed = parse(config, arguments)
    try:
        if getattr(parsed, "resume", False) or getattr(parsed, "resume_step", None) is not None:
            from experiments.resuming import resumed

            parsed = resumed(config, parsed, arguments)
        return main(parsed)
    except (ValueError, TypeError, OSError, ImportError, FloatingPointError) as error:
        print_line(f"error: {_with_flags(describe(error), config)}", sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def parse(config: type, arguments: Sequence[str], quiet: bool = False) -> Any:
    """Parses arguments into a config.

    Args:
        config: A dataclass; fields without a default are positional arguments.
        arguments: The arguments, such as `["--steps", "100"]`.
        quiet: Whether to suppress messages about invalid arguments.

    Returns:
        An instance of `config`.

    Raises:
        SystemExit: If the arguments are invalid, or include `--help`.
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
    """Returns the name of the module that defines a config, also if it is run with `-m`."""
    specification = sys.modules[config.__module__].__spec__
    return specification.name if specification else config.__module__


def describe(error: BaseException) -> str:
    """Returns the message of an error, with its notes about the layer that raised it."""
    notes = [note for note in getattr(error, "__notes__", ()) if note.startswith("In layer ")]
    return "\n".join([str(error), *notes])


def _with_flags(message: str, config: type) -> str:
    """Replaces argument names in a message of the library by the flags of the command."""
    names = "|".join(field.name for field in dataclasses.fields(config))

    def flag(match: re.Match[str]) -> str:
        return "--" + match[1].replace("_", "-")

    message = re.sub(rf"^\w+: ({names})\b(?=:| must| needs| is)", flag, message)
    message = re.sub(r"\bresume=(\d+)", r"--resume-step \1", message)
    message = re.sub(rf"\b({names})=True\b", flag, message)
    return re.sub(rf"\b({names})=(?=\S)", lambda match: flag(match) + " ", message)
