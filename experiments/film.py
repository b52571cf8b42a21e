"""Writes a film of a run from its samples: `python -m experiments.film --help`."""

import sys
from dataclasses import dataclass
from pathlib import Path

from experiments.command_line import run
from jaxlayers import runs
from jaxlayers.runs.film import write_film
from jaxlayers.runs.terminal import print_line


@dataclass(frozen=True)
class Config:
    """Writes an animated picture of the samples of a run, which are of the same latent vectors."""

    folder: Path
    """Folder of a run that has samples, such as one of experiments.dcgan."""
    out: Path = Path("film.gif")
    """The file to write, .gif or .webp; .webp has all colors and is smaller."""
    frames_per_second: float = 10.0
    """Number of frames per second, at most 50."""
    max_frames: int = 100
    """The largest number of frames; of more samples, some are left out at even distances."""
    caption: bool = True
    """Whether to write the step below each frame."""


def main(config: Config) -> int:
    """Writes the film and returns the exit status."""
    samples = runs.RunFolder(config.folder).samples()
    if not samples:
        raise FileNotFoundError(
            f"{config.folder}: has no samples/step_*.png; use the folder of a run of a GAN"
        )
    frames = write_film(
        samples,
        config.out,
        frames_per_second=config.frames_per_second,
        max_frames=config.max_frames,
        caption=config.caption,
    )
    print_line(f"{frames} frames written to {config.out}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main, Config))
