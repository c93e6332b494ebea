"""ShuffleNetV2, whose units halve the channels, and shuffle them behind a concatenation."""

from __future__ import annotations

import numpy as np

from benchmarks.networks.blocks import conv_bn
from clconv.frontend.layers import (
    Channels,
    Concat,
    Dense,
    GlobalAvgPool2d,
    Layer,
    MaxPool2d,
    Relu,
    Sequential,
)
from clconv.frontend.layers.base import Network


class _Shuffle(Layer):
    """Channels of the first half and of the second one by turns, as exporters write it: reshape, transpose, reshape."""

    def apply(self, network: Network, x: str) -> str:
        label, (channels, *size) = network.label(self), network.volume(x)
        halves = network.constant(f"{label}.halves", np.array([-1, 2, channels // 2, *size]))
        whole = network.constant(f"{label}.whole", np.array([-1, channels, *size]))
        split = network.add("Reshape", f"{label}.split", [x, halves])
        turned = network.add("Transpose", f"{label}.turned", [split], perm=(0, 2, 1, 3, 4))
        return network.add("Reshape", label, [turned, whole])


def shufflenetv2() -> Sequential:
    """Ma et al., 2018, width 1."""
    layers: list[Layer] = [
        conv_bn(24, 3, 2, activation=Relu()),
        MaxPool2d(3, 2, 1, rounding="floor"),
    ]
    channels = 24
    for width, times in ((116, 4), (232, 8), (464, 4)):
        half = width // 2
        for unit in range(times):
            stride, hidden = (1 if unit else 2), (half if unit else channels)
            branch = Sequential(
                conv_bn(half, 1, activation=Relu()),
                conv_bn(half, 3, stride, groups=half),
                conv_bn(half, 1, activation=Relu()),
            )
            if unit:
                joined = Concat(Channels(0, half), Sequential(Channels(half, width), branch))
            else:
                shortcut = Sequential(
                    conv_bn(hidden, 3, 2, groups=hidden), conv_bn(half, 1, activation=Relu())
                )
                joined = Concat(shortcut, branch)
            layers += [joined, _Shuffle()]
        channels = width
    layers.append(conv_bn(1024, 1, activation=Relu()))
    return Sequential(*layers, GlobalAvgPool2d(), Dense(1000))
