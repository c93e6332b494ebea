"""Networks built by hand: layers in a row or in branches, weights drawn from a seed.

    graph = Sequential(
        Conv2d(16, 3, padding=1), Relu(), MaxPool2d(2), Dense(10), Softmax()
    ).build((3, 32, 32))

Sizes are (channels, height, width); input channels are inferred. Windows, strides and paddings are an
int or a (height, width) pair. A window that does not fit is a ShapeError that does the arithmetic.

`print(layer)` shows a layer as it is written, `print(summary(graph))` a table of a network. build(..., weights=...) and
load_state_dict() take weights by PyTorch's names, state_dict() gives them.
"""

from clconv.frontend.layers.activation import (
    Elu,
    Gelu,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    Mish,
    PRelu,
    Relu,
    Relu6,
    Sigmoid,
    Softmax,
    Softplus,
    Softsign,
    Swish,
    Tanh,
)
from clconv.frontend.layers.base import Layer, Network
from clconv.frontend.layers.branch import Add, Concat, Multiply, Sequential
from clconv.frontend.layers.convolution import Conv1d, Conv2d, ConvTranspose2d
from clconv.frontend.layers.dense import Channels, Dense, Dropout, Flatten
from clconv.frontend.layers.norm import BatchNorm2d, LocalResponseNorm
from clconv.frontend.layers.pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d, Upsample
from clconv.frontend.layers.weights import load_state_dict, state_dict
from clconv.graph.summary import summary

__all__ = [
    "Add",
    "AvgPool2d",
    "BatchNorm2d",
    "Channels",
    "Concat",
    "Conv1d",
    "Conv2d",
    "ConvTranspose2d",
    "Dense",
    "Dropout",
    "Elu",
    "Flatten",
    "Gelu",
    "GlobalAvgPool2d",
    "HardSigmoid",
    "HardSwish",
    "Layer",
    "LeakyRelu",
    "LocalResponseNorm",
    "MaxPool2d",
    "Mish",
    "Multiply",
    "Network",
    "PRelu",
    "Relu",
    "Relu6",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "Swish",
    "Tanh",
    "Upsample",
    "load_state_dict",
    "state_dict",
    "summary",
]
