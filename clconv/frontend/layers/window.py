"""Where windows go: padding, and the arithmetic of windows that must tile an image exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.errors import ConfigError, ShapeError
from clconv.frontend.layers.base import at_least, pair
from clconv.records import record

PADDING_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
AXES = {1: ("length",), 2: ("height", "width")}
MOST_HINTS = 4


@record(frozen=True)
class Window:
    """Size, stride, dilation and padding of a window, one value a spatial axis (height first).

    padding: "same", or (begin, end) of every axis. "same" makes ceil(size / stride) windows and puts an odd
    pixel at the end.
    rounding: "exact" refuses a stride under which the windows do not tile the padded image; "floor"
    leaves the pixels at the end out; "ceil" lets the last window hang over (pooling only).
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: str | tuple[tuple[int, int], ...]
    rounding: str

    @classmethod
    def of(
        cls,
        axes: int,
        size: Any,
        stride: Any,
        padding: Any,
        dilation: Any = 1,
        rounding: str = "exact",
        roundings: Sequence[str] = ("exact", "floor"),
    ) -> Window:
        """From a layer's arguments. Raises ConfigError for what means nothing."""
        sizes, strides = pair(size, axes, "window"), pair(stride, axes, "stride")
        dilations = pair(dilation, axes, "dilation")
        at_least(sizes, 1, "window")
        at_least(strides, 1, "stride")
        at_least(dilations, 1, "dilation")
        if rounding not in roundings:
            raise ConfigError(f"rounding {rounding!r} must be one of {', '.join(roundings)}")
        return cls(sizes, strides, dilations, _padding(padding, axes), rounding)

    def extent(self, axis: int) -> int:
        """Pixels from a window's first to its last, dilation included."""
        return self.dilation[axis] * (self.size[axis] - 1) + 1

    def pads(self, where: str, sizes: Sequence[int]) -> tuple[int, ...]:
        """Pads for an image of these sizes: begin of every axis, then end of every axis.

        Raises ShapeError, which does the arithmetic and names what would fit, if a window is larger
        than the padded image or, with rounding "exact", the windows do not tile it.
        """
        begins, ends = [], []
        for axis, size in enumerate(sizes):
            begin, end = self._pad(axis, size)
            self._check(where, axis, size, begin, end)
            begins.append(begin)
            ends.append(end)
        return (*begins, *ends)

    def _pad(self, axis: int, size: int) -> tuple[int, int]:
        if not isinstance(self.padding, str):
            return self.padding[axis]
        stride = self.stride[axis]
        total = max(0, (-(-size // stride) - 1) * stride + self.extent(axis) - size)
        return total // 2, total - total // 2

    def _check(self, where: str, axis: int, size: int, begin: int, end: int) -> None:
        window, stride = self.extent(axis), self.stride[axis]
        room = size - window + begin + end
        if room >= 0 and (room % stride == 0 or self.rounding != "exact" or self.padding == "same"):
            return
        if self.rounding == "ceil" and -stride < room:  # one window, which hangs over
            return
        label = AXES[len(self.size)][axis]
        pads = f"2*{begin}" if begin == end else f"{begin} + {end}"
        arithmetic = f"({size} - {window} + {pads}) / {stride} + 1"
        if room < 0:
            problem = (
                f"{label} {arithmetic} is less than one window: a window of {window} is larger "
                f"than the {size + begin + end} pixels with padding"
            )
        else:
            problem = f"{label} {arithmetic} = {room / stride + 1:.2f} is no whole number"
        raise ShapeError(f"layer '{where}': {problem}. {self._cures(axis, size, begin, end)}")

    def _cures(self, axis: int, size: int, begin: int, end: int) -> str:
        """Sizes, strides and paddings under which the windows would tile the image."""
        window, stride = self.extent(axis), self.stride[axis]

        def fits(size: int, begin: int, end: int, stride: int) -> bool:
            room = size - window + begin + end
            return room >= 0 and room % stride == 0

        near = sorted(
            range(1, max(size, window) + 2 * stride + 1), key=lambda s: (abs(s - size), s)
        )
        sizes = sorted([s for s in near if fits(s, begin, end, stride)][:2])
        strides = [s for s in range(1, size + 1) if fits(size, begin, end, s)][:MOST_HINTS]
        paddings = [p for p in range(window + stride) if fits(size, p, p, stride)][:MOST_HINTS]
        hints = [
            f"{what}: {', '.join(map(str, values))}"
            for what, values in (("sizes", sizes), ("strides", strides), ("paddings", paddings))
            if values
        ]
        text = "What would fit: " + "; ".join(hints)
        if size - window + begin + end >= 0:
            text += '; or padding="same"; or rounding="floor" to leave pixels out'
        return text


def _padding(padding: Any, axes: int) -> str | tuple[tuple[int, int], ...]:
    if isinstance(padding, str):
        if padding != "same":
            raise ConfigError(f'padding {padding!r} must be "same", an int, or one value an axis')
        return padding
    if isinstance(padding, int | np.integer):
        padding = (padding,) * axes
    if not isinstance(padding, tuple | list) or len(padding) != axes:
        raise ConfigError(
            f'padding {padding!r} must be "same", an int, or {axes} values (height first), each an '
            "int or (begin, end)"
        )
    pads = [pair(p, 2, "padding") for p in padding]
    for both in pads:
        at_least(both, 0, "padding")
    return tuple((begin, end) for begin, end in pads)


def padding_mode(name: str) -> str:
    """ONNX's name of a padding mode. Raises ConfigError for an unknown one."""
    if name not in PADDING_MODES:
        raise ConfigError(f"padding_mode {name!r} must be one of {', '.join(PADDING_MODES)}")
    return PADDING_MODES[name]
