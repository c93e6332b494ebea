"""Computes a graph with PyTorch: each operator by PyTorch's function of it, so that its gradients are autograd's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F

from clconv.graph.evaluate import evaluate_node
from clconv.graph.ir import Graph, Node
from clconv.graph.ops import make_node

Values = dict[str, torch.Tensor]
Rule = Callable[..., Any]


class TorchNetwork:
    """A graph in training mode. weights: its constants of float32 as float64 by name; running statistics are brought up
    to date by each call. draw: seed and step that decide what is dropped."""

    def __init__(self, graph: Graph, statistics: frozenset[str]) -> None:
        self.graph, self.draw = graph, (0, 0)
        self.weights = {
            name: torch.tensor(c.array, dtype=torch.float64 if c.spec.dtype.is_float else None)
            for name, c in graph.constants.items()
        }
        for name in self.parameters(statistics):
            self.weights[name].requires_grad_()

    def parameters(self, statistics: frozenset[str]) -> list[str]:
        return [
            name
            for name, w in self.weights.items()
            if w.dtype is torch.float64 and w.dim() and name not in statistics
        ]

    def __call__(self, x: Any) -> torch.Tensor:
        values: Values = dict(self.weights)
        values[self.graph.inputs[0]] = torch.tensor(x, dtype=torch.float64)
        drops = 0
        for node in self.graph.nodes:
            args = [values[n] if n else None for n in node.inputs]
            if node.op == "Dropout":
                drops += 1
                values[node.outputs[0]] = self._dropout(node, args[0], args[1], drops)
                continue
            found = RULES[node.op](node.attrs, *args)
            outputs = found if isinstance(found, tuple) else (found,)
            values.update(zip(node.outputs, outputs, strict=False))
        return values[self.graph.outputs[0]]

    def _dropout(self, node: Node, x: Any, ratio: Any, number: int) -> torch.Tensor:
        """With the mask that clconv's reference draws: which elements it drops is each engine's own."""
        inputs = ("x", "ratio", "training", "random")
        own = make_node("Dropout", inputs, ("y", "mask"), node.name, seed=number)
        import numpy as np

        ones = np.ones(tuple(x.shape), np.float32)
        rest = [np.float32(ratio), np.array(True), np.array(self.draw, np.int64)]
        mask = evaluate_node(own, [ones, *map(np.asarray, rest)])[1]
        return x * torch.tensor(mask, dtype=x.dtype) / (1 - float(ratio))


def _conv(at: Any, x: Any, w: Any, b: Any = None) -> Any:
    assert at.pads[:2] == at.pads[2:]
    return F.conv2d(x, w, b, at.strides, at.pads[:2], at.dilations, at.group)


def _conv_transpose(at: Any, x: Any, w: Any, b: Any = None) -> Any:
    return F.conv_transpose2d(x, w, b, at.strides, at.pads[:2], 0, at.group, at.dilations)


def _batch_norm(at: Any, x: Any, scale: Any, bias: Any, mean: Any, variance: Any) -> Any:
    return F.batch_norm(x, mean, variance, scale, bias, True, 1 - at.momentum, at.epsilon)


def _lstm(at: Any, x: Any, w: Any, r: Any, b: Any) -> Any:
    """Gates of ONNX are in the order input, output, forget, cell; of PyTorch input, forget, cell, output."""
    n = at.hidden_size
    order = torch.cat([torch.arange(n) + n * k for k in (0, 2, 3, 1)])
    directions = w.shape[0]
    flat = []
    for d in range(directions):
        first, second = b[d][: 4 * n], b[d][4 * n :]
        flat += [w[d][order], r[d][order], first[order], second[order]]
    zeros = x.new_zeros(directions, x.shape[1], n)
    y, h, _ = torch._VF.lstm(  # type: ignore[attr-defined]
        x, (zeros, zeros), flat, True, 1, 0.0, True, directions == 2, False
    )
    return y, h


def _reshape(at: Any, x: Any, shape: Any) -> Any:
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(shape.tolist())])


RULES: Mapping[str, Rule] = {
    "Gemm": lambda at, x, w, b: F.linear(x, w if at.transB else w.T, b),
    "MatMul": lambda at, a, b: a @ b,
    "Add": lambda at, a, b: a + b,
    "Mul": lambda at, a, b: a * b,
    "Identity": lambda at, x: x,
    "Relu": lambda at, x: F.relu(x),
    "Tanh": lambda at, x: torch.tanh(x),
    "Clip": lambda at, x, low, high: F.hardtanh(x, float(low), float(high)),
    "Gelu": lambda at, x: F.gelu(x, approximate=at.approximate),
    "Softmax": lambda at, x: F.softmax(x, at.axis),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": lambda at, x, w, b: F.layer_norm(x, w.shape, w, b, at.epsilon),
    "LRN": lambda at, x: F.local_response_norm(x, at.size, at.alpha, at.beta, at.bias),
    "MaxPool": lambda at, x: F.max_pool2d(x, at.kernel_shape, at.strides, at.pads[:2]),
    "AveragePool": lambda at, x: F.avg_pool2d(x, at.kernel_shape, at.strides, at.pads[:2]),
    "GlobalAveragePool": lambda at, x: x.mean((2, 3), keepdim=True),
    "Flatten": lambda at, x: x.flatten(at.axis),
    "Concat": lambda at, *xs: torch.cat(xs, at.axis),
    "Transpose": lambda at, x: x.permute(at.perm),
    "Reshape": _reshape,
    "ReduceMean": lambda at, x, axes: x.mean(tuple(axes.tolist()), keepdim=bool(at.keepdims)),
    "LSTM": _lstm,
}
