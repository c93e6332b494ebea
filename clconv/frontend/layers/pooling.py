"""Pooling and upsampling: they change height and width and leave depth alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from clconv.errors import ConfigError
from clconv.frontend.layers.base import Layer, Network, at_least, pair
from clconv.frontend.layers.convolution import expect_image
from clconv.frontend.layers.window import Window


class _Pool(Layer):
    op: str

    def __init__(
        self,
        window: Any,
        stride: Any = None,
        padding: Any = 0,
        rounding: str = "exact",
        name: str | None = None,
    ) -> None:
        stride = window if stride is None else stride
        roundings = ("exact", "floor", "ceil")
        self.window = Window.of(2, window, stride, padding, 1, rounding, roundings)
        self.name = name

    def _attributes(self) -> dict[str, Any]:
        return {}

    def apply(self, network: Network, x: str) -> str:
        label = network.label(self)
        _, *sizes = expect_image(network, label, x, 2)
        return network.add(
            self.op,
            label,
            [x],
            kernel_shape=self.window.size,
            strides=self.window.stride,
            dilations=self.window.dilation,
            pads=self.window.pads(label, sizes),
            ceil_mode=int(self.window.rounding == "ceil"),
            **self._attributes(),
        )


class MaxPool2d(_Pool):
    """The largest value of each window.

    (channels, height, width) -> (channels, (height - window + 2 * padding) / stride + 1, ...).
    window, stride: an int or (height, width); without a stride windows do not overlap. padding: as
    Conv2d's; padded pixels are never chosen. rounding: "exact", "floor" or "ceil".
    """

    op = "MaxPool"


class AvgPool2d(_Pool):
    """The mean of each window: MaxPool2d's arguments, and whether padded pixels count as zeros."""

    op = "AveragePool"

    def __init__(
        self,
        window: Any,
        stride: Any = None,
        padding: Any = 0,
        rounding: str = "exact",
        count_padding: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(window, stride, padding, rounding, name)
        self.count_padding = count_padding

    def _attributes(self) -> dict[str, Any]:
        return {"count_include_pad": int(self.count_padding)}


class GlobalAvgPool2d(Layer):
    """The mean of each channel: (channels, height, width) -> (channels, 1, 1)."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def apply(self, network: Network, x: str) -> str:
        label = network.label(self)
        expect_image(network, label, x, 2)
        return network.add("GlobalAveragePool", label, [x])


class Upsample(Layer):
    """Height and width times `scale` (an int or a pair): (C, H, W) -> (C, H * scale, W * scale).

    mode: "nearest" repeats pixels; "linear" and "cubic" interpolate with half-pixel centres.
    """

    def __init__(self, scale: Any = 2, mode: str = "nearest", name: str | None = None) -> None:
        if mode not in ("nearest", "linear", "cubic"):
            raise ConfigError(f"mode {mode!r} must be nearest, linear or cubic")
        self.scale = pair(scale, 2, "scale")
        at_least(self.scale, 1, "scale")
        self.mode, self.name = mode, name

    def apply(self, network: Network, x: str) -> str:
        label = network.label(self)
        expect_image(network, label, x, 2)
        scales = network.constant(f"{label}.scales", np.array((1, 1, *self.scale), np.float32))
        nearest = self.mode == "nearest"
        return network.add(
            "Resize",
            label,
            [x, "", scales],
            mode=self.mode,
            coordinate_transformation_mode="asymmetric" if nearest else "half_pixel",
            nearest_mode="floor" if nearest else "round_prefer_floor",
        )
