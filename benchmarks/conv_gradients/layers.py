"""Convolutions of networks that people train, for benchmarks/conv_gradients."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Layer:
    """A convolution in a network: images, channels, size, filters, window, stride, groups; how often it stands there."""

    network: str
    batch: int
    channels: int
    size: int
    filters: int
    kernel: int
    stride: int = 1
    group: int = 1
    count: int = 1

    @property
    def pad(self) -> int:
        return self.kernel // 2

    @property
    def out(self) -> int:
        return (self.size + 2 * self.pad - self.kernel) // self.stride + 1

    @property
    def flops(self) -> int:
        taps = self.channels // self.group * self.kernel**2
        return 2 * self.batch * self.filters * self.out**2 * taps

    @property
    def label(self) -> str:
        kind = " depthwise" if self.group > 1 else ""
        return (
            f"{self.channels}x{self.size}x{self.size} -> {self.filters}, {self.kernel}x{self.kernel}"
            f"/{self.stride}{kind}"
        )


def _mobilenet() -> list[Layer]:
    """MobileNetV2's kinds of blocks: expansion, depthwise, projection."""
    found, batch = [], 8
    for channels, inner, size, filters, stride in (
        (16, 96, 112, 24, 2), (24, 144, 56, 24, 1), (32, 192, 28, 32, 1), (64, 384, 14, 64, 1),
        (96, 576, 14, 160, 2), (160, 960, 7, 160, 1),
    ):  # fmt: skip
        found.append(Layer("MobileNetV2", batch, channels, size, inner, 1))
        found.append(Layer("MobileNetV2", batch, inner, size, inner, 3, stride, inner))
        found.append(Layer("MobileNetV2", batch, inner, -(-size // stride), filters, 1))
    return found


LAYERS = [
    Layer("ResNet-18", 16, 3, 224, 64, 7, 2),
    Layer("ResNet-18", 16, 64, 56, 64, 3, count=4),
    Layer("ResNet-18", 16, 64, 56, 128, 3, 2),
    Layer("ResNet-18", 16, 64, 56, 128, 1, 2),
    Layer("ResNet-18", 16, 128, 28, 128, 3, count=3),
    Layer("ResNet-18", 16, 128, 28, 256, 3, 2),
    Layer("ResNet-18", 16, 256, 14, 256, 3, count=3),
    Layer("ResNet-18", 16, 256, 14, 512, 3, 2),
    Layer("ResNet-18", 16, 512, 7, 512, 3, count=3),
    *_mobilenet(),
    Layer("LeNet", 128, 1, 28, 6, 5),
    Layer("LeNet", 128, 6, 14, 16, 5),
    Layer("ResNet-20", 128, 3, 32, 16, 3),
    Layer("ResNet-20", 128, 16, 32, 16, 3, count=6),
    Layer("ResNet-20", 128, 16, 32, 32, 3, 2),
    Layer("ResNet-20", 128, 32, 16, 32, 3, count=5),
    Layer("ResNet-20", 128, 32, 16, 64, 3, 2),
    Layer("ResNet-20", 128, 64, 8, 64, 3, count=5),
    Layer("U-Net", 2, 32, 256, 32, 3),
    Layer("U-Net", 2, 64, 128, 64, 3),
    Layer("U-Net", 2, 128, 64, 128, 3),
    Layer("U-Net", 2, 48, 256, 16, 3),
    Layer("AlexNet", 16, 192, 13, 384, 3),
    Layer("AlexNet", 16, 384, 13, 256, 3),
]
