import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers.data.arrays import as_images, as_labels, to_uint8


def test_integers_from_0_to_255_become_uint8_and_others_are_refused():
    assert as_images(np.full((1, 1, 1), 255, np.int64), "x").dtype == np.uint8
    for wrong in (-1, 256):
        with pytest.raises(ValueError, match=r"x: int64 .* from 0 to 255, got .* scale"):
            as_images(np.full((1, 1, 1), wrong), "x")


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", jnp.bfloat16])
def test_floating_point_images_become_float32_without_rounding(dtype):
    pixels = np.array([0.0, 0.123, 0.5, 1.0]).astype(dtype).reshape(4, 1, 1, 1)
    images = as_images(pixels, "x")
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, pixels.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_uint8_and_float32_arrays_are_not_copied(dtype):
    images = np.zeros((2, 4, 4, 1), dtype)
    assert as_images(images, "x") is images


def test_jax_arrays_and_lists_are_accepted():
    rows = [[[0, 255], [1, 2]]]
    for images in (jnp.array(rows), rows):
        converted = as_images(images, "x")
        assert type(converted) is np.ndarray
        np.testing.assert_array_equal(converted[..., 0], rows)
    assert as_images([[[0.5]]], "x").dtype == np.float32


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        ([0.0, 255.0], "got 0.0 to 255.0; divide them by 255, or store uint8"),
        ([-1.0, 1.0], r"as tanh gives, are scaled by \(images \+ 1\) / 2"),
        ([0.0, 1.0001], "clip them"),
        ([0.0, np.nan], "got NaN"),
        ([0.0, np.inf], "got 0.0 to inf"),
    ],
)
def test_floating_point_images_outside_0_to_1_are_refused_with_advice(values, advice):
    with pytest.raises(ValueError, match=f"GAN: images: float32 .* from 0 to 1, .*{advice}"):
        as_images(np.array(values, np.float32).reshape(2, 1, 1, 1), "GAN: images")


@pytest.mark.parametrize("dtype", [bool, complex, "U1", "M8[s]"])
def test_unsupported_dtypes_are_refused(dtype):
    with pytest.raises(ValueError, match="x: images must be integers or floating point, got"):
        as_images(np.zeros((2, 4, 4), dtype), "x")


@pytest.mark.parametrize("wrong", [None, "images", 3, {"a": 1}])
def test_values_that_are_not_arrays_are_refused(wrong):
    with pytest.raises(TypeError, match="x: images must be an array or a list, got"):
        as_images(wrong, "x")
    with pytest.raises(TypeError, match="y: labels must be an array or a list, got"):
        as_labels(wrong, "y")


def test_lists_of_images_of_different_sizes_are_refused():
    with pytest.raises(
        ValueError, match="x: images must be an array or a nested list of equal lengths"
    ):
        as_images([np.zeros((4, 4)), np.zeros((5, 4))], "x")


@pytest.mark.parametrize("shape", [(), (4,), (4, 4), (2, 4, 4, 3, 1), (0, 4, 4, 3)])
def test_unsupported_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"x: images must be \[N, height, width\] or"):
        as_images(np.zeros(shape, np.uint8), "x")


def test_channels_first_images_are_refused_with_advice():
    with pytest.raises(ValueError, match=r"has its channels first; .*transpose\(0, 2, 3, 1\)"):
        as_images(np.zeros((2, 3, 32, 32), np.uint8), "x")


def test_small_images_with_many_channels_are_channels_last():
    assert as_images(np.zeros((2, 4, 4, 8), np.uint8), "x").shape == (2, 4, 4, 8)


def test_floating_point_images_are_rounded_to_multiples_of_1_255():
    images = np.array([0, 0.0019, 0.002, 0.999, 1], np.float32).reshape(-1, 1, 1, 1)
    assert to_uint8(images).ravel().tolist() == [0, 0, 1, 255, 255]


@pytest.mark.parametrize(
    "labels", [[2, 0, 1], [[2], [0], [1]], np.array([2, 0, 1], np.uint8), jnp.array([2, 0, 1])]
)
def test_labels_become_int32(labels):
    converted = as_labels(labels, "y")
    assert converted.dtype == np.int32
    assert converted.tolist() == [2, 0, 1]


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros((3, 10), int), np.zeros(3, bool)])
def test_labels_of_unsupported_dtype_or_shape_are_refused(wrong):
    with pytest.raises(ValueError, match=r"y: labels must be integers of shape \[N\] or \[N, 1\]"):
        as_labels(wrong, "y")


@pytest.mark.parametrize("dtype", [str, object])
def test_string_labels_are_refused_with_advice(dtype):
    labels = np.array(["cat", "dog", "cat"], dtype)
    with pytest.raises(ValueError, match=r"got strings such as 'cat', 'dog'; .*return_inverse"):
        as_labels(labels, "y")
    names, numbers = np.unique(labels, return_inverse=True)
    assert names.tolist() == ["cat", "dog"]
    assert as_labels(numbers, "y").tolist() == [0, 1, 0]


def test_labels_out_of_range_are_refused():
    with pytest.raises(ValueError, match="y: labels must fit into int32, got up to 4294967296"):
        as_labels(np.array([2**32]), "y")
    with pytest.raises(ValueError, match="y: labels must be at least 0, got -3"):
        as_labels([0, -3], "y")
    for wrong in (-1, 10):
        with pytest.raises(ValueError, match=f"y: labels must be from 0 to 9, got {wrong}"):
            as_labels([0, wrong], "y", classes=10)
