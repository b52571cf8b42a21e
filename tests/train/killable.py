"""A short run that tests kill: `python -m tests.train.killable FOLDER STEPS`."""

import shutil
import sys
from pathlib import Path

import numpy as np

from jaxlayers.runs import RunFolder
from jaxlayers.train import FitConfig, fit
from tests.train import toys

IMAGES = np.random.default_rng(0).integers(256, size=(40, *toys.IMAGE_SHAPE), dtype=np.uint8)


def config(steps: int) -> FitConfig:
    return FitConfig(
        steps=steps, batch_size=8, log_every=7, sample_every=50, samples=4, checkpoint_every=20
    )


def main(path: str, steps: str) -> None:
    folder = RunFolder(path)
    saved = [p for p in Path(path).glob("checkpoints/*") if p.name.isdigit()]
    if not saved and Path(path).exists():
        shutil.rmtree(path)  # the run was killed before its first checkpoint
    print("started", flush=True)
    fit(toys.gan(ema=0.9), IMAGES, config(int(steps)), folder, resume=bool(saved))


if __name__ == "__main__":
    main(*sys.argv[1:])
