"""Convolutions: Conv2d, Conv1d, ConvTranspose2d."""

from __future__ import annotations

import math
from typing import Any

from clconv.errors import ShapeError
from clconv.frontend.layers.base import Layer, Network, at_least, count, pair
from clconv.frontend.layers.window import AXES, Window, padding_mode


def expect_image(network: Network, label: str, x: str, axes: int) -> tuple[int, ...]:
    """The volume of x if it is channels and `axes` spatial sizes; ShapeError if not."""
    volume = network.volume(x)
    if len(volume) != axes + 1:
        wanted = ", ".join(("channels", *AXES[axes]))
        raise ShapeError(f"layer '{label}': takes ({wanted}), got {volume}")
    return volume


def check_groups(label: str, channels: int, filters: int, groups: int) -> None:
    """ShapeError if the groups do not divide channels and filters."""

    def divide(number: int) -> bool:
        return channels % number == 0 and filters % number == 0

    if not divide(groups):
        many = f"{channels} channels" if channels % groups else f"{filters} filters"
        fitting = [str(g) for g in range(1, min(channels, filters) + 1) if divide(g)]
        raise ShapeError(
            f"layer '{label}': {many} do not divide into {groups} groups; "
            f"groups that fit: {', '.join(fitting)}"
        )


class _Convolution(Layer):
    axes: int

    def __init__(
        self,
        filters: int,
        window: Any,
        stride: Any = 1,
        padding: Any = 0,
        padding_mode: str = "zeros",
        groups: int = 1,
        dilation: Any = 1,
        bias: bool = True,
        rounding: str = "exact",
        name: str | None = None,
    ) -> None:
        self.filters = count(filters, "filters")
        self.groups = count(groups, "groups")
        self.window = Window.of(self.axes, window, stride, padding, dilation, rounding)
        self.mode = _mode(padding_mode)
        self.bias = bias
        self.name = name

    def apply(self, network: Network, x: str) -> str:
        label = network.label(self)
        channels, *sizes = expect_image(network, label, x, self.axes)
        check_groups(label, channels, self.filters, self.groups)
        pads = self.window.pads(label, sizes)
        shape = (self.filters, channels // self.groups, *self.window.size)
        fan_in = math.prod(shape[1:])
        units = self.filters if self.bias else None
        return network.add(
            "Conv",
            label,
            [x, *network.weight_and_bias(label, shape, units, fan_in)],
            strides=self.window.stride,
            dilations=self.window.dilation,
            pads=pads,
            pad_mode=self.mode,
            group=self.groups,
        )


_mode = padding_mode  # the constructor's argument has the same name


class Conv2d(_Convolution):
    """Convolution: `filters` filters that span the full depth of the input (divided by groups).

    (channels, height, width) -> (filters, (height - window + 2 * padding) / stride + 1, ...).
    window, stride, dilation: an int or (height, width). padding: an int, (height, width), "same", or
    ((top, bottom), (left, right)). padding_mode: "zeros", "reflect", "replicate" or "circular".
    rounding: "exact" refuses windows that do not tile the padded image, "floor" leaves pixels out.
    """

    axes = 2


class Conv1d(_Convolution):
    """Convolution along (channels, length): Conv2d's arguments with one spatial axis."""

    axes = 1


class ConvTranspose2d(Layer):
    """Transposed convolution, which undoes the sizes of Conv2d.

    (channels, height, width) -> (filters, (height - 1) * stride - 2 * padding + window +
    output_padding, ...). window, stride, padding, output_padding, dilation: an int or (height, width).
    """

    def __init__(
        self,
        filters: int,
        window: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
        bias: bool = True,
        name: str | None = None,
    ) -> None:
        self.filters, self.groups = count(filters, "filters"), count(groups, "groups")
        self.bias, self.name = bias, name
        self.window = Window.of(2, window, stride, 0, dilation)
        self.padding = pair(padding, 2, "padding")
        self.output_padding = pair(output_padding, 2, "output_padding")
        at_least(self.padding, 0, "padding")
        at_least(self.output_padding, 0, "output_padding")

    def apply(self, network: Network, x: str) -> str:
        label = network.label(self)
        channels, *_ = expect_image(network, label, x, 2)
        check_groups(label, channels, self.filters, self.groups)
        shape = (channels, self.filters // self.groups, *self.window.size)
        # A pixel of the result is reached by about window / stride pixels of the input.
        fan_in = channels // self.groups * math.prod(self.window.size)
        fan_in = max(1, fan_in // math.prod(self.window.stride))
        units = self.filters if self.bias else None
        return network.add(
            "ConvTranspose",
            label,
            [x, *network.weight_and_bias(label, shape, units, fan_in)],
            strides=self.window.stride,
            dilations=self.window.dilation,
            pads=self.padding * 2,
            output_padding=self.output_padding,
            group=self.groups,
        )
