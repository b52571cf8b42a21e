"""Geometry of windows, counted out."""

from itertools import product

import pytest

from jaxlayers.ops import windows
from tests.ops.reference import placements

CASES = list(product(range(1, 8), range(1, 5), range(1, 5), range(1, 4)))


@pytest.mark.parametrize("mode", ["valid", "same"])
def test_extents_are_how_many_windows_can_be_placed(mode) -> None:
    for extent, size, stride, dilation in CASES:
        placed = placements(extent, size, stride, dilation, mode)
        assert max(windows.output_extent(extent, size, stride, dilation, mode), 0) == len(placed)


def test_same_padding_is_the_least_that_all_windows_need_with_the_odd_one_behind() -> None:
    for extent, size, stride, dilation in CASES:
        front, behind = windows.padding(extent, size, stride, dilation, "same")
        placed = placements(extent, size, stride, dilation, "same")
        last = (len(placed) - 1) * stride - front + windows.span(size, dilation) - 1
        assert 0 <= front <= behind <= front + 1
        assert last == extent - 1 + behind or (front, behind) == (0, 0)


def test_valid_padding_is_none() -> None:
    assert {windows.padding(*case, "valid") for case in CASES} == {(0, 0)}


def test_same_padding_keeps_the_extent_at_stride_one() -> None:
    for extent, size, stride, dilation in CASES:
        if stride == 1:
            assert windows.output_extent(extent, size, 1, dilation, "same") == extent


def test_a_span_reaches_from_the_first_position_to_the_last() -> None:
    for _, size, _, dilation in CASES:
        positions = range(0, size * dilation, dilation)
        assert windows.span(size, dilation) == positions[-1] - positions[0] + 1


@pytest.mark.parametrize("mode", ["valid", "same"])
def test_transposed_extents_undo_those_of_windows(mode) -> None:
    for extent, size, stride, dilation in CASES:
        padding = windows.transposed_padding(size, stride, dilation, mode, None)
        enlarged = windows.transposed_extent(extent, size, stride, dilation, padding)
        assert windows.output_extent(enlarged, size, stride, dilation, mode) == extent
        assert mode == "valid" or enlarged == extent * stride


def test_each_position_of_output_padding_adds_one() -> None:
    for extent, size, stride, dilation in CASES:
        for mode in ("valid", "same"):
            extents = [
                windows.transposed_extent(
                    extent,
                    size,
                    stride,
                    dilation,
                    windows.transposed_padding(size, stride, dilation, mode, rows),
                )
                for rows in range(stride)
            ]
            assert [extents[0] + rows for rows in range(stride)] == extents
            if mode == "valid":
                assert extents[0] == (extent - 1) * stride + windows.span(size, dilation)
