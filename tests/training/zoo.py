"""Eleven networks, their data and their objective, made from a seed: what PyTorch's numbers are of.

tests/tools/torch_gradients.py computes them with the same nodes in PyTorch; names of parameters are as PyTorch's
modules would have them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from clconv.graph.ir import Graph
from clconv.graph.ops import make_node
from tests.training.net import Net


@dataclasses.dataclass(frozen=True)
class Entry:
    """A network, the shape of one example, how many examples, how many classes; slow: its test. seed: of its data, such
    that no unit is so close to a kink that rounding to float32 takes it to the other side."""

    make: Callable[[], Graph]
    shape: tuple[int, ...]
    batch: int
    classes: int
    labels: tuple[int, ...] = ()  # of one example
    slow: bool = False
    seed: int = 0

    def data(self, count: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """So many examples, a batch by default."""
        rng = np.random.default_rng([self.seed, 17])
        count = count or self.batch
        x = rng.standard_normal((count, *self.shape)).astype(np.float32)
        return x, rng.integers(0, self.classes, (count, *self.labels))


def _start(channels: int, seed: int) -> Net:
    net = Net(seed)
    net.channels["x"] = channels
    return net


def mlp() -> Graph:
    net = _start(20, 1)
    h = net.add("Tanh", net.dense("x", "fc1", 20, 48))
    h = net.relu(net.dense(h, "fc2", 48, 32))
    return net.graph("mlp", (20,), net.dense(h, "fc3", 32, 5))


def lenet() -> Graph:
    """LeCun et al. (1998), with its pooling by means."""
    net = _start(1, 2)
    h = net.add("Tanh", net.conv("x", "conv1", 6, 5, 1, 2))
    h = net.pool(h, 2, 2, "AveragePool")
    h = net.add("Tanh", net.conv(h, "conv2", 16, 5))
    h = net.flat(net.pool(h, 2, 2, "AveragePool"))
    h = net.add("Tanh", net.dense(h, "fc1", 400, 120))
    h = net.add("Tanh", net.dense(h, "fc2", 120, 84))
    return net.graph("lenet", (1, 28, 28), net.dense(h, "fc3", 84, 10))


def convnet() -> Graph:
    """Conv, relu, pool, dense: 760 parameters in the first layer."""
    net = _start(3, 3)
    h = net.pool(net.relu(net.conv("x", "conv", 10, 5)), 2, 2)
    return net.graph("convnet", (3, 32, 32), net.dense(net.flat(h), "fc", 1960, 10))


def _basic(net: Net, x: str, label: str, to: int, stride: int) -> str:
    h = net.norm(net.conv(x, f"{label}.conv1", to, 3, stride, 1, bias=False), f"{label}.bn1")
    h = net.conv(net.relu(h), f"{label}.conv2", to, 3, 1, 1, bias=False)
    h = net.norm(h, f"{label}.bn2")
    if stride != 1 or net.channels[x] != to:
        x = net.conv(x, f"{label}.down.0", to, 1, stride, bias=False)
        x = net.norm(x, f"{label}.down.1")
    return net.relu(net.add("Add", h, x))


def resnet20() -> Graph:
    """He et al. (2016), section 4.2."""
    net = _start(3, 4)
    h = net.relu(net.norm(net.conv("x", "conv1", 16, 3, 1, 1, bias=False), "bn1"))
    for stage, to in enumerate((16, 32, 64)):
        for block in range(3):
            h = _basic(net, h, f"layer{stage}.{block}", to, 2 if stage and not block else 1)
    return net.graph("resnet20", (3, 32, 32), net.dense(net.pooled(h), "fc", 64, 10))


def resnet18() -> Graph:
    """Half as wide."""
    net = _start(3, 5)
    h = net.relu(net.norm(net.conv("x", "conv1", 32, 7, 2, 3, bias=False), "bn1"))
    h = net.pool(h, 3, 2, pad=1)
    for stage, to in enumerate((32, 64, 128, 256)):
        for block in range(2):
            h = _basic(net, h, f"layer{stage}.{block}", to, 2 if stage and not block else 1)
    return net.graph("resnet18", (3, 64, 64), net.dense(net.pooled(h), "fc", 256, 10))


def _alexnet(
    size: int, channels: tuple[int, ...], flat: int, units: int, classes: int, alpha: float
) -> Graph:
    """Krizhevsky et al. (2012): LRN, overlapping pooling, two groups, dropout."""
    net = _start(3, 6)

    def normal(x: str) -> str:
        return net.add("LRN", net.relu(x), size=5, alpha=alpha, beta=0.75, bias=2.0)

    one, two, three, four, five = channels
    h = net.pool(normal(net.conv("x", "conv1", one, 11, 4)), 3, 2)
    h = net.pool(normal(net.conv(h, "conv2", two, 5, 1, 2, groups=2)), 3, 2)
    h = net.relu(net.conv(h, "conv3", three, 3, 1, 1))
    h = net.relu(net.conv(h, "conv4", four, 3, 1, 1, groups=2))
    h = net.pool(net.relu(net.conv(h, "conv5", five, 3, 1, 1, groups=2)), 3, 2)
    for label, fan, to in (("fc6", flat, units), ("fc7", units, units)):
        dropped = net.add("Dropout", net.flat(h), net.number(0.5))
        h = net.relu(net.dense(dropped, label, fan, to))
    return net.graph("alexnet", (3, size, size), net.dense(h, "fc8", units, classes))


def alexnet() -> Graph:
    """A small sibling."""
    return _alexnet(99, (16, 32, 48, 48, 32), 128, 64, 10, alpha=1e-2)


def whole_alexnet() -> Graph:
    """All 60,965,224 parameters."""
    return _alexnet(227, (96, 256, 384, 384, 256), 9216, 4096, 1000, alpha=5e-4)


def mobilenet() -> Graph:
    """Inverted residuals of Sandler et al. (2018)."""
    net = _start(3, 7)

    def step(x: str, label: str, to: int, size: int, stride: int = 1, groups: int = 1) -> str:
        h = net.conv(x, f"{label}.0", to, size, stride, size // 2, groups=groups, bias=False)
        return net.norm(h, f"{label}.1")

    def relu6(x: str) -> str:
        return net.add("Clip", x, net.number(0), net.number(6))

    h = relu6(step("x", "stem", 16, 3, 2))
    for i, (to, stride) in enumerate(((16, 1), (24, 2), (24, 1), (32, 2), (32, 1))):
        wide = 4 * net.channels[h]
        g = relu6(step(h, f"block{i}.expand", wide, 1))
        g = relu6(step(g, f"block{i}.depthwise", wide, 3, stride, wide))
        g = step(g, f"block{i}.project", to, 1)
        h = net.add("Add", g, h) if stride == 1 and net.channels[h] == to else g
    h = relu6(step(h, "last", 96, 1))
    return net.graph("mobilenet", (3, 48, 48), net.dense(net.pooled(h), "fc", 96, 10))


def unet() -> Graph:
    """Ronneberger et al. (2015): transposed convolutions, concatenation, a label for each pixel."""
    net = _start(1, 8)

    def double(x: str, label: str, to: int) -> str:
        h = net.relu(net.conv(x, f"{label}.0", to, 3, 1, 1))
        return net.relu(net.conv(h, f"{label}.1", to, 3, 1, 1))

    def up(x: str, label: str, to: int) -> str:
        w = net.weight(f"{label}.weight", net.channels[x], to, 2, 2, fan=2 * net.channels[x])
        b = net.bias(f"{label}.bias", to)
        return net.add(
            "ConvTranspose", x, w, b, channels=to, strides=(2, 2), dilations=(1, 1), pads=(0,) * 4
        )

    first = double("x", "down1", 8)
    second = double(net.pool(first, 2, 2), "down2", 16)
    h = double(net.pool(second, 2, 2), "middle", 32)
    for label, other, to in (("2", second, 16), ("1", first, 8)):
        h = net.add("Concat", other, up(h, f"up{label}", to), channels=2 * to, axis=1)
        h = double(h, f"join{label}", to)
    return net.graph("unet", (1, 32, 32), net.conv(h, "head", 3, 1))


def lstm() -> Graph:
    """Sequences (batch, steps, features) read both ways by an LSTM; a dense layer on its last states."""
    net = _start(0, 9)
    features, hidden = 10, 24
    x = net.add("Transpose", "x", perm=(1, 0, 2))
    bound = 1 / math.sqrt(hidden)

    def uniform(name: str, *shape: int) -> str:
        return net.constant(name, net.rng.uniform(-bound, bound, shape).astype(np.float32))

    names = (
        uniform("lstm.w", 2, 4 * hidden, features),
        uniform("lstm.r", 2, 4 * hidden, hidden),
        uniform("lstm.b", 2, 8 * hidden),
    )
    attrs = {"hidden_size": hidden, "direction": "bidirectional"}
    net.nodes.append(make_node("LSTM", (x, *names), ("y", "h"), **attrs))
    last = net.add("Transpose", "h", perm=(1, 0, 2))
    return net.graph("lstm", (15, features), net.dense(net.flat(last), "fc", 2 * hidden, 6))


def vit() -> Graph:
    """Patches of 8x8, a block of attention and a multilayer perceptron (Dosovitskiy et al., 2021)."""
    net = _start(3, 10)
    width, heads, patches = 32, 4, 16
    head = width // heads
    h = net.conv("x", "patches", width, 8, 8)
    h = net.add("Reshape", h, net.ints(0, width, patches))
    h = net.add("Transpose", h, perm=(0, 2, 1))
    position = net.rng.standard_normal((1, patches, width)) * 0.2
    h = net.add("Add", h, net.constant("position", position.astype(np.float32)))
    a = net.layer_norm(h, "norm1", width)

    def by_head(name: str, perm: tuple[int, ...]) -> str:
        split = net.add(
            "Reshape", net.linear(a, name, width, width), net.ints(0, patches, heads, head)
        )
        return net.add("Transpose", split, perm=perm)

    q, k = by_head("query", (0, 2, 1, 3)), by_head("key", (0, 2, 3, 1))
    v = by_head("value", (0, 2, 1, 3))
    scores = net.add("Mul", net.add("MatMul", q, k), net.number(1 / math.sqrt(head)))
    mixed = net.add("MatMul", net.add("Softmax", scores, axis=-1), v)
    mixed = net.add("Transpose", mixed, perm=(0, 2, 1, 3))
    mixed = net.add("Reshape", mixed, net.ints(0, patches, width))
    h = net.add("Add", h, net.linear(mixed, "out", width, width))
    m = net.layer_norm(h, "norm2", width)
    m = net.add("Gelu", net.linear(m, "mlp.0", width, 2 * width))
    h = net.add("Add", h, net.linear(m, "mlp.2", 2 * width, width))
    h = net.add("ReduceMean", net.layer_norm(h, "norm3", width), net.ints(1), keepdims=0)
    return net.graph("vit", (3, 32, 32), net.dense(h, "fc", width, 10))


ZOO: dict[str, Entry] = {
    "mlp": Entry(mlp, (20,), 16, 5),
    "lenet": Entry(lenet, (1, 28, 28), 8, 10),
    "convnet": Entry(convnet, (3, 32, 32), 8, 10),
    "resnet20": Entry(resnet20, (3, 32, 32), 2, 10, slow=True, seed=12),
    "resnet18": Entry(resnet18, (3, 64, 64), 4, 10, slow=True, seed=1),
    "alexnet": Entry(alexnet, (3, 99, 99), 4, 10, slow=True),
    "whole alexnet": Entry(whole_alexnet, (3, 227, 227), 2, 1000, slow=True),
    "mobilenet": Entry(mobilenet, (3, 48, 48), 6, 10, slow=True),
    "unet": Entry(unet, (1, 32, 32), 2, 3, labels=(32, 32), slow=True),
    "lstm": Entry(lstm, (15, 10), 7, 6),
    "vit": Entry(vit, (3, 32, 32), 4, 10),
}
