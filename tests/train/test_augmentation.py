"""Augmentations, held up against the same done to one image in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers.train.augmentation import Cutout, Flip, Shift, augment

KEY = jax.random.key(0)
augmented = jax.jit(augment, static_argnums=0)
ALL = pytest.mark.parametrize("change", [Shift(1), Flip(), Cutout(2)], ids=repr)


def image(height=4, width=6, channels=2):
    """Returns an image of which no two numbers are the same, and none is 0."""
    return jnp.arange(1.0, 1 + height * width * channels).reshape(height, width, channels)


def results(change, of, count=400):
    """Returns what an augmentation makes of one image with so many keys."""
    return np.asarray(jax.jit(jax.vmap(change, (0, None)))(jax.random.split(KEY, count), of))


def shifted(array, down, right):
    """Moves an array by slices, with zeros where nothing came from."""
    moved = np.zeros_like(array)
    height, width = array.shape[:2]
    target = (
        slice(max(down, 0), max(height + min(down, 0), 0)),
        slice(max(right, 0), max(width + min(right, 0), 0)),
    )
    source = (
        slice(max(-down, 0), max(height - max(down, 0), 0)),
        slice(max(-right, 0), max(width - max(right, 0), 0)),
    )
    moved[target] = array[source]
    return moved


def different(arrays):
    return {array.tobytes() for array in arrays}


@pytest.mark.parametrize("pixels", [1, 2])
def test_a_shift_is_one_of_all_offsets_up_to_so_many_pixels(pixels):
    original = np.asarray(image())
    offsets = range(-pixels, pixels + 1)
    allowed = different(shifted(original, down, right) for down in offsets for right in offsets)
    assert len(allowed) == len(offsets) ** 2
    # Of 25 offsets one is missing after 400 times with a probability of 2e-6.
    assert different(results(Shift(pixels), image())) == allowed


def test_a_shift_may_be_further_than_the_image_is_large():
    small = image(1, 2, 1)
    allowed = different(
        shifted(np.asarray(small), down, right) for down in range(-3, 4) for right in range(-3, 4)
    )
    assert different(results(Shift(3), small)) == allowed
    assert np.zeros((1, 2, 1), np.float32).tobytes() in allowed


def test_a_flip_turns_left_and_right_around_in_half_of_all_cases():
    original = np.asarray(image())
    changed = results(Flip(), image())
    assert different(changed) == different([original, np.fliplr(original)])
    flipped = [not np.array_equal(each, original) for each in changed]
    # Four standard deviations.
    assert 160 < sum(flipped) < 240


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_a_cutout_is_a_square_around_any_pixel_clipped_at_the_borders(size):
    original = np.asarray(image(4, 5))
    allowed = []
    for row, column in np.ndindex(4, 5):
        cut = original.copy()
        top, left = row - size // 2, column - size // 2
        cut[max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = 0
        allowed.append(cut)
    assert different(results(Cutout(size), image(4, 5))) == different(allowed)


def test_a_cutout_that_lies_inside_has_the_size_that_was_asked_for():
    cut = (results(Cutout(3), image(9, 9, 1)) == 0).sum((1, 2, 3))
    assert cut.max() == 9 and cut.min() == 4  # in a corner the square of 2 x 2 is left
    assert set(cut.tolist()) == {4, 6, 9}


@ALL
def test_each_image_of_a_batch_is_changed_by_random_numbers_of_its_own(change):
    changed = np.asarray(augmented((change,), KEY, jnp.stack([image()] * 64)))
    assert len(different(changed)) > 1


@ALL
def test_other_keys_change_other_things_and_the_same_key_the_same(change):
    images = jnp.stack([image()] * 16)
    first, again, other = (augmented((change,), jax.random.key(seed), images) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_augmentations_follow_each_other_each_with_keys_of_its_own():
    images = jnp.stack([image()] * 3)
    changed = augment([lambda key, x: x + 1, lambda key, x: x * 2], KEY, images)
    np.testing.assert_array_equal(changed, (images + 1) * 2)
    # The same change twice is not the same random numbers twice.
    twice = np.asarray(augmented((Flip(), Flip()), KEY, jnp.stack([image()] * 64)))
    assert len(different(twice)) == 2


def test_without_augmentations_images_stay_as_they_are():
    images = jnp.stack([image()] * 2)
    assert augment([], KEY, images) is images


@ALL
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.uint8])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 3, 4)])
def test_shape_and_dtype_stay(change, dtype, shape):
    x = jnp.ones((2, *shape), dtype)
    changed = augmented((change,), KEY, x)
    assert changed.shape == x.shape and changed.dtype == dtype


@ALL
def test_under_jit_it_is_the_same(change):
    images = jnp.stack([image()] * 3)
    np.testing.assert_array_equal(augmented((change,), KEY, images), augment([change], KEY, images))


@pytest.mark.parametrize("kind", [Shift, Cutout])
@pytest.mark.parametrize("value", [0, -1, 1.0, "2", None, True])
def test_what_is_no_positive_integer_is_refused(kind, value):
    name = "pixels" if kind is Shift else "size"
    message = f"{kind.__name__}: {name} must be a positive integer, got {value!r}"
    with pytest.raises(ValueError, match=message):
        kind(value)
