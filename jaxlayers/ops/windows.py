"""Geometry of windows that slide over an image, one spatial axis at a time.

An axis of `extent` positions is padded in front and behind, and a window of `size` positions,
`dilation` apart, is placed every `stride` positions.
"""

Padding = tuple[int, int]


def span(size: int, dilation: int = 1) -> int:
    """Returns how many positions a window reaches over."""
    return (size - 1) * dilation + 1


def padding(extent: int, size: int, stride: int, dilation: int, mode: str) -> Padding:
    """Returns how many positions are added in front and behind.

    Args:
        extent: positions of the axis.
        size: positions of the window.
        stride: steps between windows.
        dilation: steps between the positions of a window.
        mode: `"valid"` adds none; `"same"` as many as give `ceil(extent / stride)` windows, the
            odd one behind.
    """
    if mode == "valid":
        return 0, 0
    windows = -(-extent // stride)
    total = max((windows - 1) * stride + span(size, dilation) - extent, 0)
    return total // 2, total - total // 2


def output_extent(extent: int, size: int, stride: int, dilation: int, mode: str) -> int:
    """Returns how many windows fit; 0 or less where the axis is too short for one."""
    if mode == "same":
        return -(-extent // stride)
    return (extent - span(size, dilation)) // stride + 1


def transposed_padding(
    size: int, stride: int, dilation: int, mode: str, output_padding: int | None
) -> Padding:
    """Returns the padding around the stretched input of a transposed convolution, as Keras has it.

    The input is stretched by putting `stride - 1` zeros between its positions; a window of
    stride 1 then slides over it.

    Args:
        size: positions of the window.
        stride: how far apart the positions of the input come to lie.
        dilation: steps between the positions of the window.
        mode: `"valid"` or `"same"`.
        output_padding: positions added behind the smallest output; `None` for as many as make
            the output `extent * stride` long (`"same"`), or reach the end of the last stride
            (`"valid"`).
    """
    reach = span(size, dilation)
    if mode == "valid":
        behind = max(stride - reach, 0) if output_padding is None else output_padding
        return reach - 1, reach - 1 + behind
    if output_padding is None:
        total = stride + reach - 2
    else:
        total = reach + reach % 2 - 2 + output_padding
    front = min(total - total // 2, reach - 1)
    return front, total - front


def transposed_extent(extent: int, size: int, stride: int, dilation: int, padding: Padding) -> int:
    """Returns the extent of the output of a transposed convolution."""
    return (extent - 1) * stride + 1 + sum(padding) - span(size, dilation) + 1
