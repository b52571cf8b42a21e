"""Augmentations compared with NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers.train.augmentation import Color, Cutout, Flip, Shift, Translation, augment

KEY = jax.random.key(0)
augmented = jax.jit(augment, static_argnums=0)
ALL = [Shift(1), Translation(0.5), Color(), Flip(), Cutout(2)]
all_augmentations = pytest.mark.parametrize("augmentation", ALL, ids=repr)


def image(height=4, width=6, channels=2):
    """Returns an image of different nonzero values."""
    return jnp.arange(1.0, 1 + height * width * channels).reshape(height, width, channels)


def results(augmentation, image, count=400):
    """Returns the outputs of an augmentation for one image and several keys."""
    return np.asarray(
        jax.jit(jax.vmap(augmentation, (0, None)))(jax.random.split(KEY, count), image)
    )


def shifted(array, down, right):
    """Shifts an array by slicing, and fills with zeros."""
    result = np.zeros_like(array)
    height, width = array.shape[:2]
    target = (
        slice(max(down, 0), max(height + min(down, 0), 0)),
        slice(max(right, 0), max(width + min(right, 0), 0)),
    )
    source = (
        slice(max(-down, 0), max(height - max(down, 0), 0)),
        slice(max(-right, 0), max(width - max(right, 0), 0)),
    )
    result[target] = array[source]
    return result


def distinct(arrays):
    return {array.tobytes() for array in arrays}


@pytest.mark.parametrize("pixels", [1, 2])
def test_shifts_are_all_offsets_up_to_the_number_of_pixels(pixels):
    original = np.asarray(image())
    offsets = range(-pixels, pixels + 1)
    allowed = distinct(shifted(original, down, right) for down in offsets for right in offsets)
    assert len(allowed) == len(offsets) ** 2
    # With 400 samples, one of 25 offsets is missing with a probability of 2e-6.
    assert distinct(results(Shift(pixels), image())) == allowed


def test_shifts_can_be_larger_than_the_image():
    small = image(1, 2, 1)
    allowed = distinct(
        shifted(np.asarray(small), down, right) for down in range(-3, 4) for right in range(-3, 4)
    )
    assert distinct(results(Shift(3), small)) == allowed
    assert np.zeros((1, 2, 1), np.float32).tobytes() in allowed


def test_translations_are_all_offsets_up_to_a_fraction_of_the_size():
    original = np.asarray(image(4, 12))
    # A fraction of 0.15 is 0.6 of 4 pixels, rounded to 1, and 1.8 of 12 pixels, rounded to 2.
    allowed = distinct(
        shifted(original, down, right) for down in range(-1, 2) for right in range(-2, 3)
    )
    assert distinct(results(Translation(0.15), image(4, 12))) == allowed
    np.testing.assert_array_equal(Translation(0.0)(KEY, original), original)


def test_colors_equal_the_written_out_formula():
    x = np.random.default_rng(0).random((4, 5, 3))
    color = Color(brightness=0.3, saturation=0.8, contrast=0.6, clip=False)
    factors = []
    for changed in results(color, jnp.asarray(x, jnp.float32), 100).astype(np.float64):
        # The gray values are multiplied by the contrast, their mean is shifted by the brightness,
        # and the differences of the channels are multiplied by contrast and saturation.
        brightness = changed.mean() - x.mean()
        gray, before = (each.mean(-1) - each.mean() for each in (changed, x))
        contrast = (gray * before).sum() / (before**2).sum()
        colors, before = (each - each.mean(-1, keepdims=True) for each in (changed, x))
        saturation = (colors * before).sum() / (before**2).sum() / contrast
        factors.append((brightness, saturation, contrast))
        expected = x + brightness
        mean = expected.mean(-1, keepdims=True)
        expected = mean + saturation * (expected - mean)
        expected = expected.mean() + contrast * (expected - expected.mean())
        np.testing.assert_allclose(changed, expected, atol=1e-5)
    # All three are uniform and independent: their ranges, and correlations within 4 deviations.
    least, most = np.min(factors, 0), np.max(factors, 0)
    for number, (center, radius) in enumerate([(0, 0.3), (1, 0.8), (1, 0.6)]):
        assert center - radius <= least[number] < center - 0.8 * radius
        assert center + 0.8 * radius < most[number] <= center + radius
    assert np.abs(np.corrcoef(np.transpose(factors)) - np.eye(3)).max() < 0.4


def test_colors_are_clipped_to_the_range_of_images():
    x = np.random.default_rng(0).random((4, 4, 3)).astype(np.float32)
    clipped, unclipped = (results(Color(clip=clip), jnp.asarray(x)) for clip in (True, False))
    assert unclipped.min() < 0 and unclipped.max() > 1
    # Compiled separately, with other roundings.
    np.testing.assert_allclose(clipped, np.clip(unclipped, 0, 1), atol=1e-6)
    pixels = np.rint(x * 255).astype(np.uint8)
    bytes_of = results(Color(clip=False), jnp.asarray(pixels))
    expected = results(Color(), jnp.asarray(pixels / np.float32(255)))
    assert bytes_of.dtype == np.uint8
    np.testing.assert_allclose(bytes_of, expected * 255, atol=0.5001)


def test_gray_images_have_no_saturation():
    color = Color(brightness=0.0, saturation=1.0, contrast=0.0)
    x = jnp.linspace(0, 1, 16).reshape(4, 4, 1)
    np.testing.assert_allclose(color(KEY, x), x, atol=1e-6)


@pytest.mark.parametrize("augmentation", [*ALL[:2], Color(clip=False), *ALL[3:]], ids=repr)
def test_gradients_with_respect_to_images_equal_finite_differences(augmentation):
    images = jax.random.uniform(KEY, (4, 4, 6, 3))
    weights, direction = jax.random.normal(jax.random.key(1), (2, *images.shape))

    @jax.jit
    def weighted(images):
        return jnp.sum(weights * augment([augmentation], KEY, images))

    gradient = jax.jit(jax.grad(weighted))(images)
    # All augmentations are piecewise linear: the central difference is exact up to rounding.
    difference = weighted(images + direction / 2) - weighted(images - direction / 2)
    np.testing.assert_allclose(jnp.sum(gradient * direction), difference, rtol=1e-3, atol=1e-4)
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0.1


def test_augmentations_are_applied_with_the_probability():
    images = jnp.stack([image()] * 400)
    changes = [lambda key, x: x + 100, lambda key, x: x + 1000]
    probable = jax.jit(lambda p: augment(changes, KEY, images, p))
    added = np.asarray(probable(0.25) - images)
    assert set(np.unique(added)) == {0, 100, 1000, 1100}
    assert (added == added[:, :1, :1, :1]).all()
    # Within 4 standard deviations.
    assert abs((added[:, 0, 0, 0] % 1000 > 0).mean() - 0.25) < 0.09
    assert abs((added[:, 0, 0, 0] > 500).mean() - 0.25) < 0.09
    np.testing.assert_array_equal(probable(0.0), images)
    np.testing.assert_array_equal(probable(1.0), augment(changes, KEY, images))


def test_flips_are_horizontal_with_probability_one_half():
    original = np.asarray(image())
    changed = results(Flip(), image())
    assert distinct(changed) == distinct([original, np.fliplr(original)])
    flipped = [not np.array_equal(each, original) for each in changed]
    # Four standard deviations.
    assert 160 < sum(flipped) < 240


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_cutouts_are_squares_around_any_pixel_clipped_at_the_borders(size):
    original = np.asarray(image(4, 5))
    allowed = []
    for row, column in np.ndindex(4, 5):
        cut = original.copy()
        top, left = row - size // 2, column - size // 2
        cut[max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = 0
        allowed.append(cut)
    assert distinct(results(Cutout(size), image(4, 5))) == distinct(allowed)


def test_cutouts_away_from_the_borders_have_the_given_size():
    cut = (results(Cutout(3), image(9, 9, 1)) == 0).sum((1, 2, 3))
    assert cut.max() == 9 and cut.min() == 4  # 2 x 2 pixels at a corner
    assert set(cut.tolist()) == {4, 6, 9}


@all_augmentations
def test_images_of_a_batch_have_independent_random_numbers(augmentation):
    changed = np.asarray(augmented((augmentation,), KEY, jnp.stack([image()] * 64)))
    assert len(distinct(changed)) > 1


@all_augmentations
def test_results_depend_only_on_the_key(augmentation):
    images = jnp.stack([image()] * 16)
    first, repeated, other = (
        augmented((augmentation,), jax.random.key(seed), images) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, repeated)
    assert not np.array_equal(first, other)


def test_augmentations_are_applied_in_order_with_independent_keys():
    images = jnp.stack([image()] * 3)
    changed = augment([lambda key, x: x + 1, lambda key, x: x * 2], KEY, images)
    np.testing.assert_array_equal(changed, (images + 1) * 2)
    # Two equal augmentations have different random numbers.
    twice = np.asarray(augmented((Flip(), Flip()), KEY, jnp.stack([image()] * 64)))
    assert len(distinct(twice)) == 2


def test_images_are_unchanged_without_augmentations():
    images = jnp.stack([image()] * 2)
    assert augment([], KEY, images) is images


@all_augmentations
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.uint8])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 3, 4)])
def test_shape_and_dtype_are_kept(augmentation, dtype, shape):
    x = jnp.ones((2, *shape), dtype)
    changed = augmented((augmentation,), KEY, x)
    assert changed.shape == x.shape and changed.dtype == dtype


@all_augmentations
def test_results_are_the_same_under_jit(augmentation):
    images = jnp.stack([image()] * 3)
    np.testing.assert_array_equal(
        augmented((augmentation,), KEY, images), augment([augmentation], KEY, images)
    )


@pytest.mark.parametrize("cls", [Shift, Cutout])
@pytest.mark.parametrize("value", [0, -1, 1.0, "2", None, True])
def test_arguments_that_are_not_positive_integers_are_refused(cls, value):
    name = "pixels" if cls is Shift else "size"
    message = f"{cls.__name__}: {name} must be a positive integer, got {value!r}"
    with pytest.raises(ValueError, match=message):
        cls(value)


@pytest.mark.parametrize(
    ("cls", "arguments", "message"),
    [
        (Translation, {"fraction": 1.5}, "fraction must be a number from 0 to 1, got 1.5"),
        (
            Color,
            {"brightness": -1},
            "brightness must be a finite number that is .* got -1",
        ),
        (Color, {"saturation": 2}, "saturation must be a number from 0 to 1, got 2"),
        (Color, {"contrast": "high"}, "contrast must be a number from 0 to 1, got 'high'"),
    ],
)
def test_arguments_out_of_range_are_refused(cls, arguments, message):
    with pytest.raises(ValueError, match=f"{cls.__name__}: {message}"):
        cls(**arguments)
