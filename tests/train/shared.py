"""A short run on several devices or processes: `python -m tests.train.shared --help`."""

import argparse
from pathlib import Path

import jax

from jaxlayers.runs import RunFolder
from jaxlayers.train import FitConfig, fit
from tests.train import toys
from tests.train.killable import IMAGES


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--devices", type=int)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--coordinator")
    parser.add_argument("--process", type=int)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    if arguments.coordinator:
        jax.distributed.initialize(arguments.coordinator, 2, arguments.process)
    folder = RunFolder(arguments.folder)
    config = FitConfig(
        steps=arguments.steps,
        batch_size=8,
        log_every=1,
        checkpoint_every=10,
        devices=arguments.devices,
    )
    result = fit(toys.gan(ema=0.9), IMAGES, config, folder, resume=arguments.resume)
    print("ended after", int(result.train_state.step), flush=True)


if __name__ == "__main__":
    main()
