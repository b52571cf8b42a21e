"""Padding and output sizes of windows, for one spatial axis at a time.

An axis of `extent` positions is padded on both sides. A window of `size` taps, which are `dilation`
positions apart, is placed every `stride` positions.
"""

Padding = tuple[int, int]


def span(size: int, dilation: int = 1) -> int:
    """Returns the number of positions that a dilated window covers.

    Args:
        size: Number of taps of the window.
        dilation: Dilation of the window.
    """
    return (size - 1) * dilation + 1


def padding(extent: int, size: int, stride: int, dilation: int, mode: str) -> Padding:
    """Returns the padding before and after an axis.

    Args:
        extent: Size of the axis.
        size: Number of taps of the window.
        stride: Stride of the window.
        dilation: Dilation of the window.
        mode: `"valid"` for no padding; `"same"` for the padding that gives
            `ceil(extent / stride)` windows. If it is odd, the larger part is after the axis.
            `"causal"` for padding before the axis only, so that the last tap of the first window is
            at the first position.
    """
    if mode == "valid":
        return 0, 0
    if mode == "causal":
        return span(size, dilation) - 1, 0
    windows = -(-extent // stride)
    total = max((windows - 1) * stride + span(size, dilation) - extent, 0)
    return total // 2, total - total // 2


def padded_output_extent(
    extent: int, size: int, stride: int, dilation: int, padding: Padding
) -> int:
    """Returns the number of windows; 0 or less if the padded axis is smaller than the window.

    Args:
        extent: Size of the axis.
        size: Number of taps of the window.
        stride: Stride of the window.
        dilation: Dilation of the window.
        padding: Padding before and after the axis.
    """
    return (extent + sum(padding) - span(size, dilation)) // stride + 1


def output_extent(extent: int, size: int, stride: int, dilation: int, mode: str) -> int:
    """Returns the number of windows with Keras's padding modes.

    Args:
        extent: Size of the axis.
        size: Number of taps of the window.
        stride: Stride of the window.
        dilation: Dilation of the window.
        mode: `"valid"`, `"same"` or `"causal"`.
    """
    if mode in ("same", "causal"):
        return -(-extent // stride)
    return padded_output_extent(extent, size, stride, dilation, (0, 0))


def transposed_padding(
    size: int, stride: int, dilation: int, mode: str, output_padding: int | None
) -> Padding:
    """Returns the padding of the dilated input of a transposed convolution, as Keras computes it.

    The input is dilated with `stride - 1` zeros between its positions, and then convolved with
    stride 1.

    Args:
        size: Number of taps of the window.
        stride: Stride of the transposed convolution.
        dilation: Dilation of the window.
        mode: `"valid"` or `"same"`.
        output_padding: Positions added at the end of the smallest output. `None` for the number
            that gives an output of size `extent * stride` (`"same"`), or that completes the last
            stride (`"valid"`).
    """
    window_span = span(size, dilation)
    if mode == "valid":
        after = max(stride - window_span, 0) if output_padding is None else output_padding
        return window_span - 1, window_span - 1 + after
    if output_padding is None:
        total = stride + window_span - 2
    else:
        total = window_span + window_span % 2 - 2 + output_padding
    before = min(total - total // 2, window_span - 1)
    return before, total - before


def transposed_extent(extent: int, size: int, stride: int, dilation: int, padding: Padding) -> int:
    """Returns the size of the output of a transposed convolution along one axis.

    Args:
        extent: Size of the input, before dilation.
        size: Number of taps of the window.
        stride: Stride of the transposed convolution.
        dilation: Dilation of the window.
        padding: Padding of the dilated input, from `transposed_padding`.
    """
    return (extent - 1) * stride + 1 + sum(padding) - span(size, dilation) + 1
