"""Ten well-known networks built with clconv's layers: seeded weights, sane batch-norm statistics.

The structure is that of the published network; the weights are random, so only speed and agreement with
other engines mean anything. `python -m benchmarks.nets FOLDER` writes them all as ONNX files.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from onnx import ModelProto

from benchmarks.networks.blocks import conv_bn
from benchmarks.networks.pixels import unet, yolo
from benchmarks.networks.shuffle import shufflenetv2
from benchmarks.networks.transformer import encoder, vit_tiny
from clconv.frontend.layers import (
    Add,
    AvgPool2d,
    BatchNorm2d,
    Concat,
    Conv2d,
    Dense,
    Flatten,
    GlobalAvgPool2d,
    Layer,
    MaxPool2d,
    Multiply,
    Relu,
    Relu6,
    Sequential,
    Sigmoid,
    Swish,
)
from clconv.frontend.onnx import import_onnx
from clconv.graph.ir import Graph

CLASSES = 1000


def vgg16() -> Sequential:
    """Simonyan and Zisserman, 2014, configuration D."""
    layers: list[Layer] = []
    for filters, times in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(times):
            layers += [Conv2d(filters, 3, padding=1), Relu()]
        layers.append(MaxPool2d(2))
    head = [Flatten(), Dense(4096), Relu(), Dense(4096), Relu(), Dense(CLASSES)]
    return Sequential(*layers, *head)


def alexnet() -> Sequential:
    """Krizhevsky, 2014: "One weird trick for parallelizing convolutional neural networks"."""
    return Sequential(
        Conv2d(64, 11, 4, 2, rounding="floor"), Relu(), MaxPool2d(3, 2),
        Conv2d(192, 5, padding=2), Relu(), MaxPool2d(3, 2),
        Conv2d(384, 3, padding=1), Relu(),
        Conv2d(256, 3, padding=1), Relu(),
        Conv2d(256, 3, padding=1), Relu(), MaxPool2d(3, 2),
        Flatten(), Dense(4096), Relu(), Dense(4096), Relu(), Dense(CLASSES),
    )  # fmt: skip


def _resnet_stem() -> Sequential:
    return Sequential(conv_bn(64, 7, 2, activation=Relu()), MaxPool2d(3, 2, 1, rounding="floor"))


def residual(branch: Sequential, filters: int, stride: int, project: bool) -> Sequential:
    shortcut = conv_bn(filters, 1, stride) if project else Sequential()
    return Sequential(Add(branch, shortcut), Relu())


def resnet18() -> Sequential:
    """He et al., 2015."""
    blocks: list[Layer] = []
    for stage, filters in enumerate((64, 128, 256, 512)):
        for i in range(2):
            stride = 2 if stage and not i else 1
            branch = Sequential(conv_bn(filters, 3, stride, activation=Relu()), conv_bn(filters, 3))
            blocks.append(residual(branch, filters, stride, stride == 2))
    return Sequential(_resnet_stem(), *blocks, GlobalAvgPool2d(), Flatten(), Dense(CLASSES))


def resnet50() -> Sequential:
    """He et al., 2015, with the stride in the 3x3 convolution."""
    blocks: list[Layer] = []
    for stage, (filters, times) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for i in range(times):
            stride = 2 if stage and not i else 1
            branch = Sequential(
                conv_bn(filters, 1, activation=Relu()),
                conv_bn(filters, 3, stride, activation=Relu()),
                conv_bn(4 * filters, 1),
            )
            blocks.append(residual(branch, 4 * filters, stride, not i))
    return Sequential(_resnet_stem(), *blocks, GlobalAvgPool2d(), Flatten(), Dense(CLASSES))


def mobilenetv2() -> Sequential:
    """Sandler et al., 2018."""
    layers: list[Layer] = [conv_bn(32, 3, 2, activation=Relu6())]
    channels = 32
    for expand, filters, times, first_stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):  # fmt: skip
        for i in range(times):
            stride, hidden = (1 if i else first_stride), channels * expand
            widen = [conv_bn(hidden, 1, activation=Relu6())] if expand > 1 else []
            branch = Sequential(
                *widen,
                conv_bn(hidden, 3, stride, groups=hidden, activation=Relu6()),
                conv_bn(filters, 1),
            )
            layers.append(Add(branch, Sequential()) if i else branch)
            channels = filters
    layers.append(conv_bn(1280, 1, activation=Relu6()))
    return Sequential(*layers, GlobalAvgPool2d(), Flatten(), Dense(CLASSES))


def squeezenet() -> Sequential:
    """Iandola et al., 2016, version 1.1."""

    def fire(squeeze: int, expand: int) -> Sequential:
        return Sequential(
            Conv2d(squeeze, 1), Relu(),
            Concat(
                Sequential(Conv2d(expand, 1), Relu()),
                Sequential(Conv2d(expand, 3, padding=1), Relu()),
            ),
        )  # fmt: skip

    def pool() -> Layer:
        return MaxPool2d(3, 2, rounding="ceil")

    return Sequential(
        Conv2d(64, 3, 2, rounding="floor"), Relu(), pool(),
        fire(16, 64), fire(16, 64), pool(),
        fire(32, 128), fire(32, 128), pool(),
        fire(48, 192), fire(48, 192), fire(64, 256), fire(64, 256),
        Conv2d(CLASSES, 1), Relu(), GlobalAvgPool2d(), Flatten(),
    )  # fmt: skip


def densenet121() -> Sequential:
    """Huang et al., 2016, growth 32."""
    growth, channels = 32, 64
    layers: list[Layer] = [_resnet_stem()]
    for stage, times in enumerate((6, 12, 24, 16)):
        for _ in range(times):
            branch = Sequential(
                BatchNorm2d(), Relu(), conv_bn(4 * growth, 1, activation=Relu()),
                Conv2d(growth, 3, padding=1, bias=False),
            )  # fmt: skip
            layers.append(Concat(Sequential(), branch))
            channels += growth
        if stage < 3:
            channels //= 2
            layers += [BatchNorm2d(), Relu(), Conv2d(channels, 1, bias=False), AvgPool2d(2)]
    return Sequential(*layers, BatchNorm2d(), Relu(), GlobalAvgPool2d(), Flatten(), Dense(CLASSES))


def efficientnet_b0() -> Sequential:
    """Tan and Le, 2019."""
    layers: list[Layer] = [conv_bn(32, 3, 2, activation=Swish())]
    channels = 32
    for expand, filters, times, first_stride, window in (
        (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5),
        (6, 192, 4, 2, 5), (6, 320, 1, 1, 3),
    ):  # fmt: skip
        for i in range(times):
            stride, hidden = (1 if i else first_stride), channels * expand
            widen = [conv_bn(hidden, 1, activation=Swish())] if expand > 1 else []
            gate = Sequential(
                GlobalAvgPool2d(), Conv2d(max(1, channels // 4), 1), Swish(),
                Conv2d(hidden, 1), Sigmoid(),
            )  # fmt: skip
            branch = Sequential(
                *widen,
                conv_bn(hidden, window, stride, groups=hidden, activation=Swish()),
                Multiply(Sequential(), gate),
                conv_bn(filters, 1),
            )
            layers.append(Add(branch, Sequential()) if i else branch)
            channels = filters
    layers.append(conv_bn(1280, 1, activation=Swish()))
    return Sequential(*layers, GlobalAvgPool2d(), Flatten(), Dense(CLASSES))


def _of(layers: Callable[[], Sequential], size: int = 224) -> Callable[[int], Graph]:
    return lambda batch: layers().build((3, size, size), batch, name=layers.__name__)


def _open(layers: Callable[[], Sequential]) -> Callable[[int], Graph]:
    return lambda size: layers().build((3, size, size), None, name=layers.__name__)


# For images of any size and batch; the weights of dense layers depend on the size.
OPEN: dict[str, Callable[[int], Graph]] = {
    layers.__name__: _open(layers) for layers in (vgg16, resnet18, resnet50, mobilenetv2, unet)
}
NETS: dict[str, Callable[[int], Graph]] = {
    "vgg16": _of(vgg16),
    "resnet18": _of(resnet18),
    "resnet50": _of(resnet50),
    "alexnet": _of(alexnet),
    "mobilenetv2": _of(mobilenetv2),
    "squeezenet1_1": _of(squeezenet),
    "densenet121": _of(densenet121),
    "efficientnet_b0": _of(efficientnet_b0),
    "unet": _of(unet, 256),
    "yolo": yolo,
}


def _imported(made: Callable[[int], ModelProto]) -> Callable[[int], Graph]:
    return lambda batch: import_onnx(made(batch).SerializeToString())


# Not convolutional; only measured where they are asked for by name.
TRANSFORMERS: dict[str, Callable[[int], Graph]] = {
    made.__name__: _imported(made) for made in (vit_tiny, encoder)
}
# Measured with 8 bits only.
QUANTISED: dict[str, Callable[[int], Graph]] = {"shufflenetv2": _of(shufflenetv2)}


def write(name: str, folder: Path, batch: int = 1) -> Path:
    """The network as an ONNX file, made anew unless it is there."""
    from clconv.frontend.onnx import export_onnx

    target = folder / f"{name}_{batch}.onnx"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        export_onnx({**NETS, **TRANSFORMERS, **QUANTISED}[name](batch), target)
    return target


if __name__ == "__main__":
    for net_name in NETS:
        print(write(net_name, Path(sys.argv[1])))
