"""A new input size is planned in milliseconds, so that nobody waits for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph
from clconv.session.session import Session
from tests.graph.graph_builder import Builder
from tests.patience import growth
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
    """In a few milliseconds for ten operators. What grew with the square of their number would take ten times as
    long."""
    sizes = itertools.count(9)

    def planning(blocks: int) -> Callable[[], object]:
        session = Session(deep(blocks), device)
        session.prepare({"x": (1, 3, 8, 8)})
        return lambda: session.prepare({"x": (1, 3, next(sizes), 8)})

    assert len(deep(34).nodes) > 200
    growth(planning(4), planning(34), 20)
