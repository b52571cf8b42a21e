import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from jaxlayers.runs import plots


def read(path):
    """Returns the pixels of a picture."""
    with Image.open(path) as picture:
        return np.asarray(picture)


DIGITS = np.random.default_rng(0).uniform(size=(7, 4, 5, 1))


@given(st.integers(1, 30), st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 3]))
def test_a_grid_has_the_images_in_row_major_order_with_zeros_in_gaps(
    count, height, width, channels
):
    images = np.arange(1, count + 1.0).reshape(-1, 1, 1, 1) * np.ones((height, width, channels))
    grid = plots.tile(images, gap=2)
    columns = (grid.shape[1] - 2) // (width + 2)
    rows = (grid.shape[0] - 2) // (height + 2)
    assert grid.shape == (rows * (height + 2) + 2, columns * (width + 2) + 2, channels)
    # As many columns as rows or one more, and no empty row.
    assert (columns - 1) ** 2 < count <= columns**2 and (rows - 1) * columns < count
    expected = np.zeros_like(grid)
    for number in range(count):
        top = 2 + number // columns * (height + 2)
        left = 2 + number % columns * (width + 2)
        expected[top : top + height, left : left + width] = images[number]
    np.testing.assert_array_equal(grid, expected)


def test_the_gap_can_be_zero():
    np.testing.assert_array_equal(plots.tile(DIGITS[:1], gap=0), DIGITS[0])


def test_a_grid_can_have_any_number_of_columns(tmp_path):
    images = np.repeat(DIGITS[:1], 6, 0) * np.linspace(0, 1, 6)[:, None, None, None]
    _, height, width, _ = images.shape
    rows = images.reshape(3, 2, height, width, 1).swapaxes(1, 2).reshape(3 * height, 2 * width, 1)
    np.testing.assert_array_equal(plots.tile(images, gap=0, columns=2), rows)
    plots.save_grid(images, tmp_path / "grid.png", scale=1, columns=2)
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.size == (2 * (width + 2) + 2, 3 * (height + 2) + 2)


@pytest.mark.parametrize("channels, mode", [(1, "L"), (3, "RGB")])
def test_a_grid_has_the_channels_of_the_images(tmp_path, channels, mode):
    images = np.linspace(0, 1, 2 * 3 * 3 * channels).reshape(2, 3, 3, channels)
    plots.save_grid(images, tmp_path / "grid.png", scale=1)
    with Image.open(tmp_path / "grid.png") as picture:
        assert (picture.mode, picture.size) == (mode, (2 + 2 * 5, 2 + 5))
        pixels = np.asarray(picture).reshape(7, 12, channels)
    np.testing.assert_array_equal(pixels[2:5, 2:5], np.round(images[0] * 255))
    np.testing.assert_array_equal(pixels[2:5, 7:10], np.round(images[1] * 255))
    assert pixels[:2].max() == 0


def test_values_outside_0_to_1_are_clipped(tmp_path):
    images = np.array([-0.5, 2.0]).reshape(2, 1, 1, 1)
    plots.save_grid(images, tmp_path / "grid.png", scale=1)
    assert read(tmp_path / "grid.png")[2, [2, 5]].tolist() == [0, 255]


def test_scale_enlarges_each_pixel_to_a_square(tmp_path):
    plots.save_grid(DIGITS, tmp_path / "one.png", scale=1)
    plots.save_grid(DIGITS, tmp_path / "three.png", scale=3)
    one, three = (read(tmp_path / f"{n}.png") for n in ("one", "three"))
    np.testing.assert_array_equal(three, np.kron(one, np.ones((3, 3), np.uint8)))


def test_the_default_scale_makes_grids_about_600_pixels_wide(tmp_path):
    for count, side in ((64, 28), (1, 28), (4, 512)):
        plots.save_grid(np.zeros((count, side, side, 1)), tmp_path / "grid.png")
        width = read(tmp_path / "grid.png").shape[1]
        assert 400 <= width <= 600 or (side == 512 and width == 2 * 514 + 2)


@pytest.mark.parametrize("shape", [(4, 5, 1), (2, 4, 5), (2, 4, 5, 2), (0, 4, 5, 1)])
def test_arrays_of_wrong_shapes_are_refused(tmp_path, shape):
    with pytest.raises(ValueError, match=r"1 or 3 channels\], got shape \(" + str(shape[0])):
        plots.save_grid(np.zeros(shape), tmp_path / "grid.png")
    assert not (tmp_path / "grid.png").exists()


def curves(count):
    rng = np.random.default_rng(0)
    return {
        "step": 10 * np.arange(1, count + 1),
        "discriminator_loss": rng.uniform(0.4, 0.8, count),
        "generator_loss": rng.uniform(0.6, 1.5, count),
        "fake_accuracy": rng.uniform(0.5, 1, count),
        "real_accuracy": rng.uniform(0.5, 1, count),
        "seconds": np.arange(count),
    }


@pytest.mark.parametrize("count", [1, 2, 300])
def test_curves_are_written_as_a_png(tmp_path, count):
    plots.save_curves(curves(count), tmp_path / "curves.png")
    pixels = read(tmp_path / "curves.png")[..., :3]
    assert pixels.shape[1] == 960
    # Each panel has a line in each of matplotlib's first two colors; legends have fewer pixels.
    for panel in np.array_split(pixels, 2):
        for color in ((31, 119, 180), (255, 127, 14)):
            assert np.all(panel == color, axis=-1).sum() > 20


def test_losses_accuracies_and_other_metrics_have_separate_panels(tmp_path):
    heights = []
    for names in (["some_loss"], ["a_accuracy", "some_loss"], ["a_accuracy", "fid", "some_loss"]):
        plots.save_curves(
            {"step": np.arange(3)} | dict.fromkeys(names, np.ones(3)), tmp_path / "curves.png"
        )
        heights.append(read(tmp_path / "curves.png").shape[0])
    assert heights == [384, 2 * 384, 3 * 384]


def test_scores_of_validation_images_are_dashed_lines(tmp_path):
    metrics = {"step": np.arange(9), "x_frechet_distance": np.linspace(10, 8, 9)}
    widest = []
    for real in ({}, {"x_frechet_distance": 2.0}):
        plots.save_curves(metrics, tmp_path / "curves.png", real)
        red, blue = (read(tmp_path / "curves.png")[..., channel].astype(int) for channel in (0, 2))
        # The line from 10 to 8 is above the lower half only if there is a line at 2.
        widest.append((blue - red > 50)[200:].sum(1).max())
    assert widest[0] < 100 < 400 < widest[1]


def test_groups_of_scores_have_a_panel_each(tmp_path):
    names = ("x_frechet_distance", "x_kernel_distance", "x_recall", "x_precision")
    metrics = {"step": np.arange(3)} | dict.fromkeys(names, np.ones(3))
    plots.save_curves(metrics, tmp_path / "curves.png")
    assert read(tmp_path / "curves.png").shape[0] == 3 * 384


def test_no_curves_are_written_without_metrics(tmp_path):
    plots.save_curves({}, tmp_path / "curves.png")
    plots.save_curves({"step": np.ones(1), "seconds": np.ones(1)}, tmp_path / "curves.png")
    assert not list(tmp_path.iterdir())


def test_special_characters_in_metric_names_are_plotted_literally(tmp_path):
    # An invalid formula, characters without a glyph, and names that legends omit.
    for name in ("$\\frac$_loss", "猫_loss", "_loss", "_", "a\n\x1b"):
        plots.save_curves({"step": np.arange(3), name: np.ones(3)}, tmp_path / "curves.png")
        assert read(tmp_path / "curves.png").shape[:2] == (384, 960)


def test_metrics_that_are_never_finite_are_not_plotted(tmp_path):
    metrics = {"step": np.arange(3), "fid": np.full(3, np.nan), "loss": np.ones(3)}
    plots.save_curves(metrics, tmp_path / "curves.png")
    assert read(tmp_path / "curves.png").shape[0] == 384


def test_values_are_dwarfed_if_one_is_twenty_times_the_median():
    assert plots.needs_log_axis(np.array([2000, 3, 2, 2, np.nan]))
    assert not plots.needs_log_axis(np.array([2.3, 1.0, 0.5, 0.4]))
    assert not plots.needs_log_axis(np.array([2000, 3, 2, 2, 0]))  # zero has no logarithm
    assert not plots.needs_log_axis(np.array([np.nan, np.inf]))
    assert not plots.needs_log_axis(np.empty(0))


def test_a_panel_with_dwarfed_values_is_logarithmic(tmp_path):
    def line_height(values):
        """Returns the height in pixels of the line of the last half of the values."""
        metrics = {"step": np.arange(len(values)), "loss": np.array(values)}
        plots.save_curves(metrics, tmp_path / "curves.png")
        pixels = read(tmp_path / "curves.png")[:, 600:, :3]
        line = np.all(np.abs(pixels - np.array([31, 119, 180])) < 30, axis=-1)
        return np.ptp(np.flatnonzero(line.any(1)))

    rest = [4.0, 3.0, 2.0, 1.0, 0.5, 0.25]
    assert line_height([1000.0, *rest]) > 40 > line_height([-1000.0, *rest])
