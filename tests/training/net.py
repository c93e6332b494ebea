"""Writes networks for tests node by node, with weights from a seed."""

from __future__ import annotations

import math

import numpy as np

from clconv.graph.ir import Constant, Graph, Node, TensorSpec
from clconv.graph.ops import make_node


class Net:
    """A network in the making: each method adds a layer to a value and names the result."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Node] = []
        self.constants: dict[str, Constant] = {}
        self.channels: dict[str, int] = {}

    def add(self, op: str, *inputs: str, channels: int = 0, **attrs: object) -> str:
        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(make_node(op, inputs, (name,), **attrs))
        self.channels[name] = channels or self.channels.get(inputs[0], 0)
        return name

    def constant(self, name: str, value: object) -> str:
        self.constants[name] = Constant(np.asarray(value))
        return name

    def weight(self, name: str, *shape: int, fan: int | None = None) -> str:
        """He's normal distribution (2015)."""
        scale = math.sqrt(2 / (fan or math.prod(shape[1:])))
        return self.constant(name, (self.rng.standard_normal(shape) * scale).astype(np.float32))

    def bias(self, name: str, size: int, centre: float = 0.0) -> str:
        return self.constant(
            name, (centre + 0.1 * self.rng.standard_normal(size)).astype(np.float32)
        )

    def ints(self, *values: int) -> str:
        return self.constant(f"ints_{len(self.constants)}", np.array(values, np.int64))

    def number(self, value: float) -> str:
        return self.constant(f"number_{len(self.constants)}", np.array(value, np.float32))

    # Layers.

    def conv(
        self, x: str, label: str, to: int, size: int, *window: int, groups: int = 1, bias: bool = True
    ) -> str:  # fmt: skip
        """window: stride, 1 by default, and padding."""
        stride, pad = (*(window or (1,)), 0)[:2]
        inputs = [x, self.weight(f"{label}.weight", to, self.channels[x] // groups, size, size)]
        if bias:
            inputs.append(self.bias(f"{label}.bias", to))
        where = {"strides": (stride,) * 2, "dilations": (1, 1), "pads": (pad,) * 4, "group": groups}
        return self.add("Conv", *inputs, channels=to, **where)

    def norm(self, x: str, label: str) -> str:
        c = self.channels[x]
        names = [self.bias(f"{label}.weight", c, 1.0), self.bias(f"{label}.bias", c)]
        names.append(self.constant(f"{label}.running_mean", np.zeros(c, np.float32)))
        names.append(self.constant(f"{label}.running_var", np.ones(c, np.float32)))
        return self.add("BatchNormalization", x, *names)

    def dense(self, x: str, label: str, fan: int, to: int) -> str:
        names = [self.weight(f"{label}.weight", to, fan), self.bias(f"{label}.bias", to)]
        return self.add("Gemm", x, *names, transB=1)

    def relu(self, x: str) -> str:
        return self.add("Relu", x)

    def pool(self, x: str, size: int, stride: int, op: str = "MaxPool", pad: int = 0) -> str:
        where = {"strides": (stride,) * 2, "dilations": (1, 1), "pads": (pad,) * 4}
        return self.add(op, x, kernel_shape=(size,) * 2, **where)

    def flat(self, x: str) -> str:
        return self.add("Flatten", x)

    def pooled(self, x: str) -> str:
        return self.flat(self.add("GlobalAveragePool", x))

    def linear(self, x: str, label: str, fan: int, to: int) -> str:
        """Of the last axis."""
        w = self.weight(f"{label}.weight", fan, to, fan=2 * fan)
        return self.add("Add", self.add("MatMul", x, w), self.bias(f"{label}.bias", to))

    def layer_norm(self, x: str, label: str, width: int) -> str:
        names = (self.bias(f"{label}.weight", width, 1.0), self.bias(f"{label}.bias", width))
        return self.add("LayerNormalization", x, *names, axis=-1, epsilon=1e-5)

    def graph(self, name: str, shape: tuple[int, ...], output: str) -> Graph:
        spec = TensorSpec(("n", *shape))
        return Graph(name, tuple(self.nodes), ("x",), (output,), {"x": spec}, self.constants)
