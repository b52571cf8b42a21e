"""Geometry of windows compared with enumerated positions."""

from itertools import product

import pytest

from jaxlayers.ops import windows
from tests.ops.reference import window_positions

CASES = list(product(range(1, 8), range(1, 5), range(1, 5), range(1, 4)))


@pytest.mark.parametrize("mode", ["valid", "same"])
def test_the_output_extent_is_the_number_of_windows(mode) -> None:
    for extent, size, stride, dilation in CASES:
        positions = window_positions(extent, size, stride, dilation, mode)
        assert max(windows.output_extent(extent, size, stride, dilation, mode), 0) == len(positions)


def test_same_padding_is_minimal_with_the_odd_position_at_the_end() -> None:
    for extent, size, stride, dilation in CASES:
        before, after = windows.padding(extent, size, stride, dilation, "same")
        positions = window_positions(extent, size, stride, dilation, "same")
        last = (len(positions) - 1) * stride - before + windows.span(size, dilation) - 1
        assert 0 <= before <= after <= before + 1
        assert last == extent - 1 + after or (before, after) == (0, 0)


def test_causal_padding_puts_the_last_tap_at_the_first_position_of_each_stride() -> None:
    for extent, size, stride, dilation in CASES:
        before, after = windows.padding(extent, size, stride, dilation, "causal")
        last_tap = range(windows.span(size, dilation) - 1 - before, extent + after, stride)
        assert last_tap == range(0, extent, stride)
        assert windows.output_extent(extent, size, stride, dilation, "causal") == len(last_tap)


def test_valid_padding_is_zero() -> None:
    assert {windows.padding(*case, "valid") for case in CASES} == {(0, 0)}


def test_same_padding_keeps_the_extent_at_stride_one() -> None:
    for extent, size, stride, dilation in CASES:
        if stride == 1:
            assert windows.output_extent(extent, size, 1, dilation, "same") == extent


def test_the_span_of_a_window_includes_its_first_and_last_positions() -> None:
    for _, size, _, dilation in CASES:
        taps = range(0, size * dilation, dilation)
        assert windows.span(size, dilation) == taps[-1] - taps[0] + 1


@pytest.mark.parametrize("mode", ["valid", "same"])
def test_transposed_extents_invert_output_extents(mode) -> None:
    for extent, size, stride, dilation in CASES:
        padding = windows.transposed_padding(size, stride, dilation, mode, None)
        enlarged = windows.transposed_extent(extent, size, stride, dilation, padding)
        assert windows.output_extent(enlarged, size, stride, dilation, mode) == extent
        assert mode == "valid" or enlarged == extent * stride


def test_output_padding_is_added_to_the_extent() -> None:
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
