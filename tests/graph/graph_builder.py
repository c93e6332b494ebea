"""A small builder of graphs, and the one question asked of every pass: does it change a result?"""

from __future__ import annotations

from typing import Any

import numpy as np

from clconv.graph.ir import Constant, Graph, Node, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise
from clconv.graph.verify import verify

CONV = {"strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0)}


class Builder:
    """Collects inputs, constants and nodes; names values v0, v1, ... unless told."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(7)
        self.nodes: list[Node] = []
        self.constants: dict[str, Constant] = {}
        self.specs: dict[str, TensorSpec] = {}

    def input(self, *shape: int, name: str = "x") -> str:
        self.specs[name] = TensorSpec(shape)
        return name

    def constant(self, values: Any, dtype: str = "float32") -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = Constant(np.array(values, dtype))
        return name

    def random(self, *shape: int) -> str:
        return self.constant(self.rng.uniform(0.5, 1.5, shape) * self.rng.choice([-1, 1], shape))

    def node(self, op: str, *inputs: str, out: str | None = None, **attrs: Any) -> str:
        output = out or f"v{len(self.nodes)}"
        self.nodes.append(make_node(op, inputs, [output], f"{op}{len(self.nodes)}", **attrs))
        return output

    def conv(self, x: str, filters: int, channels: int, window: int = 1, **attrs: Any) -> str:
        group = attrs.get("group", 1)
        weights = self.random(filters, channels // group, window, window)
        out = attrs.pop("out", None)
        bias = [self.random(filters)] if attrs.pop("bias", True) else []
        return self.node("Conv", x, weights, *bias, out=out, **{**CONV, **attrs})

    def graph(self, *outputs: str) -> Graph:
        return verify(
            Graph("test", tuple(self.nodes), tuple(self.specs), outputs, self.specs, self.constants)
        )


def assert_same_results(before: Graph, after: Graph, seed: int = 1) -> None:
    """Equal outputs, by name, on random inputs."""
    rng = np.random.default_rng(seed)
    feeds = {
        n: rng.uniform(-4, 4, before.specs[n].shape).astype(before.specs[n].dtype.numpy)
        for n in before.inputs
    }
    expected, got = run_reference(before, feeds), run_reference(after, feeds)
    assert tuple(after.outputs) == tuple(before.outputs)
    assert after.inputs == before.inputs
    for name, value in expected.items():
        assert got[name].shape == value.shape and got[name].dtype == value.dtype
        scale = max(1.0, float(np.abs(value).max(initial=0)))
        np.testing.assert_allclose(got[name], value, atol=2e-6 * scale, rtol=1e-5)


def specialised(graph: Graph) -> Graph:
    return specialise(graph, {n: graph.specs[n] for n in graph.inputs}).graph
