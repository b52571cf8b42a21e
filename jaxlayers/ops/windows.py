"""Sizes of windows and of what they produce, one spatial axis at a time.

An axis of `extent` positions is padded before and after, and a window of `size` taps, `dilation`
positions apart, is placed every `stride` positions.
"""

Padding = tuple[int, int]


def span(size: int, dilation: int = 1) -> int:
    """Returns the number of positions from the first tap of a window to the last."""
    return (size - 1) * dilation + 1


def padding(extent: int, size: int, stride: int, dilation: int, mode: str) -> Padding:
    """Returns how many positions are added before and after.

    Args:
        extent: positions of the axis.
        size: taps of the window.
        stride: positions between windows.
        dilation: positions between the taps of a window.
        mode: `"valid"` adds none; `"same"` as many as give `ceil(extent / stride)` windows, an
            odd one after.
    """
    if mode == "valid":
        return 0, 0
    windows = -(-extent // stride)
    total = max((windows - 1) * stride + span(size, dilation) - extent, 0)
    return total // 2, total - total // 2


def padded_output_extent(
    extent: int, size: int, stride: int, dilation: int, padding: Padding
) -> int:
    """Returns the number of windows; 0 or less where the padded axis is shorter than one."""
    return (extent + sum(padding) - span(size, dilation)) // stride + 1


def output_extent(extent: int, size: int, stride: int, dilation: int, mode: str) -> int:
    """Returns the number of windows with `"valid"` or `"same"` padding, as above."""
    if mode == "same":
        return -(-extent // stride)
    return padded_output_extent(extent, size, stride, dilation, (0, 0))


def transposed_padding(
    size: int, stride: int, dilation: int, mode: str, output_padding: int | None
) -> Padding:
    """Returns the padding of the dilated input of a transposed convolution, as Keras computes it.

    The input is dilated with `stride - 1` zeros between its positions; a window then slides over
    it with stride 1.

    Args:
        size: taps of the window.
        stride: positions between those of the input after dilation.
        dilation: positions between the taps of the window.
        mode: `"valid"` or `"same"`.
        output_padding: positions added at the end of the smallest output; `None` for as many as
            make the output `extent * stride` long (`"same"`), or complete the last stride
            (`"valid"`).
    """
    reach = span(size, dilation)
    if mode == "valid":
        after = max(stride - reach, 0) if output_padding is None else output_padding
        return reach - 1, reach - 1 + after
    if output_padding is None:
        total = stride + reach - 2
    else:
        total = reach + reach % 2 - 2 + output_padding
    before = min(total - total // 2, reach - 1)
    return before, total - before


def transposed_extent(extent: int, size: int, stride: int, dilation: int, padding: Padding) -> int:
    """Returns the extent of the output of a transposed convolution."""
    return (extent - 1) * stride + 1 + sum(padding) - span(size, dilation) + 1
