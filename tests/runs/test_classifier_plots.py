import numpy as np
import pytest
from PIL import Image

from jaxlayers.runs import classifier_plots

RNG = np.random.default_rng(0)


def colours(path):
    """Returns how many colours a picture has."""
    with Image.open(path) as picture:
        return len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0))


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_a_confusion_matrix_is_darker_where_more_is(tmp_path, classes):
    path = tmp_path / "confusion.png"
    names = [f"class {n}" for n in range(classes)]
    classifier_plots.save_confusion(np.eye(classes, dtype=int) * 7, names, path)
    diagonal = colours(path)
    classifier_plots.save_confusion(np.zeros((classes, classes), int), names, path)
    assert diagonal > colours(path)


@pytest.mark.parametrize("count", [1, 6, 7, 24])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_labelled_image_is_in_the_picture(tmp_path, count, channels):
    # Each of a grey of its own, which nothing else in the picture has in such a number.
    values = np.linspace(0.2, 0.8, count)
    images = np.ones((count, 8, 8, channels)) * values[:, None, None, None]
    classifier_plots.save_labelled(images, ["a\nb"] * count, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        grey = np.asarray(picture.convert("L")).ravel()
    often = np.bincount(grey, minlength=256)
    for value in values:
        around = round(value * 255)
        assert often[around - 3 : around + 4].sum() > 500


@pytest.mark.parametrize("channels", [1, 3, 16])
def test_kernels_are_drawn_of_any_number_of_channels(tmp_path, channels):
    classifier_plots.save_kernels(RNG.normal(size=(7, 5, 5, channels)), tmp_path / "a.png")
    assert colours(tmp_path / "a.png") > 50


def test_feature_maps_of_every_layer_are_drawn(tmp_path):
    image = RNG.random((8, 8, 1))
    maps = {"conv2d": RNG.normal(size=(8, 8, 40)), "max_pooling2d": RNG.normal(size=(4, 4, 3))}
    classifier_plots.save_feature_maps(image, {}, tmp_path / "none.png")
    classifier_plots.save_feature_maps(image, maps, tmp_path / "all.png")
    heights = []
    for name in ("none", "all"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            heights.append(picture.height)
    assert heights[1] > heights[0]
    assert colours(tmp_path / "all.png") > colours(tmp_path / "none.png")


def test_a_map_that_is_the_same_everywhere_is_no_error(tmp_path):
    maps = {"conv2d": np.ones((4, 4, 2))}
    classifier_plots.save_feature_maps(RNG.random((4, 4, 3)), maps, tmp_path / "a.png")
    assert (tmp_path / "a.png").exists()


def test_saliency_is_drawn_below_each_image(tmp_path):
    images, maps = RNG.random((3, 8, 8, 1)), RNG.random((3, 8, 8))
    classifier_plots.save_saliency(images, maps, ["a", "b", "c"], tmp_path / "a.png")
    assert colours(tmp_path / "a.png") > 200
