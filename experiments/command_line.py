"""From the arguments of a command line to a config dataclass, and from errors to a message."""

import dataclasses
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from jaxlayers.runs.terminal import say


def run(main: Callable[[Any], int], config: type) -> int:
    """Parses the command line into a `config`, calls `main` with it, and returns its exit status.

    What a user can correct (a wrong argument, file or network) ends with a message and status 1
    instead of a traceback. Where the config has `resume` and it is given, the flags are those of
    the run to resume, as its folder has them, and then those given now.
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
    """Returns the `config` of some arguments.

    Args:
        config: A dataclass; its fields without a default are positional.
        arguments: Such as `["--steps", "100"]`.
        quiet: Whether nothing is printed of arguments that are wrong.

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
    """Returns the name of the module that defines a config, also where it is run by `-m`."""
    specification = sys.modules[config.__module__].__spec__
    return specification.name if specification else config.__module__


def describe(error: BaseException) -> str:
    """Returns the message of an error, and which layer of which model raised it."""
    notes = [note for note in getattr(error, "__notes__", ()) if note.startswith("In layer ")]
    return "\n".join([str(error), *notes])


def _with_flags(message: str, config: type) -> str:
    """Returns a message of the library with the flags of the command in place of arguments."""
    names = "|".join(field.name for field in dataclasses.fields(config))

    def flag(match: re.Match[str]) -> str:
        return "--" + match[1].replace("_", "-")

    message = re.sub(rf"^\w+: ({names})\b(?=:| must| needs| is)", flag, message)
    message = re.sub(r"\bresume=(\d+)", r"--resume-step \1", message)
    message = re.sub(rf"\b({names})=True\b", flag, message)
    return re.sub(rf"\b({names})=(?=\S)", lambda match: flag(match) + " ", message)
