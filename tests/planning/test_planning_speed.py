"""A new input size is planned in milliseconds, so that nobody waits for it."""

from __future__ import annotations

import time

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph
from clconv.session.session import Session
from tests.graph.graph_builder import Builder
from tests.runtime.support import SAME


def deep(blocks: int) -> Graph:
    """Residual bottlenecks, six operators each."""
    b = Builder()
    x = b.node("Relu", b.conv(b.input("n", 3, "h", "w"), 16, 3, 3, **SAME))
    for _ in range(blocks):
        y = b.node("Relu", b.conv(x, 16, 16))
        y = b.node("Relu", b.conv(y, 16, 16, 3, **SAME))
        x = b.node("Relu", b.node("Add", b.conv(y, 16, 16), x))
    return b.graph(b.node("GlobalAveragePool", x, out="out"))


def test_a_second_size_of_a_deep_network_is_planned_at_once(device: DeviceInfo) -> None:
    """About 60 ms on two busy cores; the limit leaves room for slow machines."""
    graph = deep(34)
    assert len(graph.nodes) > 200
    session = Session(graph, device)
    session.prepare({"x": (1, 3, 8, 8)})
    taken = []
    for size in (9, 10, 11):
        start = time.perf_counter()
        session.prepare({"x": (1, 3, size, 8)})
        taken.append(time.perf_counter() - start)
    assert min(taken) < 0.3, taken
