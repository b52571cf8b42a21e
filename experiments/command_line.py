"""From the arguments of a command line to a config dataclass, and from errors to a message."""

import sys
from collections.abc import Callable
from typing import Any


def run(main: Callable[[Any], int], config: type) -> int:
    """Parses the command line into a `config`, calls `main` with it, and returns its exit status.

    What a user can mend (a wrong argument, file or network) ends with a message and status 1
    instead of a traceback.
    """
    try:
        import tyro
    except ImportError:
        print('command lines need tyro: pip install "jaxlayers[train]"', file=sys.stderr)
        return 1
    # Fields without a default are positional: `sample DIR`.
    specification = sys.modules[config.__module__].__spec__
    arguments: Any = tyro.cli(
        config,
        prog=f"python -m {specification.name}" if specification else None,
        config=(tyro.conf.PositionalRequiredArgs,),
    )
    try:
        return main(arguments)
    except (ValueError, TypeError, OSError, ImportError, FloatingPointError) as error:
        # The notes say in which layer of which model it was.
        print(f"error: {error}", *getattr(error, "__notes__", ()), sep="\n", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
