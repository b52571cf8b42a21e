import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from experiments import arithmetic, command_line
from experiments.generators import load_generator
from jaxlayers.runs import latents
from tests.experiments import generators


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    generators.save(path, generators.conditional())
    return path


def test_the_picture_shows_the_samples_their_means_and_the_result(folder, capsys):
    arguments = [str(folder), "--a", "0", "3", "--b", "1", "--c", "4", "--label", "2"]
    config = command_line.parse(arithmetic.Config, arguments)
    assert arithmetic.main(config) == 0
    assert capsys.readouterr().out.endswith("at the bottom right of arithmetic.png\n")
    with Image.open("arithmetic.png") as picture:
        pixels = np.asarray(picture).astype(int)
    scale = 600 // 20
    cells = pixels[::scale, ::scale][2:, 2:].reshape(4, 6, 3, 6, 3)[:, :4, :, :4]
    cells = cells.swapaxes(1, 2)  # [rows, columns, height, width, channels]

    samples = np.asarray(latents.uniform(jax.random.key(0), 5, 5))
    a, b, c = samples[[0, 3]], samples[[1]], samples[[4]]
    rows = {
        (0, 0): a[0],
        (0, 1): a[1],
        (0, 2): a.mean(0),
        (1, 0): b[0],
        (1, 2): b[0],
        (2, 0): c[0],
        (2, 2): c[0],
        (3, 2): a.mean(0) - b[0] + c[0],
    }
    images = load_generator(folder).images(jnp.array([*rows.values()]), jnp.full(8, 2))
    for position, image in zip(rows, images, strict=True):
        # Half a step of rounding, and the rounding errors of float32.
        assert np.abs(cells[position] - 255 * image).max() <= 0.51
    for position in ((1, 1), (2, 1), (3, 0), (3, 1)):
        assert not cells[position].any()


def test_wrong_arguments_are_refused(folder):
    numbers = {"a": (0,), "b": (1,), "c": (2,)}

    def main(**changed):
        return arithmetic.main(arithmetic.Config(folder, **numbers | changed))

    for value in ((), (-1,), (2**16,)):
        with pytest.raises(ValueError, match="b must be at least one number of a sample"):
            main(b=value)
    with pytest.raises(ValueError, match="label must be the class of the images"):
        main()
    with pytest.raises(ValueError, match="label must be the name of a class, 0, 1, 2, or its"):
        main(label="3")
    with pytest.raises(ValueError, match=r"out must end in \.png, got a\.npy"):
        main(out=arithmetic.Path("a.npy"))
