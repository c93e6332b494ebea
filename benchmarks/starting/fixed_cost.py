"""What a run costs beside its computation: networks of microseconds against onnxruntime, in one process, in turn.

python -m benchmarks.starting.fixed_cost --seconds 3
python -m benchmarks.starting.fixed_cost --ways    # what each way to run it takes, see docs/architecture.md
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import numpy as np
import onnxruntime
from rich.console import Console
from rich.table import Table

import clconv
from benchmarks.networks.transformer import encoder
from clconv.frontend.layers import Conv2d, Dense, Flatten, Layer, MaxPool2d, Relu, Sequential
from clconv.frontend.onnx import export_onnx
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.runtime.ways.faster import Kind

_AT_ONCE = 20  # runs of one engine before the other's turn


def relu(*shape: int) -> Graph:
    node = make_node("Relu", ("x",), ("y",), "relu")
    return Graph("relu", (node,), ("x",), ("y",), {"x": TensorSpec(shape)})


def lenet() -> Graph:
    """LeNet-5 of LeCun et al. (1998), with ReLU and maximum pooling."""
    return Sequential(
        Conv2d(6, 5, padding=2), Relu(), MaxPool2d(2), Conv2d(16, 5), Relu(), MaxPool2d(2), Flatten(),
        Dense(120), Relu(), Dense(84), Relu(), Dense(10),
    ).build((1, 28, 28))  # fmt: skip


def perceptron() -> Graph:
    """784-256-128-10."""
    return Sequential(Dense(256), Relu(), Dense(128), Relu(), Dense(10)).build((784,))


def small_pictures() -> Graph:
    """Three convolutions on pictures of 32x32."""
    layers: list[Layer] = []
    for channels in (16, 32, 64):
        layers += [Conv2d(channels, 3, padding=1), Relu(), MaxPool2d(2)]
    return Sequential(*layers, Flatten(), Dense(10)).build((3, 32, 32))


def words() -> bytes:
    """An encoder of 16 words, 64 wide, two blocks."""
    return bytes(encoder(words=16, size=64, blocks=2).SerializeToString())


NETWORKS: dict[str, Callable[[], Graph | bytes]] = {
    "Relu of 8 numbers": lambda: relu(1, 8),
    "Relu of 16 KiB": lambda: relu(1, 4096),
    "Relu of 64 KiB": lambda: relu(1, 16384),
    "Relu of 784 KiB": lambda: relu(1, 64, 56, 56),
    "LeNet-5": lenet,
    "perceptron 784-256-128-10": perceptron,
    "3 convolutions, 32x32": small_pictures,
    "encoder, 16 words": words,
}


def measured(network: Graph | bytes, seconds: float, ways: bool = False) -> list[np.ndarray]:
    """Seconds of each run of clconv and of onnxruntime, whose results agree. ways: of clconv in each of the ways to run it,
    not only in the one that it takes."""
    model = network if isinstance(network, bytes) else export_onnx(network)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    peer = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    session = clconv.load(model)
    (given,) = peer.get_inputs()
    feeds = {given.name: np.random.default_rng(0).standard_normal(given.shape, np.float32)}
    for own, other in zip(session.run(feeds).values(), peer.run(None, feeds), strict=True):
        np.testing.assert_allclose(own, other, atol=1e-4)
    faster = session.prepare({n: a.shape for n, a in feeds.items()})._ways.faster
    own = [(kind, lambda: session.run(feeds)) for kind in (list(Kind) if ways else [None])]
    runs = [*own, (None, lambda: peer.run(None, feeds))]
    times: list[list[float]] = [[] for _ in runs]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for (kind, run), spent in zip(runs, times, strict=True):
            if kind is not None:
                faster.settle(kind)
            for _ in range(_AT_ONCE):
                begin = time.perf_counter()
                run()
                spent.append(time.perf_counter() - begin)
    return [np.array(spent) for spent in times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=3, help="for each network")
    parser.add_argument("--ways", action="store_true", help="time each way to run a network")
    options = parser.parse_args()
    engines = [*((kind.value for kind in Kind) if options.ways else ["clconv"]), "onnxruntime"]
    columns = [text for engine in engines for text in (f"{engine} us", "quarter below")]
    table = Table("network", *columns, "ratio")
    for name, network in NETWORKS.items():
        times = [1e6 * t for t in measured(network(), options.seconds, options.ways)]
        cells = [f"{f(t):.1f}" for t in times for f in (np.min, lambda t: np.quantile(t, 0.25))]
        best = min(t.min() for t in times[:-1])
        table.add_row(name, *cells, f"{best / times[-1].min():.2f}")
    Console(width=140).print("Best times, and those that a quarter of the runs stay below.", table)


if __name__ == "__main__":
    main()
