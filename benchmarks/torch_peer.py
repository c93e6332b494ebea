"""Runs a clconv Graph with PyTorch: eager mode, cuDNN, channels first, TF32 off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from clconv.graph.ir import Graph, Node
from clconv.graph.passes import PASSES
from clconv.graph.passes.fuse_epilogue import fuse_epilogue

Tensor = Any


def _conv(at: Any, x: Tensor, w: Tensor, b: Tensor = None) -> Tensor:
    half = len(at.pads) // 2
    assert at.pads[:half] == at.pads[half:], "even padding only"
    return F.conv2d(x, w, b, at.strides, at.pads[:half], at.dilations, at.group)


def _pool(at: Any, x: Tensor) -> Tensor:
    half = len(at.pads) // 2
    return F.max_pool2d(
        x, at.kernel_shape, at.strides, at.pads[:half], ceil_mode=bool(at.ceil_mode)
    )


OPERATORS: dict[str, Callable[..., Tensor]] = {
    "Conv": _conv,
    "ConvTranspose": lambda at, x, w, b=None: F.conv_transpose2d(
        x, w, b, at.strides, at.pads[:2], at.output_padding, at.group, at.dilations
    ),
    "BatchNormalization": lambda at, x, s, b, m, v: F.batch_norm(x, m, v, s, b, eps=at.epsilon),
    "Relu": lambda at, x: F.relu(x, inplace=False),
    "Clip": lambda at, x, low, high: torch.clamp(x, low, high),
    "MaxPool": _pool,
    "GlobalAveragePool": lambda at, x: x.mean((2, 3), keepdim=True),
    "ReduceMean": lambda at, x, axes: x.mean(tuple(axes.tolist()), keepdim=bool(at.keepdims)),
    "Flatten": lambda at, x: x.flatten(at.axis),
    "Reshape": lambda at, x, shape: x.reshape(tuple(shape.tolist())),
    "Gemm": lambda at, a, b, c: F.linear(a, b if at.transB else b.T, c),
    "Add": lambda at, x, y: x + y,
    "Concat": lambda at, *xs: torch.cat(xs, at.axis),
}


class TorchPeer:
    """The same graph, batch norm folded as clconv folds it, on the CUDA device."""

    def __init__(self) -> None:
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True
        self.version = f"torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}"

    def runner(self, graph: Graph, feeds: dict[str, np.ndarray]) -> Callable[[], dict[str, Tensor]]:
        folded = _without_epilogues(graph)
        constants = {
            n: torch.from_numpy(np.array(c.array)).to("cuda" if c.spec.dtype.is_float else "cpu")
            for n, c in folded.constants.items()
        }
        inputs = {n: torch.from_numpy(a).cuda() for n, a in feeds.items()}

        def call(node: Node, values: dict[str, Tensor]) -> Tensor:
            tensors = [values[n] if n else None for n in node.inputs]
            return OPERATORS[node.op](node.attrs, *tensors)

        def run() -> dict[str, Tensor]:
            with torch.inference_mode():
                values = {**constants, **inputs}
                for node in folded.nodes:
                    values[node.outputs[0]] = call(node, values)
                return {n: values[n] for n in folded.outputs}

        return run

    def outputs(self, graph: Graph, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {n: v.cpu().numpy() for n, v in self.runner(graph, feeds)().items()}

    def time(self, graph: Graph, feeds: dict[str, np.ndarray], least: float) -> float:
        from benchmarks.gpu import median_time

        run = self.runner(graph, feeds)
        for _ in range(3):
            run()
        return median_time(lambda: run() and None, torch.cuda.synchronize, least)


def _without_epilogues(graph: Graph) -> Graph:
    """All passes but the fusion that PyTorch has no operator for."""

    for apply in PASSES:
        if apply is not fuse_epilogue:
            graph = apply(graph)
    return graph
