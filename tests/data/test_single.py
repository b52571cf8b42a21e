import numpy as np
import pytest
from PIL import Image
from sample_files import write_image

from jaxlayers.data import border, load, read_image

SHAPE = (28, 28, 1)


def write_bar(path, ink, paper, *, size=(60, 40), mode="L"):
    """Writes an image of a vertical bar; `size` is (height, width)."""
    height, width = size
    image = Image.new(mode, (width, height), paper)
    image.paste(ink, (width // 2 - 3, height // 4, width // 2 + 3, 3 * height // 4))
    image.save(path)
    return path


def test_the_border_of_mnist_is_black():
    assert border(load("mnist-5k").images) == 0


def test_the_border_of_varying_or_color_images_is_none():
    rng = np.random.default_rng(0)
    uneven = np.broadcast_to(rng.integers(256, size=(20, 1, 1, 1)), (20, 4, 4, 1))
    assert border(uneven.astype(np.uint8)) is None
    assert border(np.zeros((20, 4, 4, 3), np.uint8)) is None


def test_the_border_is_computed_for_all_image_dtypes():
    assert border(np.full((2, 4, 4), 1.0)) == 1
    with pytest.raises(TypeError, match="border: images must be an array or a list, got NoneType"):
        border(None)


def test_dark_on_light_images_are_inverted_for_a_light_on_dark_model(tmp_path):
    dark, dark_inverted = read_image(write_bar(tmp_path / "a.png", 0, 255), SHAPE, border=0.0)
    light, light_inverted = read_image(write_bar(tmp_path / "b.png", 255, 0), SHAPE, border=0.0)
    assert (dark_inverted, light_inverted) == (True, False)
    np.testing.assert_allclose(dark, light, atol=1e-6)
    assert dark[0, 0] == 0 and dark[14, 14] == 1


def test_images_are_not_inverted_without_a_border(tmp_path):
    image, inverted = read_image(write_bar(tmp_path / "a.png", 0, 255), SHAPE)
    assert not inverted and image[0, 0] == 1 and image[14, 14] == 0


def test_the_aspect_ratio_is_kept_with_a_border(tmp_path):
    path = write_bar(tmp_path / "tall.png", 255, 0, size=(90, 30))
    image, _ = read_image(path, SHAPE, border=0.0)
    rows, columns = np.nonzero(image[..., 0] > 0.5)
    # The bar is 6 x 45 pixels, and the height of 90 is resized to 28.
    assert np.ptp(rows) + 1 == pytest.approx(45 * 28 / 90, abs=1.1)
    assert np.ptp(columns) + 1 == pytest.approx(6 * 28 / 90, abs=1.1)


def test_transparent_pixels_are_blended_with_white(tmp_path):
    path = write_bar(tmp_path / "a.png", (0, 0, 0, 255), (0, 0, 0, 0), mode="RGBA")
    image, inverted = read_image(path, SHAPE, border=0.0)
    assert inverted and image[0, 0] == 0 and image[14, 14] == 1


def test_images_are_stretched_to_the_shape_without_a_border(tmp_path):
    path = write_image(tmp_path / "a.png", (255, 0, 51), mode="RGB", size=(5, 9))
    image, inverted = read_image(path, (4, 4, 3))
    assert not inverted and image.dtype == np.float32
    np.testing.assert_allclose(image, np.broadcast_to([1, 0, 0.2], (4, 4, 3)), atol=1e-6)


def test_images_of_16_bits_are_not_clipped(tmp_path):
    Image.fromarray(np.full((4, 4), 0x8000, np.uint16)).save(tmp_path / "a.png")
    image, _ = read_image(tmp_path / "a.png", (4, 4, 1))
    np.testing.assert_allclose(image, round(0x8000 / 257) / 255)


def test_the_exif_orientation_is_applied(tmp_path):
    image = Image.fromarray(np.array([[0, 0], [255, 255]], np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6  # rotated by 90 degrees
    image.save(tmp_path / "a.png", exif=exif)
    rotated, _ = read_image(tmp_path / "a.png", (2, 2, 1))
    assert rotated[..., 0].tolist() == [[1, 0], [1, 0]]


def test_missing_and_unreadable_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"path .*gone\.png: there is no such file; give a"):
        read_image(tmp_path / "gone.png", SHAPE)
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(ValueError, match=r"text\.png is not a readable image"):
        read_image(tmp_path / "text.png", SHAPE)


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 4), (0, 28, 1), (28.0, 28, 1), None, 3])
def test_invalid_shapes_are_refused(tmp_path, shape):
    with pytest.raises(ValueError, match=r"read_image: shape must be \(height, width, channels\)"):
        read_image(write_image(tmp_path / "a.png"), shape)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"border": 2}, "read_image: border must be from 0 to 1, or None, got 2"),
        ({"border": "x"}, "read_image: border must be from 0 to 1, or None, got 'x'"),
        ({"background": 0.0}, "read_image: background must be 'white', 'black', .* got 0.0"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        read_image(write_image(tmp_path / "a.png"), SHAPE, **arguments)


def test_a_path_of_a_wrong_type_is_refused():
    with pytest.raises(TypeError, match=r"read_image: path must be a str or a Path .* got 3"):
        read_image(3, SHAPE)


@pytest.mark.parametrize("background", ["white", "black", (200, 10, 30)])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(9, 7), (5, 6)])
def test_read_image_returns_the_pixels_that_load_does(tmp_path, background, mode, size):
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(9, 7, len(mode)), dtype=np.uint8)
    image = Image.fromarray(pixels.squeeze())
    exif = image.getexif()
    exif[0x0112] = 3
    image.save(tmp_path / "a.png", exif=exif)
    loaded = load(tmp_path, size=size, background=background)
    read, _ = read_image(tmp_path / "a.png", loaded.image_shape, background=background)
    np.testing.assert_array_equal(read, loaded.images[0] / np.float32(255))
