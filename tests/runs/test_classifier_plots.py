import numpy as np
import pytest
from PIL import Image

from jaxlayers.runs import classifier_plots

RNG = np.random.default_rng(0)


def read(path, mode="RGB"):
    """Returns the pixels of a picture."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert(mode))


def colors(path):
    """Returns how many colors a picture has."""
    return len(np.unique(read(path).reshape(-1, 3), axis=0))


@pytest.mark.parametrize("classes", [2, 10, pytest.param(100, marks=pytest.mark.slow)])
def test_a_confusion_matrix_is_darker_for_larger_counts(tmp_path, classes):
    path = tmp_path / "confusion.png"
    names = [f"class {n}" for n in range(classes)]
    classifier_plots.save_confusion(np.eye(classes, dtype=int) * 7, names, path)
    diagonal = colors(path)
    classifier_plots.save_confusion(np.zeros((classes, classes), int), names, path)
    assert diagonal > colors(path)


NAMES_WITHOUT_GLYPHS = ["猫", "قط", "חתול", "🥑", "a\nb", "\x1b[2J", "", " ", "\u0915\u0941"]


def test_names_that_cannot_be_drawn_are_replaced_by_labels(tmp_path):
    drawable = ["größe", "кот", "$\\frac$"]  # a dollar sign does not start a formula
    names, matrix = drawable + NAMES_WITHOUT_GLYPHS, np.eye(12, dtype=int)
    labels = [f"class {label}" for label in range(3, 12)]
    classifier_plots.save_confusion(matrix, names, tmp_path / "named.png")
    classifier_plots.save_confusion(matrix, drawable + labels, tmp_path / "numbered.png")
    np.testing.assert_array_equal(read(tmp_path / "named.png"), read(tmp_path / "numbered.png"))
    classifier_plots.save_confusion(matrix, labels[:3] + labels, tmp_path / "others.png")
    assert not np.array_equal(read(tmp_path / "named.png"), read(tmp_path / "others.png"))


def test_long_names_are_truncated(tmp_path):
    shapes = []
    for name in ("n" * 30, "n" * 3000):
        classifier_plots.save_confusion(np.eye(2, dtype=int), [name, "b"], tmp_path / "a.png")
        shapes.append(read(tmp_path / "a.png").shape)
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("channels", [1, 3, 16])
def test_kernels_with_any_number_of_channels_are_plotted(tmp_path, channels):
    classifier_plots.save_kernels(RNG.normal(size=(7, 5, 5, channels)), tmp_path / "a.png")
    assert colors(tmp_path / "a.png") > 50


@pytest.mark.parametrize("channels, count", [(1, 1), (3, 3), (32, 32), (40, 32)])
def test_feature_maps_are_plotted_in_a_grid_with_transparent_gaps(tmp_path, channels, count):
    maps = RNG.normal(size=(4, 5, channels))
    assert classifier_plots.save_feature_maps(maps, tmp_path / "a.png") == count
    pixels = read(tmp_path / "a.png", "RGBA")
    rows, columns = -(-count // 16), min(count, 16)
    scale = 600 // (6 * columns - 1)
    assert pixels.shape[:2] == (scale * (5 * rows - 1), scale * (6 * columns - 1))
    opaque = np.zeros((5 * rows, 6 * columns), bool)
    for number in range(count):
        top, left = 5 * (number // columns), 6 * (number % columns)
        opaque[top : top + 4, left : left + 5] = True
    np.testing.assert_array_equal(pixels[::scale, ::scale, 3] == 255, opaque[:-1, :-1])


def test_the_gaps_between_kernels_are_transparent(tmp_path):
    classifier_plots.save_kernels(RNG.normal(size=(4, 5, 5, 1)), tmp_path / "a.png")
    scale = 600 // 13
    opacity = read(tmp_path / "a.png", "RGBA")[::scale, ::scale, 3]
    expected = np.zeros((13, 13))
    expected[1:6, 1:6] = expected[1:6, 7:12] = expected[7:12, 1:6] = expected[7:12, 7:12] = 255
    np.testing.assert_array_equal(opacity, expected)


@pytest.mark.parametrize(
    "side, plotted", [(3, 150), (100, 100), (256, 256), (257, 129), (1024, 256)]
)
def test_small_images_are_enlarged_and_large_ones_reduced(tmp_path, side, plotted):
    image = RNG.random((side, side, 3))
    classifier_plots.save_thumbnail(image, tmp_path / "a.png")
    assert read(tmp_path / "a.png").shape == (plotted, plotted, 3)
    classifier_plots.save_saliency(image, image.mean(-1), tmp_path / "b.png")
    assert read(tmp_path / "b.png").shape[1] == plotted


def test_a_constant_feature_map_is_plotted(tmp_path):
    classifier_plots.save_feature_maps(np.ones((4, 4, 2)), tmp_path / "a.png")
    assert colors(tmp_path / "a.png") == 2


@pytest.mark.parametrize("channels", [1, 3])
def test_saliency_is_plotted_below_its_image(tmp_path, channels):
    image, saliency = RNG.random((8, 8, channels)), np.zeros((8, 8))
    saliency[2, 3] = 5
    classifier_plots.save_saliency(image, saliency, tmp_path / "a.png")
    scale = 150 // 8
    pixels = read(tmp_path / "a.png", "RGBA")[::scale, ::scale]
    expected = np.broadcast_to(np.round(image * 255), (8, 8, 3))
    np.testing.assert_array_equal(pixels[:8, :, :3], expected)
    brightness = pixels[9:, :, :3].sum(-1)
    assert np.unravel_index(brightness.argmax(), (8, 8)) == (2, 3)
