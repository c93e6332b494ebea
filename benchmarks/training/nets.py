"""The networks and batches of bench_training: layers, batch, image, loss, and what is learned from, all by a seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from benchmarks.nets import alexnet, mobilenetv2, residual, resnet18
from benchmarks.networks.blocks import conv_bn
from benchmarks.networks.pixels import unet
from clconv.frontend.layers import (
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    LocalResponseNorm,
    MaxPool2d,
    Relu,
    Sequential,
)
from clconv.graph.ir import Graph


def lenet() -> Sequential:
    """LeCun et al., 1998, with ReLU and max pooling."""
    return Sequential(
        Conv2d(6, 5, padding=2), Relu(), MaxPool2d(2), Conv2d(16, 5), Relu(), MaxPool2d(2),
        Flatten(), Dense(120), Relu(), Dense(84), Relu(), Dense(10),
    )  # fmt: skip


def resnet20() -> Sequential:
    """He et al., 2015, for CIFAR: three stages of three blocks; shortcuts that change size are 1x1 convolutions."""
    blocks = []
    for stage, filters in enumerate((16, 32, 64)):
        for i in range(3):
            stride = 2 if stage and not i else 1
            branch = Sequential(conv_bn(filters, 3, stride, activation=Relu()), conv_bn(filters, 3))
            blocks.append(residual(branch, filters, stride, stride == 2))
    return Sequential(
        conv_bn(16, 3, activation=Relu()), *blocks, GlobalAvgPool2d(), Flatten(), Dense(10)
    )


def alexnet2012() -> Sequential:
    """Krizhevsky, Sutskever and Hinton, 2012: two groups, local response normalisation, overlapping pooling, dropout."""

    def norm() -> LocalResponseNorm:
        return LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)

    return Sequential(
        Conv2d(96, 11, 4, rounding="floor"), Relu(), norm(), MaxPool2d(3, 2),
        Conv2d(256, 5, padding=2, groups=2), Relu(), norm(), MaxPool2d(3, 2),
        Conv2d(384, 3, padding=1), Relu(),
        Conv2d(384, 3, padding=1, groups=2), Relu(),
        Conv2d(256, 3, padding=1, groups=2), Relu(), MaxPool2d(3, 2), Flatten(),
        Dense(4096), Relu(), Dropout(0.5), Dense(4096), Relu(), Dropout(0.5), Dense(1000),
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Task:
    """What is learned. image: (channels, height, width). classes: 0 for a yes or no at each pixel. goal: the most of
    PyTorch's time that a step may take."""

    layers: Callable[[], Sequential]
    batch: int
    image: tuple[int, int, int]
    classes: int
    goal: float
    close: float = 2e-3

    @property
    def loss(self) -> str:
        """As clconv.Trainer takes it."""
        return "cross_entropy" if self.classes else "binary_cross_entropy"

    def graph(self) -> Graph:
        return self.layers().build(self.image, self.batch, name=self.layers.__name__)

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """One batch: images and labels, or masks."""
        generator = np.random.default_rng(0)
        x = generator.standard_normal((self.batch, *self.image)).astype(np.float32)
        if self.classes:
            return x, generator.integers(0, self.classes, self.batch)
        shape = (self.batch, 1, *self.image[1:])
        return x, generator.integers(0, 2, shape).astype(np.float32)


TASKS = {
    "lenet": Task(lenet, 64, (1, 28, 28), 10, 0.5),
    "resnet20": Task(resnet20, 128, (3, 32, 32), 10, 0.75),
    "resnet18": Task(resnet18, 16, (3, 224, 224), 1000, 0.75),
    "alexnet": Task(alexnet, 16, (3, 224, 224), 1000, 0.9),
    "alexnet2012": Task(alexnet2012, 16, (3, 227, 227), 1000, 0.9, close=0.3),
    "mobilenetv2": Task(mobilenetv2, 8, (3, 224, 224), 1000, 0.7),
    "unet": Task(unet, 2, (3, 256, 256), 0, 0.75),
}
