"""What convolution and pooling share: padding in every mode, window positions, output sizes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clconv.graph.ir import Attributes, TensorSpec
from clconv.graph.ops.base import Call

# No image has so many pixels along an axis, and sums and products with the tensors' sizes fit 64-bit integers.
_FARTHEST = 1 << 40

PAD_MODES = ("constant", "reflect", "edge", "wrap")


def check_window(call: Call, x: TensorSpec, kernel: Sequence[int]) -> tuple[int, ...]:
    """Validates strides, dilations, pads and pad mode of a window over x (N, C, spatial...).

    Returns the window's extent along each spatial axis, dilation included. Raises ShapeError.
    """
    at, spatial = call.attrs, x.rank - 2
    dilations = at.get("dilations") or (1,) * spatial
    for name, values, length in (
        ("kernel_shape", kernel, spatial),
        ("strides", at.strides, spatial),
        ("dilations", dilations, spatial),
        ("pads", at.pads, 2 * spatial),
    ):
        call.expect(
            len(values) == length,
            f"{name} {tuple(values)} must have {length} values for {spatial} spatial axes",
        )
    for name, values in (
        ("kernel_shape", kernel),
        ("strides", at.strides),
        ("dilations", dilations),
    ):
        call.expect(min(values, default=1) >= 1, f"{name} {tuple(values)} must be at least 1")
    for name, values in (
        ("strides", at.strides),
        ("dilations", dilations),
        ("pads", at.pads),
        ("kernel_shape", kernel),
    ):
        call.expect(
            max(values, default=0) <= _FARTHEST,
            f"{name} {tuple(values)} go beyond the {_FARTHEST:,} pixels that are counted along an axis",
        )
    call.expect(min(at.pads, default=0) >= 0, f"pads {at.pads} must not be negative")
    mode = at.get("pad_mode", "constant")
    call.expect(mode in PAD_MODES, f"pad_mode {mode!r} is not one of {PAD_MODES}")
    for i, size in enumerate(x.shape[2:]):
        call.expect(
            size > 0 or mode == "constant",
            f"{mode} padding needs pixels, spatial axis {i} has none",
        )
    return tuple(d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True))


def settle_auto_pad(call: Call, kernel: Sequence[int]) -> Attributes:
    """The node's attributes with auto_pad turned into pads.

    SAME_*: ceil(size / stride) windows; the odd pixel goes to the end (UPPER) or the beginning (LOWER).
    """
    at, x = call.attrs, call.spec(0)
    if at.auto_pad == "NOTSET":
        return at
    call.expect(
        at.auto_pad in ("SAME_UPPER", "SAME_LOWER", "VALID"), f"auto_pad {at.auto_pad!r} is unknown"
    )
    begins, ends = [], []
    dilations = at.get("dilations") or (1,) * len(kernel)
    call.expect(
        len(x.shape[2:]) == len(kernel) == len(at.strides) == len(dilations),
        f"window {tuple(kernel)}, strides {at.strides} and dilations {dilations} must each have one "
        f"value for each spatial axis",
    )
    for size, window, stride, dilation in zip(
        x.shape[2:], kernel, at.strides, dilations, strict=True
    ):
        call.expect(stride >= 1, f"strides {at.strides} must be at least 1")
        extent = dilation * (window - 1) + 1
        total = max(0, (-(-size // stride) - 1) * stride + extent - size)
        if at.auto_pad == "VALID":
            total = 0
        small, large = total // 2, total - total // 2
        begins.append(large if at.auto_pad == "SAME_LOWER" else small)
        ends.append(small if at.auto_pad == "SAME_LOWER" else large)
    return at.replace(pads=(*begins, *ends), auto_pad="NOTSET")


def output_size(
    call: Call, sizes: Sequence[int], window: Sequence[int], ceil: bool = False
) -> tuple[int, ...]:
    """Windows that fit along each axis: floor((size + pads - window) / stride) + 1.

    With ceil the last window may start inside the image or its leading pad and hang over the end, as ONNX
    defines ceil_mode; so may the only one. Raises ShapeError if there is no window.
    """
    at, result = call.attrs, []
    for i, size in enumerate(sizes):
        begin, end, stride = at.pads[i], at.pads[i + len(sizes)], at.strides[i]
        room = size + begin + end - window[i]
        count = room // stride + 1
        if ceil and room % stride and count * stride < size + begin:
            count += 1
        call.expect(
            count >= 1,
            f"a window of {window[i]} is larger than the {size} pixels (padded: {size + begin + end}) "
            f"of spatial axis {i}" + (f" by the stride of {stride} or more" if ceil else ""),
        )
        result.append(count)
    return tuple(result)


def padded_places(size: int, begin: int, end: int, mode: str) -> np.ndarray:
    """For each place of an axis padded by mode "reflect", "edge" or "wrap" the place in the axis that it repeats.

    Where padding is wider than the axis, it is reflected or repeated as often as it takes; an axis of one element
    repeats it. So has numpy.pad it from NumPy 2 on.
    """
    places = np.arange(-begin, size + end)
    if mode == "edge":
        return np.clip(places, 0, size - 1)
    if mode == "wrap":
        return places % size
    period = max(2 * (size - 1), 1)
    return np.minimum(places % period, period - places % period)


def repeat_padded(x: np.ndarray, widths: Sequence[tuple[int, int]], mode: str) -> np.ndarray:
    """x padded by mode "reflect", "edge" or "wrap"; widths: (begin, end) of every axis, none negative."""
    for axis, (begin, end) in enumerate(widths):
        if begin or end:
            x = np.take(x, padded_places(x.shape[axis], begin, end, mode), axis)
    return x


def pad_array(
    x: np.ndarray, pads: Sequence[int], mode: str = "constant", value: float = 0.0
) -> np.ndarray:
    """x (N, C, spatial...) padded along its spatial axes; value is for mode "constant"."""
    spatial = x.ndim - 2
    widths = [(0, 0), (0, 0), *((pads[i], pads[i + spatial]) for i in range(spatial))]
    if mode == "constant":
        return np.pad(x, widths, constant_values=value)
    return repeat_padded(x, widths, mode)


def window_positions(
    x: np.ndarray,
    position: Sequence[int],
    sizes: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> np.ndarray:
    """The elements of padded x (N, C, spatial...) that lie under one window position.

    Returns (N, C, *sizes): element o is x[..., o * stride + position * dilation].
    """
    index = tuple(
        slice(p * d, p * d + (n - 1) * s + 1, s)
        for p, d, n, s in zip(position, dilations, sizes, strides, strict=True)
    )
    everywhere = (slice(None), slice(None))
    return x[everywhere + index]
