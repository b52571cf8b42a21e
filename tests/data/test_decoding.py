"""Decoding of files written by Pillow, compared with pixels computed by NumPy."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from jaxlayers.data import Streamed, load, read_image
from jaxlayers.data.decoding import decode

WHITE = (255, 255, 255)
GRAY_WEIGHTS = np.array([299, 587, 114]) / 1000  # ITU-R 601-2, as Pillow documents for mode L


def encode(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels_of(content, background=WHITE):
    return np.asarray(decode(content, background))


def blended(colors, alpha, background):
    """Returns colors blended with the background with weight alpha / 255, rounded."""
    weight = alpha[..., None] / 255
    return np.rint(colors * weight + np.array(background) * (1 - weight)).astype(np.uint8)


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(256, size=(16, 16, 4), dtype=np.uint8)


@pytest.mark.parametrize("background", [WHITE, (0, 0, 0), (10, 200, 90)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_transparent_pixels_are_blended_with_the_background(noise, kind, background):
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    content = encode(Image.fromarray(noise), kind, **options)
    expected = blended(noise[..., :3], noise[..., 3], background)
    np.testing.assert_array_equal(pixels_of(content, background), expected)


def test_transparent_grayscale_is_blended_with_the_luminance_of_the_background(noise):
    content = encode(Image.fromarray(noise[..., :2]))
    for background in (WHITE, (10, 200, 90)):
        luminance = [round(float(GRAY_WEIGHTS @ background))]
        expected = blended(noise[..., :1], noise[..., 1], luminance)[..., 0]
        np.testing.assert_array_equal(pixels_of(content, background), expected)


def test_load_streamed_and_read_image_blend_with_the_background(tmp_path):
    square = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    square.paste((255, 0, 0, 255), (2, 2, 6, 6))
    square.save(tmp_path / "a.png")
    for background, corner in (
        ("white", WHITE),
        ("black", (0, 0, 0)),
        ("#0102fE", (1, 2, 254)),
        ((1, 2, 3), (1, 2, 3)),
    ):
        expected = np.full((8, 8, 3), corner, np.uint8)
        expected[2:6, 2:6] = 255, 0, 0
        images = load(tmp_path, background=background).images
        np.testing.assert_array_equal(images, expected[None])
        streamed = Streamed(tmp_path, background=background)
        np.testing.assert_array_equal(next(streamed.batches(1, seed=0)), expected[None])
        read, inverted = read_image(tmp_path / "a.png", (8, 8, 3), background=background)
        np.testing.assert_array_equal(read, expected / np.float32(255))
        assert not inverted


@pytest.mark.parametrize(
    ("mode", "transparency", "pixel", "expected"),
    [
        ("1", 0, 0, 255),
        ("L", 7, 7, 255),
        ("L", 7, 8, 8),
        ("RGB", (1, 2, 3), (1, 2, 3), [255, 255, 255]),
        ("RGB", (1, 2, 3), (3, 2, 1), [3, 2, 1]),
        ("I;16", 300, 300, 255),
        ("I;16", 300, 257 * 9, 9),
    ],
)
def test_the_transparent_color_of_a_png_becomes_the_background(mode, transparency, pixel, expected):
    content = encode(Image.new(mode, (2, 2), pixel), transparency=transparency)
    assert pixels_of(content)[0, 0].tolist() == expected


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_transparent_palette_colors_become_the_background(kind):
    image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    image.putpalette([90, 80, 70, 10, 20, 30])
    expected = [list(WHITE), [10, 20, 30]]
    assert pixels_of(encode(image, kind, transparency=0))[0].tolist() == expected


def test_partially_transparent_palette_colors_are_blended():
    image = Image.new("P", (1, 1), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    colors, alpha = np.array([[[10, 20, 30]]]), np.array([[128]])
    content = encode(image, transparency=bytes([0, 128]))
    np.testing.assert_array_equal(pixels_of(content), blended(colors, alpha, WHITE))


# From the definition of the EXIF tag, which gives the sides of the image at which row 0 and column
# 0 of the file are.
ORIENTATIONS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", [*ORIENTATIONS, 0, 9])
def test_the_exif_orientation_is_applied(tmp_path, kind, orientation):
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 12
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    image.save(tmp_path / f"a.{kind}", exif=exif, **options)
    expected = ORIENTATIONS.get(orientation, ORIENTATIONS[1])(pixels)
    np.testing.assert_array_equal(load(tmp_path).images[0], expected)
    read, _ = read_image(tmp_path / f"a.{kind}", expected.shape)
    np.testing.assert_array_equal(read, expected / np.float32(255))


def test_exif_rotation_precedes_resizing(tmp_path):
    image = Image.fromarray(np.zeros((20, 10, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    assert load(tmp_path).image_shape == (10, 20, 3)
    assert load(tmp_path, size=(4, 8)).image_shape == (4, 8, 3)


def test_damaged_exif_data_is_ignored():
    content = encode(Image.new("L", (3, 2), 7), exif=b"Exif\0\0MM\0*\xff\xff\xff")
    assert pixels_of(content).tolist() == [[7] * 3] * 2


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_grayscale_images_of_16_bits_are_divided_by_257(kind):
    ramp = np.linspace(0, 65535, 1000).astype(np.uint16).reshape(20, 50)
    content = encode(Image.fromarray(ramp), kind)
    np.testing.assert_array_equal(pixels_of(content), np.rint(ramp / 257).astype(np.uint8))


@pytest.mark.parametrize("dtype", [">u2", "<i4"])
def test_tiffs_of_other_integer_types_are_divided_by_257(dtype):
    ramp = np.linspace(0, 65535, 100).astype(dtype).reshape(10, 10)
    content = tiff(ramp)
    np.testing.assert_array_equal(pixels_of(content), np.rint(ramp / 257).astype(np.uint8))


def test_values_of_8_bits_are_recovered_from_16_bits():
    values = np.arange(256, dtype=np.uint16).reshape(16, 16)
    assert np.array_equal(pixels_of(encode(Image.fromarray(values * 257))), values)


def test_floating_point_tiffs_are_multiplied_by_255():
    ramp = np.linspace(0, 1, 1000, dtype=np.float32).reshape(20, 50)
    content = encode(Image.fromarray(ramp), "TIFF")
    np.testing.assert_array_equal(pixels_of(content), np.rint(ramp * 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.array([[0, 255]], np.float32), "floating-point pixels must be from 0 to 1, got 0.0 to"),
        (np.array([[-0.1, 1]], np.float32), "floating-point pixels must be from 0 to 1, got -0.1"),
        (np.array([[np.nan, 1]], np.float32), "floating-point pixels must be from 0 to 1, got nan"),
        (np.array([[0, 65536]], np.int32), "integer pixels must be from 0 to 65535, got 0 to 6553"),
        (np.array([[-1, 0]], np.int32), "integer pixels must be from 0 to 65535, got -1 to 0"),
    ],
)
def test_pixels_out_of_range_are_refused(tmp_path, pixels, message):
    Image.fromarray(pixels).save(tmp_path / "a.tiff")
    for read in (lambda: load(tmp_path), lambda: read_image(tmp_path / "a.tiff", (2, 2, 1))):
        with pytest.raises(ValueError, match=rf"a.tiff.* is not a readable image \({message}"):
            read()


def test_unsupported_pillow_modes_are_refused():
    with pytest.raises(ValueError, match="it has Pillow's mode LAB, and these are read: 1, L, LA"):
        decode(encode(Image.new("LAB", (2, 2)), "TIFF"), WHITE)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
def test_other_color_spaces_are_converted_to_rgb(mode, tmp_path):
    image = Image.new("RGB", (8, 8), (200, 30, 60)).convert(mode)
    image.save(tmp_path / "a.tiff")
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(load(tmp_path).images[0], expected)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_only_the_first_frame_is_read(kind):
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert np.unique(pixels_of(content).reshape(-1, 3), axis=0).tolist() == [[255, 0, 0]]


def test_the_format_is_detected_from_the_content(tmp_path):
    Image.new("L", (4, 4), 7).save(tmp_path / "a.png", "BMP")
    assert load(tmp_path).images.ravel().tolist() == [7] * 16


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n{} loop\n"


def test_postscript_files_do_not_start_a_program(tmp_path):
    (tmp_path / "a.png").write_bytes(POSTSCRIPT)
    script = (
        "import subprocess, sys\n"
        "subprocess.Popen = subprocess.run = None\n"
        "from jaxlayers.data import Streamed, load, read_image\n"
        "folder = sys.argv[1]\n"
        "for read in (lambda: load(folder), lambda: Streamed(folder).image_shape,\n"
        "             lambda: read_image(folder + '/a.png', (4, 4, 1))):\n"
        "    try: read()\n"
        "    except ValueError as error: print(error)\n"
        "print('PIL.EpsImagePlugin' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, timeout=60
    )
    *errors, loaded = done.stdout.splitlines()
    assert loaded == "False", done.stderr
    assert len(errors) == 3
    for error in errors:
        assert "a.png" in error and "must be BMP, GIF, JPEG, PNG, PPM, TIFF or WEBP" in error
        assert "starts with b'%!PS-Adobe-3'" in error


@pytest.mark.parametrize("kind", ["ICO", "TGA", "PCX", "JPEG2000", "DDS", "SGI"])
def test_undocumented_formats_are_refused(kind):
    with pytest.raises(ValueError, match="its content must be BMP, GIF, JPEG, PNG, PPM, TIFF or"):
        decode(encode(Image.new("RGB", (16, 16)), kind), WHITE)


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def tiff(pixels, **tags):
    """Encodes an array as a TIFF with one strip; `tags` are added, or removed if None."""
    height, width = pixels.shape
    kind = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    order = ">" if pixels.dtype.str[0] == ">" else "<"
    entries = {
        256: width,
        257: height,
        258: 8 * pixels.dtype.itemsize,
        259: 1,
        262: 1,
        273: 8,
        277: 1,
        278: height,
        279: pixels.nbytes,
        339: kind,
    } | {int(tag.removeprefix("tag_")): value for tag, value in tags.items()}
    entries = {tag: value for tag, value in sorted(entries.items()) if value is not None}
    header = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(f"{order}I", 8 + pixels.nbytes)
    directory = struct.pack(f"{order}H", len(entries)) + b"".join(
        struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in entries.items()
    )
    return header + pixels.tobytes() + directory + bytes(4)


EDGE = 40_000


def huge_png():
    header = struct.pack(">IIBBBBB", EDGE, EDGE, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 20))
    body = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def huge_gif():
    frame = struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0;"
    return b"GIF89a" + struct.pack("<HHBBB", EDGE, EDGE, 0x80, 0, 0) + bytes(6) + b"," + frame


def huge_webp():
    canvas = struct.pack("<I", EDGE // 3 - 1)[:3]
    extended = b"VP8X" + struct.pack("<I", 10) + bytes([2, 0, 0, 0]) + 2 * canvas
    image = encode(Image.new("RGB", (1, 1)), "WEBP", lossless=True)[12:]
    frame = bytes(16) + image
    animation = b"ANIM" + struct.pack("<I", 6) + bytes(6)
    animation += b"ANMF" + struct.pack("<I", len(frame)) + frame
    body = b"WEBP" + extended + animation
    return b"RIFF" + struct.pack("<I", len(body)) + body


HUGE_FILES = {
    "png": huge_png,
    "gif": huge_gif,
    "webp": huge_webp,
    "bmp": lambda: b"BM" + struct.pack("<IHHIIIIHHIIIIII", 54, 0, 0, 54, 40, EDGE, EDGE, 1, 24,
                                       0, 0, 0, 0, 0, 0),
    "ppm": lambda: f"P6 {EDGE} {EDGE} 255\n".encode(),
    "tiff": lambda: tiff(np.zeros((1, 1), np.uint8), tag_256=EDGE, tag_257=EDGE),
    "tile": lambda: tiff(
        np.zeros((1, 1), np.uint8),
        tag_322=EDGE,
        tag_323=EDGE,
        tag_324=8,
        tag_325=1,
        tag_259=8,
        **dict.fromkeys(("tag_273", "tag_278", "tag_279")),
    ),
}  # fmt: skip

MEASURE_MEMORY = """
import resource, sys, warnings
warnings.simplefilter("ignore")
from jaxlayers.data.decoding import decode, pillow
pillow()
import PIL.ImageOps
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    try:
        decode(open(path, "rb").read(), (255, 255, 255))
    except Exception as error:
        print(path, error)
    else:
        print("decoded", path)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_huge_images_are_refused_without_allocating_memory(tmp_path):
    paths = [tmp_path / f"huge.{name}" for name in HUGE_FILES]
    for path, make in zip(paths, HUGE_FILES.values(), strict=True):
        path.write_bytes(make())
    done = subprocess.run(
        [sys.executable, "-c", MEASURE_MEMORY, *paths], capture_output=True, text=True, timeout=60
    )
    *errors, mebibytes = done.stdout.splitlines()
    assert len(errors) == len(paths), done.stdout + done.stderr
    for path, error in zip(paths, errors, strict=True):
        assert error.startswith(str(path)) and "Image size" in error, error
    assert int(mebibytes) < 32
