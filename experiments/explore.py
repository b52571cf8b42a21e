"""Shows the images of a generator on a local page: `python -m experiments.explore --help`."""

import sys
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from experiments.command_line import run
from experiments.explorer import Explorer
from experiments.generators import load_generator
from experiments.local_server import LocalServer
from jaxlayers.runs.terminal import print_line


@dataclass(frozen=True)
class Config:
    """Serves a page with images of a generator and sliders for its principal directions.

    Only browsers on this machine can open the page. Ctrl-C ends the command.
    """

    folder: Path
    """Folder of a run of experiments.dcgan, or of a converted Keras file."""
    port: int = 8000
    """Port of the server; 0 for any free port."""
    directions: int = 10
    """Number of directions, those in which the images change most."""
    browser: bool = False
    """Whether to open the page in the browser."""


def main(config: Config) -> int:
    """Serves the page until Ctrl-C, and returns the exit status."""
    if not 0 <= config.port < 2**16:
        raise ValueError(f"port must be from 0 to {2**16 - 1}, got {config.port}")
    generator = load_generator(config.folder)
    with LocalServer(config.port) as server:
        print_line("computing the principal directions")
        explorer = Explorer(generator, config.directions)
        page = explorer.page(config.folder.resolve().name)
        print_line(f"{server.address}\nCtrl-C ends the server")
        if config.browser:
            webbrowser.open(server.address)
        try:
            server.serve(page, explorer.images)
        except KeyboardInterrupt:
            print_line("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(run(main, Config))
