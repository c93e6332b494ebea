"""PyTorch as the peer on a GPU: runs a clconv Graph with its operators, in eager mode and as a CUDA graph.

Batch norms are folded as clconv folds them, Relu and sums stay operators of their own, as cuDNN is called by most
programs. Times are CUDA events around many runs in a row, so that what the host does meanwhile counts only where the
device waits for it; the CUDA graph leaves the host out. Runs in a process of its own: see benchmarks/gpu.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.gpu.work import WARM, latencies
from clconv.graph.ir import Graph, Node
from clconv.graph.passes import PASSES
from clconv.graph.passes.fuse_epilogue import fuse_epilogue

Tensor = Any
Run = Callable[[], dict[str, Tensor]]


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
    "Relu": lambda at, x: F.relu(x),
    "Clip": lambda at, x, low, high: torch.clamp(x, low.item(), high.item()),
    "MaxPool": _pool,
    "GlobalAveragePool": lambda at, x: x.mean((2, 3), keepdim=True),
    "ReduceMean": lambda at, x, axes: x.mean(tuple(axes.tolist()), keepdim=bool(at.keepdims)),
    "Flatten": lambda at, x: x.flatten(at.axis),
    "Reshape": lambda at, x, shape: x.reshape(tuple(shape.tolist())),
    "Gemm": lambda at, a, b, c: F.linear(a, b if at.transB else b.T, c),
    "MatMul": lambda at, a, b: a @ b,
    "Add": lambda at, x, y: x + y,
    "Concat": lambda at, *xs: torch.cat(xs, at.axis),
}
# Where the first input is not needed any more, as models are written for speed.
IN_PLACE: dict[str, Callable[..., Tensor]] = {
    "Relu": lambda at, x: F.relu_(x),
    "Clip": lambda at, x, low, high: x.clamp_(low.item(), high.item()),
    "Add": lambda at, x, y: x.add_(y) if x.shape == y.shape else x + y,
}


def version() -> str:
    return f"torch {torch.__version__}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"


def ceilings(device: str, side: int, copied: int) -> dict[str, float]:
    """TFLOP/s of a product of two square matrices of random numbers, by precision, and GB/s of a copy, of the bytes read and
    written.

    side: of the matrices. copied: floats. Medians of five, after a while at work.
    """
    found = {}
    for precision in ("float32", "tf32", "float16"):
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        dtype = torch.float16 if precision == "float16" else torch.float32
        a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
        out = torch.empty_like(a)
        seconds = _median(functools.partial(torch.matmul, a, b, out=out), device, 0.02)
        found[f"{precision} TFLOP/s"] = 2 * side**3 / seconds / 1e12
    source = torch.randn(copied, device=device)
    target = torch.empty_like(source)
    seconds = _median(functools.partial(target.copy_, source), device, 0.02)
    return found | {"copy GB/s": 8 * copied / seconds / 1e9}


class TorchPeer:
    """A graph on a PyTorch device in a precision: factors of float32 are rounded to tf32 only if that is asked for.

    channels_last: how images lie in memory, which cuDNN's kernels for halves prefer.
    """

    def __init__(
        self, graph: Graph, precision: str, device: str = "cuda", channels_last: bool = False
    ) -> None:
        if device == "cuda":
            torch.cuda.empty_cache()  # the other side needs memory, too
        rounds = precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = rounds
        torch.backends.cudnn.allow_tf32 = rounds
        torch.backends.cudnn.benchmark = True
        self._device, self._graph = device, without_epilogues(graph)
        self._dtype = torch.float16 if precision == "float16" else torch.float32
        self._format = torch.channels_last if channels_last else torch.contiguous_format
        self._steps = list(_steps(self._graph))
        self._constants = {  # single numbers are read by the host, which must not wait for the device
            name: self._on_device(constant.array)
            if constant.spec.dtype.is_float and constant.spec.rank > 0
            else torch.from_numpy(np.array(constant.array))
            for name, constant in self._graph.constants.items()
        }

    def _on_device(self, array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(np.array(array)).to(self._device, self._dtype)
        return tensor.contiguous(memory_format=self._format) if tensor.dim() == 4 else tensor

    def runner(self, feeds: dict[str, np.ndarray]) -> Run:
        """A run on inputs that lie on the device already."""
        inputs = {name: self._on_device(array) for name, array in feeds.items()}
        return lambda: self.run(inputs)

    def run(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        with torch.inference_mode():
            values = {**self._constants, **inputs}
            for node, call, dead in self._steps:
                tensors = [values[name] if name else None for name in node.inputs]
                values[node.outputs[0]] = call(node.attrs, *tensors)
                for name in dead:
                    del values[name]
            return {name: values[name] for name in self._graph.outputs}

    def outputs(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As float32 arrays."""
        return {n: v.float().cpu().numpy() for n, v in self.runner(feeds)().items()}

    def latency(self, feeds: dict[str, np.ndarray], runs: int) -> list[float]:
        """Seconds from arrays on the host to arrays on the host, of each run."""
        return latencies(lambda: self.outputs(feeds), runs)

    def times(self, feeds: dict[str, np.ndarray], least: float) -> dict[str, float]:
        """Median seconds of a run, by how it is started: "eager", and "graph" where it can be captured."""
        run = self.runner(feeds)
        for _ in range(3):  # cuDNN tries its algorithms
            run()
        found = {"eager": _median(run, self._device, least)}
        if self._device == "cuda":
            try:
                found["graph"] = _median(_captured(run), self._device, least)
            except RuntimeError as reason:
                found["graph refused: " + str(reason).splitlines()[0][:80]] = found["eager"]
        return found


def _median(run: Callable[[], Any], device: str, least: float) -> float:
    """Median seconds of one run over several rows of runs, each at least so many seconds."""
    begun = time.perf_counter()
    once = _row(run, device, 2)
    while time.perf_counter() - begun < WARM * least:  # clocks rise
        once = _row(run, device, 2)
    count = int(max(1, min(200, -(-least // max(once, 1e-6)))))
    return statistics.median(_row(run, device, count) for _ in range(5))


def _row(run: Callable[[], Any], device: str, count: int) -> float:
    """Seconds of one of so many runs in a row."""
    if device != "cuda":
        started = time.perf_counter()
        for _ in range(count):
            run()
        return (time.perf_counter() - started) / count
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(count):
        run()
    end.record()
    torch.cuda.synchronize()
    return float(begin.elapsed_time(end)) / 1e3 / count


def _steps(graph: Graph) -> Iterator[tuple[Node, Callable[..., Tensor], list[str]]]:
    """Each node, the function that runs it, and the values that nobody needs after it."""
    last = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    kept = {*graph.inputs, *graph.outputs, *graph.constants}
    for i, node in enumerate(graph.nodes):
        dead = [n for n in dict.fromkeys(node.inputs) if n and last[n] == i and n not in kept]
        own = bool(dead) and node.inputs[0] in dead and node.inputs.count(node.inputs[0]) == 1
        in_place = own and node.op in IN_PLACE
        yield node, (IN_PLACE if in_place else OPERATORS)[node.op], dead


def _captured(run: Run) -> Callable[[], None]:
    """The run as a CUDA graph, warmed up on a stream of its own, as PyTorch asks for."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        kept = run()

    def replay(outputs: dict[str, Tensor] = kept) -> None:  # they live as long as the graph
        graph.replay()

    return replay


def without_epilogues(graph: Graph) -> Graph:
    """All passes but the fusion that PyTorch has no operator for."""
    for apply in PASSES:
        if apply is not fuse_epilogue:
            graph = apply(graph)
    return graph
