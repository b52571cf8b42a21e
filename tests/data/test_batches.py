import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxlayers.data import Dataset, batch_at, batches

counts = st.integers(1, 40)


def rows(count):
    """Returns images whose only pixel is their index."""
    return np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)


def take(iterator, number):
    return list(itertools.islice(iterator, number))


def test_batches_are_uint8_arrays_of_the_batch_size():
    batch = next(batches(rows(10), 4, seed=0))
    assert (batch.shape, batch.dtype) == ((4, 1, 1, 1), np.uint8)


@given(counts, counts, st.integers(0, 2**70), st.integers(0, 5))
@settings(max_examples=50)
def test_each_row_occurs_at_most_once_per_epoch(count, batch_size, seed, epoch):
    batch_size = min(batch_size, count)
    per_epoch = count // batch_size
    steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
    rows_of_epoch = np.concatenate(
        [batch_at(rows(count), batch_size, seed=seed, step=step).ravel() for step in steps]
    )
    assert len(set(rows_of_epoch.tolist())) == len(rows_of_epoch) == per_epoch * batch_size


@given(counts, counts, st.integers(0, 5))
@settings(max_examples=50)
def test_each_row_occurs_once_per_epoch_without_drop_remainder(count, batch_size, epoch):
    per_epoch = -(-count // batch_size)
    steps = batches(rows(count), batch_size, seed=0, start=epoch * per_epoch, drop_remainder=False)
    rows_of_epoch = np.concatenate(take(steps, per_epoch)).ravel()
    assert sorted(rows_of_epoch.tolist()) == list(range(count))


def test_batches_follow_the_documented_permutation():
    for epoch in range(3):
        order = np.random.default_rng([7, epoch]).permutation(10)
        for position in range(3):
            batch = batch_at(rows(10), 3, seed=7, step=3 * epoch + position)
            assert batch.ravel().tolist() == order[3 * position : 3 * position + 3].tolist()


def test_batches_depend_only_on_the_seed():
    first, repeated, other = (take(batches(rows(100), 50, seed=seed), 4) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, repeated)
    assert not np.array_equal(first, other)


def test_epochs_have_different_orders():
    first, second = take(batches(rows(100), 100, seed=0), 2)
    assert not np.array_equal(first, second)


@given(st.integers(0, 30), st.booleans())
def test_batches_from_a_start_continue_the_sequence(start, drop_remainder):
    options = {"seed": 3, "drop_remainder": drop_remainder}
    uninterrupted = take(batches(rows(10), 4, **options), start + 5)
    resumed = take(batches(rows(10), 4, start=start, **options), 5)
    for expected, actual in zip(uninterrupted[start:], resumed, strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_interleaved_iterators_are_independent():
    iterators = [batches(rows(20), 4, seed=seed) for seed in range(4)]
    for step in range(12):
        for seed, iterator in enumerate(iterators):
            expected = batch_at(rows(20), 4, seed=seed, step=step)
            np.testing.assert_array_equal(next(iterator), expected)


def test_a_batch_is_a_copy():
    images = rows(10)
    next(batches(images, 10, seed=0))[:] = 255
    np.testing.assert_array_equal(images, rows(10))


def test_batches_of_a_data_set_are_of_its_images():
    dataset = Dataset(rows(10), None, None, "x")
    np.testing.assert_array_equal(
        next(batches(dataset, 4, seed=0)), next(batches(rows(10), 4, seed=0))
    )


def test_batches_of_a_tuple_have_the_same_rows_of_each_array():
    images, labels = next(batches((rows(10), np.arange(10)), 4, seed=0))
    assert images.ravel().tolist() == labels.tolist()


def test_the_last_batch_of_an_epoch_is_smaller_without_drop_remainder():
    sizes = [len(batch) for batch in take(batches(rows(10), 4, seed=0, drop_remainder=False), 6)]
    assert sizes == [4, 4, 2, 4, 4, 2]


def test_a_data_set_smaller_than_a_batch_is_refused_immediately():
    with pytest.raises(ValueError, match="3 rows do not fill one batch of batch_size=4; choose"):
        batches(rows(3), 4, seed=0)
    assert len(next(batches(rows(3), 4, seed=0, drop_remainder=False))) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"start": -1}, "start must be at least 0, got -1"),
    ],
)
def test_numbers_out_of_range_are_refused_immediately(arguments, message):
    with pytest.raises(ValueError, match=message):
        batches(rows(10), **{"batch_size": 2, "seed": 0, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 2.0}, "batch_size must be an integer, got 2.0"),
        ({"seed": None}, "seed must be an integer, got None"),
        ({"batch_size": True}, "batch_size must be an integer, got True"),
        ({"drop_remainder": "no"}, "drop_remainder must be True or False, got 'no'"),
        ({"start": "1"}, "start must be an integer, got '1'"),
    ],
)
def test_arguments_of_wrong_types_are_refused_immediately(arguments, message):
    with pytest.raises(TypeError, match=message):
        batches(rows(10), **{"batch_size": 2, "seed": 0, **arguments})


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ([1, 2], "list"),
        (np.zeros(()), "an array without axes"),
        ((), "a tuple of nothing"),
        ((np.zeros(2), None), "a tuple of ndarray, NoneType"),
    ],
)
def test_data_of_wrong_types_is_refused(data, kind):
    with pytest.raises(TypeError, match=f"data must be a Dataset, an array .* got {kind}"):
        batches(data, 1, seed=0)


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="must have equal lengths, got 10, 9"):
        batches((rows(10), np.arange(9)), 2, seed=0)


def test_data_without_rows_is_refused():
    with pytest.raises(ValueError, match="data has no rows"):
        batches(rows(0), 1, seed=0)
