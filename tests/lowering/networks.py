"""Networks that several tests lower."""

from __future__ import annotations

from clconv.graph.ir import Graph
from tests.graph.graph_builder import Builder

SAME = {"pads": (1, 1, 1, 1)}


def residual_network(size: int = 12) -> Graph:
    """Stem, a residual block with a projection, a depthwise layer, another block without."""
    b = Builder()
    x = b.input(1, 3, size, size)
    stem = b.node("Relu", b.conv(x, 32, 3, 3, **SAME))
    y = b.node("Relu", b.conv(stem, 32, 32, 3, **SAME))
    y = b.conv(y, 64, 32)
    skip = b.conv(stem, 64, 32)
    y = b.node("Relu", b.node("Add", y, skip))
    z = b.node("HardSwish", b.conv(y, 64, 64, 3, group=64, **SAME))
    z = b.node("Add", b.conv(z, 64, 64), y)
    return b.graph(b.node("Sigmoid", b.conv(z, 16, 64), out="result"))
