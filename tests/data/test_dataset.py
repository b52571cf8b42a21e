import dataclasses

import numpy as np
import pytest

from jaxlayers.data import Dataset, hold_out
from jaxlayers.data.dataset import concatenate


def images(count=3, size=4, channels=1):
    return np.zeros((count, size, size, channels), np.uint8)


def labels(*values):
    return np.array(values, np.int32)


def test_its_length_is_the_number_of_images():
    assert len(Dataset(images(3), None, None, "x")) == 3


def test_its_repr_is_one_line_without_the_pixels():
    assert repr(Dataset(images(), None, None, "x")) == (
        "Dataset('x': 3 images of 4 x 4 x 1, no labels)"
    )
    assert repr(Dataset(images(), labels(0, 1, 7), None, "x")).endswith("labels 0 to 7)")
    assert repr(Dataset(images(), labels(0, 1, 1), ("a", "b"), "x")).endswith("2 classes)")


def test_it_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Dataset(images(), None, None, "x").name = "y"


def test_class_names_may_come_without_labels():
    assert Dataset(images(), None, ("a",), "x").class_names == ("a",)


@pytest.mark.parametrize("shape", [(3, 4, 4), (4,), (0, 4, 4, 1), (3, 4, 0, 1), (1, 2, 3, 4, 1)])
def test_images_of_another_shape_are_refused_with_the_shape(shape):
    with pytest.raises(ValueError, match=r"\[N, height, width, channels\].*got shape") as error:
        Dataset(np.zeros(shape, np.uint8), None, None, "x")
    assert str(shape) in str(error.value)


def test_images_of_another_dtype_are_refused_with_the_dtype():
    with pytest.raises(TypeError, match="images must be uint8, got float32"):
        Dataset(images().astype(np.float32), None, None, "x")


def test_images_that_are_no_array_are_refused():
    with pytest.raises(TypeError, match="images must be a NumPy array, got list"):
        Dataset([[0]], None, None, "x")


def test_labels_must_be_int32_arrays_one_an_image():
    with pytest.raises(TypeError, match="labels must be int32, got int64"):
        Dataset(images(), np.zeros(3, np.int64), None, "x")
    with pytest.raises(TypeError, match="labels must be a NumPy array, got list"):
        Dataset(images(), [0, 1, 2], None, "x")
    with pytest.raises(ValueError, match=r"3 images need labels of shape \(3,\), got \(2,\)"):
        Dataset(images(), labels(0, 1), None, "x")


@pytest.mark.parametrize("wrong", [-1, 2])
def test_a_label_without_a_class_name_is_refused(wrong):
    with pytest.raises(ValueError, match="2 class names allow 0 to 1"):
        Dataset(images(), labels(0, 1, wrong), ("a", "b"), "x")


def test_class_names_must_be_a_tuple():
    with pytest.raises(TypeError, match=r"must be a tuple of str or None, got \['a'\]"):
        Dataset(images(), None, ["a"], "x")


def test_concatenate_puts_the_rows_of_the_second_after_those_of_the_first():
    first = Dataset(images(2), labels(0, 1), ("a", "b"), "x")
    second = Dataset(images(1) + np.uint8(9), labels(1), ("a", "b"), "y")
    both = concatenate(first, second)
    assert both.images[:, 0, 0, 0].tolist() == [0, 0, 9]
    assert both.labels.tolist() == [0, 1, 1]
    assert (both.class_names, both.name) == (("a", "b"), "x")


def test_concatenate_keeps_the_absence_of_labels():
    assert concatenate(*2 * [Dataset(images(), None, None, "x")]).labels is None


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (Dataset(images(size=5), labels(0, 0, 0), None, "x"), "do not make one data set"),
        (Dataset(images(), None, None, "x"), "one split has labels, the other has none"),
        (Dataset(images(), labels(0, 0, 0), ("a",), "x"), "classes None and .* differ"),
    ],
)
def test_concatenate_refuses_what_does_not_fit(second, message):
    with pytest.raises(ValueError, match=message):
        concatenate(Dataset(images(), labels(0, 0, 0), None, "x"), second)


def test_one_of_five_of_each_class_is_held_out_in_their_order():
    labels = np.array([0, 1] * 5 + [1] * 6, np.int32)
    images = np.arange(16, dtype=np.uint8).reshape(16, 1, 1, 1)
    kept, out = hold_out(Dataset(images, labels, ("a", "b"), "letters"))
    # The fifth of class 0, and the fifth and the tenth of class 1.
    assert out.images.ravel().tolist() == [8, 9, 14]
    assert out.labels.tolist() == [0, 1, 1]
    assert sorted([*kept.images.ravel(), 8, 9, 14]) == list(range(16))
    assert (kept.class_names, kept.name) == (("a", "b"), "letters")


@pytest.mark.parametrize(
    "labels, message",
    [
        (None, "letters: has no labels; a folder with a sub-folder"),
        (np.array([0] * 5 + [1] * 4, np.int32), "class b has 4 images.*needs at least 5"),
    ],
)
def test_what_cannot_be_held_out_of_is_refused(labels, message):
    images = np.zeros((9, 1, 1, 1), np.uint8)
    with pytest.raises(ValueError, match=message):
        hold_out(Dataset(images, labels, ("a", "b"), "letters"))
