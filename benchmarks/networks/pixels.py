"""Benchmark networks whose results have pixels: segmentation and detection."""

from __future__ import annotations

from benchmarks.networks.blocks import conv_bn
from clconv.frontend.layers import (
    Add,
    Channels,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Layer,
    MaxPool2d,
    Network,
    Relu,
    Sequential,
    Swish,
    Upsample,
)
from clconv.graph.ir import Graph


def unet(base: int = 16, depth: int = 4) -> Sequential:
    """Ronneberger et al., 2015, padded, with batch normalisation; the skip is a branch around the rest."""

    def double(filters: int) -> Sequential:
        return Sequential(
            conv_bn(filters, 3, activation=Relu()), conv_bn(filters, 3, activation=Relu())
        )

    inner: Layer = double(base << depth)
    for level in reversed(range(depth)):
        filters = base << level
        deeper = Sequential(MaxPool2d(2), inner, ConvTranspose2d(filters, 2, 2))
        inner = Sequential(double(filters), Concat(Sequential(), deeper), double(filters))
    return Sequential(inner, Conv2d(1, 1))


def _c2f(filters: int, times: int, shortcut: bool) -> Layer:
    """YOLOv8's block: half of the channels go through bottlenecks, every stage is kept."""
    half = filters // 2

    def bottleneck() -> Layer:
        branch = Sequential(
            conv_bn(half, 3, activation=Swish()), conv_bn(half, 3, activation=Swish())
        )
        return Add(branch, Sequential()) if shortcut else branch

    kept: Layer = bottleneck()
    for _ in range(times - 1):
        # Concat(first, rest of first): each bottleneck reads the one before it.
        kept = Sequential(bottleneck(), Concat(Sequential(), kept))
    split = Concat(Channels(0, filters), Sequential(Channels(half, filters), kept))
    return Sequential(
        conv_bn(filters, 1, activation=Swish()), split, conv_bn(filters, 1, activation=Swish())
    )


def yolo(batch: int = 1) -> Graph:
    """Like YOLOv8n (Jocher et al., 2023) at 320 x 320: backbone, feature pyramid, three heads."""
    net = Network((3, 320, 320), batch, name="yolo")

    def down(filters: int) -> Sequential:
        return conv_bn(filters, 3, 2, activation=Swish())

    x = net(Sequential(down(16), down(32), _c2f(32, 1, True), down(64)), net.input)
    p3 = net(_c2f(64, 2, True), x)
    p4 = net(Sequential(down(128), _c2f(128, 2, True)), p3)
    p5 = net(Sequential(down(256), _c2f(256, 1, True), conv_bn(128, 1, activation=Swish())), p4)
    pools = [p5]
    for _ in range(3):
        pools.append(net(MaxPool2d(5, 1, 2), pools[-1]))
    p5 = net(Sequential(conv_bn(256, 1, activation=Swish())), net(Concat(), *pools))
    n4 = net(_c2f(128, 1, False), net(Concat(), net(Upsample(2), p5), p4))
    n3 = net(_c2f(64, 1, False), net(Concat(), net(Upsample(2), n4), p3))
    n4 = net(_c2f(128, 1, False), net(Concat(), net(down(64), n3), n4))
    n5 = net(_c2f(256, 1, False), net(Concat(), net(down(128), n4), p5))

    def head(hidden: int, outputs: int) -> Sequential:
        return Sequential(
            conv_bn(hidden, 3, activation=Swish()), conv_bn(hidden, 3, activation=Swish()),
            Conv2d(outputs, 1),
        )  # fmt: skip

    scales = [net(Concat(head(64, 64), head(80, 80)), value) for value in (n3, n4, n5)]
    return net.graph(**{f"scale{i}": value for i, value in enumerate(scales)})
