"""Keras files on the command line: `python -m jaxlayers.interop.keras --help`."""

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxlayers.interop.keras import convert, load
from jaxlayers.interop.keras.bare import sequential_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m jaxlayers.interop.keras",
        description="Reads models that Keras has saved: .keras, or whole models in .h5.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="print the summary of a model")
    change = commands.add_parser("convert", help="write a model in another format")
    for command in (show, change):
        command.add_argument("file", metavar="FILE", type=Path, help="a .keras or an .h5 file")
    change.add_argument(
        "out",
        metavar="OUT",
        type=Path,
        help="a new folder, which experiments.sample opens, or a name that ends in .safetensors",
    )
    given = parser.parse_args(arguments)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if given.command == "show":
                print(_summary(load(given.file)[0]))
            else:
                convert(given.file, given.out)
                print(f"{given.file} is in {given.out}")
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    for warning in caught:
        print(f"note: {warning.message}", file=sys.stderr)
    return 0


def _summary(model: Any) -> str:
    sequential = sequential_of(model, "show")
    if sequential.input_shape is None:  # images of any size: there are no shapes to tell
        return repr(sequential)
    return sequential.summary()


if __name__ == "__main__":
    sys.exit(main())
