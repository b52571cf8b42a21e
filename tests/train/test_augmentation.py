"""Augmentations compared with NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers.train.augmentation import Cutout, Flip, Shift, augment

KEY = jax.random.key(0)
augmented = jax.jit(augment, static_argnums=0)
all_augmentations = pytest.mark.parametrize("augmentation", [Shift(1), Flip(), Cutout(2)], ids=repr)


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
