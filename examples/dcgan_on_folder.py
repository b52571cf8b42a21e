"""A DCGAN of your own images: trains it on a folder and writes a grid of generated images.

python examples/dcgan_on_folder.py PHOTOS --size 64 --steps 10000 --out samples.png
"""

import argparse
from pathlib import Path

import jax
import numpy as np
import optax
from PIL import Image

from jaxlayers import data, train
from jaxlayers.models import dcgan


def main(arguments=None):
    """Trains the GAN and returns the path of the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="a folder or .zip of images")
    parser.add_argument("--size", type=int, default=32, help="height and width, a multiple of 4")
    parser.add_argument("--width", type=int, default=64, help="channels of the generator")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--run", help="folder of the run, which can be resumed")
    parser.add_argument("--out", default="samples.png")
    options = parser.parse_args(arguments)

    images = data.load(options.folder, size=(options.size, options.size), labels=False)
    shape = images.images.shape[1:]
    gan = train.GAN(
        dcgan.generator(shape, width=options.width),
        dcgan.discriminator(shape, width=options.width // 4),
        generator_optimizer=optax.adam(2e-4, b1=0.5),
        discriminator_optimizer=optax.adam(2e-4, b1=0.5),
        ema=0.999,  # sample with a moving average of the generator's params
    )
    config = train.FitConfig(steps=options.steps, batch_size=options.batch_size)
    resume = options.run is not None and Path(options.run).exists()
    result = train.fit(gan, images, config, options.run, resume=resume)

    samples = np.asarray(gan.sample(result.train_state, jax.random.key(0), 64))  # 0 to 1
    rows = np.concatenate(np.split(samples, 8), axis=1)  # [8, 8 * height, width, channels]
    grid = np.uint8(255 * np.concatenate(rows, axis=1))
    Image.fromarray(grid.squeeze(-1) if shape[-1] == 1 else grid).save(options.out)
    return options.out


if __name__ == "__main__":
    print("written:", main())
