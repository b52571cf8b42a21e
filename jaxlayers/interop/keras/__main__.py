"""Keras files on the command line: `python -m jaxlayers.interop.keras --help`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from jaxlayers import runs
from jaxlayers.interop import keras, safetensors
from jaxlayers.interop.keras.dtype_policies import model_of
from jaxlayers.layer import Layer


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m jaxlayers.interop.keras",
        description="Shows and converts models that Keras has saved, in .keras or .h5 files.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="print the summary of a model")
    change = commands.add_parser("convert", help="write a model in another format")
    for command in (show, change):
        command.add_argument(
            "file", metavar="FILE", type=Path, help="a .keras or .h5 file that contains a model"
        )
    change.add_argument(
        "out",
        metavar="OUT",
        type=Path,
        help="a new run folder, for experiments.sample and experiments.classify, or a path that "
        "ends in .safetensors",
    )
    given = parser.parse_args(arguments)
    try:
        if given.command == "show":
            print(_summary(keras.load(given.file)[0]))
        else:
            convert(given.file, given.out)
            print(f"converted {given.file} to {given.out}")
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _summary(model: Layer) -> str:
    inside = model_of(model, "show")
    if inside.input_shape is None:  # a Sequential for images of any size
        return repr(inside)
    return inside.summary()


def convert(file: Path, out: Path) -> None:
    """Converts a Keras file to another format.

    Args:
        file: A file that `jaxlayers.interop.keras.load` reads.
        out: A path that ends in `.safetensors`, or a new run folder.

    Raises:
        FileExistsError: If `out` exists.
        ValueError: As in `load`.
        ImportError: If safetensors is not installed.
    """
    save = safetensors.save if out.suffix == ".safetensors" else runs.save
    save(out, *keras.load(file))


if __name__ == "__main__":
    sys.exit(main())
