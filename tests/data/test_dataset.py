import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers.data import Dataset, split_validation
from jaxlayers.data.dataset import concatenate


def images(count=3, size=4, channels=1):
    return np.zeros((count, size, size, channels), np.uint8)


def labels(*values):
    return np.array(values, np.int32)


def test_the_length_is_the_number_of_images():
    assert len(Dataset(images(3), None, None, "x")) == 3


def test_the_repr_is_one_line_without_pixels():
    assert repr(Dataset(images(), None, None, "x")) == (
        "Dataset('x': 3 images of 4 x 4 x 1, no labels)"
    )
    assert repr(Dataset(images(), labels(0, 1, 7), None, "x")).endswith("labels 0 to 7)")
    assert repr(Dataset(images(), labels(0, 1, 1), ("a", "b"), "x")).endswith("2 classes)")


def test_a_data_set_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Dataset(images(), None, None, "x").name = "y"


def test_class_names_do_not_require_labels():
    assert Dataset(images(), None, ("a",), "x").class_names == ("a",)


@pytest.mark.parametrize("shape", [(4,), (0, 4, 4, 1), (3, 4, 0, 1), (1, 2, 3, 4, 1)])
def test_images_of_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"\[N, height, width, channels\].*got shape") as error:
        Dataset(np.zeros(shape, np.uint8), None, None, "x")
    assert str(shape) in str(error.value)


def test_images_of_wrong_dtypes_are_refused():
    with pytest.raises(TypeError, match="images must be uint8, 0 to 255, got float32; convert"):
        Dataset(images().astype(np.float32), None, None, "x")


def test_images_that_are_not_an_array_are_refused():
    with pytest.raises(TypeError, match="images must be an array or a list, got NoneType None"):
        Dataset(None, None, None, "x")


def test_jax_arrays_and_lists_are_converted():
    pixels = np.arange(8).reshape(2, 2, 2, 1)
    for values in (jnp.array(pixels), pixels.tolist(), pixels):
        dataset = Dataset(values, [[1], [0]], None, "x")
        np.testing.assert_array_equal(dataset.images, pixels)
        assert dataset.images.dtype == np.uint8
        assert (dataset.labels.dtype, dataset.labels.tolist()) == (np.int32, [1, 0])


def test_labels_must_have_one_value_per_image():
    with pytest.raises(ValueError, match=r"one per image, shape \(3,\), got shape \(2,\)"):
        Dataset(images(), labels(0, 1), None, "x")


def test_negative_labels_are_refused():
    with pytest.raises(ValueError, match="Dataset: labels must be at least 0, got -3"):
        Dataset(images(), labels(0, 1, -3), None, "x")


def test_a_label_without_a_class_name_is_refused():
    with pytest.raises(ValueError, match="from 0 to 1, because there are 2 class_names, got 2"):
        Dataset(images(), labels(0, 1, 2), ("a", "b"), "x")


@pytest.mark.parametrize("wrong", [["a"], (1, 2), "ab"])
def test_class_names_must_be_a_tuple_of_strings(wrong):
    with pytest.raises(TypeError, match=r"class_names must be a tuple of str or None, got"):
        Dataset(images(), None, wrong, "x")


def test_a_name_must_be_a_string():
    with pytest.raises(TypeError, match="Dataset: name must be a str, got 3"):
        Dataset(images(), None, None, 3)


def test_concatenate_appends_the_rows_of_the_second_data_set():
    first = Dataset(images(2), labels(0, 1), ("a", "b"), "x")
    second = Dataset(images(1) + np.uint8(9), labels(1), ("a", "b"), "y")
    both = concatenate(first, second)
    assert both.images[:, 0, 0, 0].tolist() == [0, 0, 9]
    assert both.labels.tolist() == [0, 1, 1]
    assert (both.class_names, both.name) == (("a", "b"), "x")


def test_data_sets_without_labels_are_concatenated_without_labels():
    assert concatenate(*2 * [Dataset(images(), None, None, "x")]).labels is None


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (Dataset(images(size=5), labels(0, 0, 0), None, "x"), "do not make one data set"),
        (Dataset(images(), None, None, "x"), "one split has labels, the other has none"),
        (Dataset(images(), labels(0, 0, 0), ("a",), "x"), "classes None and .* differ"),
    ],
)
def test_concatenate_refuses_incompatible_data_sets(second, message):
    with pytest.raises(ValueError, match=message):
        concatenate(Dataset(images(), labels(0, 0, 0), None, "x"), second)


def test_every_fifth_image_of_each_class_is_validation_data():
    labels = np.array([0, 1] * 5 + [1] * 6, np.int32)
    images = np.arange(16, dtype=np.uint8).reshape(16, 1, 1, 1)
    training, validation = split_validation(Dataset(images, labels, ("a", "b"), "letters"))
    # The fifth image of class 0, and the fifth and tenth images of class 1.
    assert validation.images.ravel().tolist() == [8, 9, 14]
    assert validation.labels.tolist() == [0, 1, 1]
    assert sorted([*training.images.ravel(), 8, 9, 14]) == list(range(16))
    assert (training.class_names, training.name) == (("a", "b"), "letters")


def test_without_labels_every_fifth_image_is_validation_data():
    images = np.arange(11, dtype=np.uint8).reshape(11, 1, 1, 1)
    training, validation = split_validation(Dataset(images, None, None, "numbers"))
    assert validation.images.ravel().tolist() == [4, 9] and len(training) == 9
    assert training.labels is None


def test_a_class_with_too_few_images_is_refused():
    images, labels = np.zeros((9, 1, 1, 1), np.uint8), np.array([0] * 5 + [1] * 4, np.int32)
    with pytest.raises(ValueError, match=r"class b of .* has 4 images.*at least 5"):
        split_validation(Dataset(images, labels, ("a", "b"), "letters"))


@pytest.mark.parametrize(
    ("every", "error", "message"),
    [
        (0, ValueError, "split_validation: every must be at least 2, got 0"),
        (1, ValueError, "split_validation: every must be at least 2, got 1"),
        ("x", TypeError, "split_validation: every must be an integer, got 'x'"),
    ],
)
def test_invalid_values_of_every_are_refused(every, error, message):
    with pytest.raises(error, match=message):
        split_validation(Dataset(images(), labels(0, 0, 0), None, "x"), every)


def test_only_data_sets_can_be_split():
    with pytest.raises(TypeError, match="split_validation: dataset must be a Dataset, got ndarray"):
        split_validation(images())
