import numpy as np
import pytest
from PIL import Image

from experiments import film
from jaxlayers.runs import RunFolder, plots


def test_the_command_writes_a_film_of_the_samples(tmp_path, capsys):
    folder = RunFolder(tmp_path / "run")
    folder.sample_path(1).parent.mkdir(parents=True)
    for step in (1, 10, 100):
        plots.save_grid(np.full((4, 3, 3, 1), step / 100), folder.sample_path(step), scale=2)
    assert film.main(film.Config(folder.path)) == 0
    assert capsys.readouterr().out == "3 frames written to film.gif\n"
    with Image.open("film.gif") as picture:
        assert picture.n_frames == 3


def test_a_folder_without_samples_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no samples/step_\*\.png"):
        film.main(film.Config(tmp_path))
