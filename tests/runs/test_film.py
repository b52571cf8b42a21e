import numpy as np
import pytest
from PIL import Image, ImageSequence

from jaxlayers.runs import plots
from jaxlayers.runs.film import write_film


def grids(folder, steps, channels=1, size=8):
    """Writes a picture for each step, each of a different color; returns their paths by step."""
    paths = {}
    for position, step in enumerate(steps):
        color = np.linspace(0.2, 0.8, len(steps))[position] * np.array([1, 0.5, 0.25])[:channels]
        paths[step] = folder / f"{step}.png"
        plots.save_image(np.broadcast_to(color, (size, size, channels)), paths[step], scale=3)
    return paths


def frames_of(path):
    with Image.open(path) as film:
        frames = [
            (np.asarray(frame.convert("RGB")), frame.info["duration"])
            for frame in ImageSequence.Iterator(film)
        ]
        return frames, film.info["loop"]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_a_film_shows_the_samples_in_the_order_of_steps(tmp_path, channels, suffix):
    samples = grids(tmp_path, [100, 20, 3000], channels)
    path = tmp_path / f"film{suffix}"
    assert write_film(samples, path, frames_per_second=5, caption=False) == 3
    frames, loop = frames_of(path)
    assert loop == 0 and [duration for _, duration in frames] == [200, 200, 2000]
    for step, (frame, _) in zip(sorted(samples), frames, strict=True):
        expected = np.asarray(Image.open(samples[step]).convert("RGB")).astype(int)
        # WebP is lossy; a GIF has all colors of a frame with few of them.
        assert np.abs(frame - expected).max() <= (0 if suffix == ".gif" else 6)


def test_captions_are_below_the_samples(tmp_path):
    samples = grids(tmp_path, [1, 2], size=30)
    write_film(samples, tmp_path / "film.gif")
    frames, _ = frames_of(tmp_path / "film.gif")
    (first, _), (second, _) = frames
    assert first.shape == (90 + 28, 90, 3)
    np.testing.assert_array_equal(first[:90], np.asarray(Image.open(samples[1]).convert("RGB")))
    assert first[90:].max() > 150 and (first[90:] != second[90:]).any()


def test_many_samples_are_thinned_out_evenly(tmp_path):
    samples = grids(tmp_path, range(10, 110, 10))
    assert write_film(samples, tmp_path / "film.gif", max_frames=4, caption=False) == 4
    frames, _ = frames_of(tmp_path / "film.gif")
    for step, (frame, _) in zip((10, 40, 70, 100), frames, strict=True):
        np.testing.assert_array_equal(frame, np.asarray(Image.open(samples[step]).convert("RGB")))


def test_wrong_arguments_are_refused(tmp_path):
    samples = grids(tmp_path, [1, 2])
    path = tmp_path / "film.gif"
    with pytest.raises(ValueError, match=r"path must end in \.gif or \.webp, got .*film\.mp4"):
        write_film(samples, tmp_path / "film.mp4")
    with pytest.raises(ValueError, match="at least one grid, got none"):
        write_film({}, path)
    for rate in (0, -1, 51, float("nan")):
        with pytest.raises(ValueError, match="frames_per_second must be above 0 and at most 50"):
            write_film(samples, path, frames_per_second=rate)
    with pytest.raises(ValueError, match="max_frames must be an integer of at least 2, got 1"):
        write_film(samples, path, max_frames=1)
    samples |= grids(tmp_path, [3], size=9)
    with pytest.raises(ValueError, match=r"same size, got \(24, 24\) at step 1 and \(27, 27\)"):
        write_film(samples, path)
    assert not path.exists()
