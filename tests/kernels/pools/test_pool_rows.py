"""Pools of images that lie plain, on CPUs: what else happens in their kernel, and that it is the one that is taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clconv.cases.base import window
from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.graph.tensor import Constant
from clconv.planning.planner import Planner
from clconv.session.session import Session

SHAPE = (2, 3, 11, 75)
WINDOWS: dict[str, dict[str, Any]] = {
    "stride 1": window(2, kernel_shape=(3, 3), pads=(1, 1, 1, 1)),
    "stride 2": window(2, kernel_shape=(3, 3), pads=(1, 1, 1, 1), strides=(2, 2)),
}


def network(op: str, name: str) -> Graph:
    """A pool, and behind it what joins its kernel: a factor for each channel, an image, an activation."""
    x = TensorSpec(SHAPE)
    pool = make_node(op, ("x",), ("p",), "pool", **WINDOWS[name])
    rows = SHAPE[2:] if name == "stride 1" else [-(-n // 2) for n in SHAPE[2:]]
    nodes = (
        pool,
        make_node("Mul", ("p", "factor"), ("m",), "factor"),
        make_node("Add", ("m", "image"), ("s",), "sum"),
        make_node("LeakyRelu", ("s",), ("y",), "relu", alpha=0.5),
    )
    y = TensorSpec((*SHAPE[:2], *rows))
    factor = Constant(np.linspace(-1, 2, SHAPE[1], dtype=np.float32).reshape(-1, 1, 1))
    specs = {"x": x, "image": y}
    return Graph("pooled", nodes, ("x", "image"), ("y",), specs, {"factor": factor})


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_what_follows_a_pool(device: DeviceInfo, op: str, name: str) -> None:
    graph = network(op, name)
    rng = np.random.default_rng(0)
    feeds = {n: rng.standard_normal(graph.specs[n].shape, np.float32) for n in graph.inputs}
    plan = Planner(device).plan(graph, {n: graph.specs[n] for n in graph.inputs})
    if device.is_cpu and 1 < device.vector_width <= 32:
        assert "pool/rows.cl.mako" in str([call.kernel for call in plan.calls])
    expected = run_reference(graph, feeds)["y"]
    np.testing.assert_allclose(Session(graph, device).run(feeds)["y"], expected, atol=1e-5)


@pytest.mark.parametrize("name", WINDOWS)
def test_nan_and_infinity_stay_within_their_windows(device: DeviceInfo, name: str) -> None:
    x = np.random.default_rng(0).standard_normal(SHAPE, np.float32)
    for value, places in ((np.nan, ((0, 0), (5, 37), (10, 74))), (-np.inf, ((3, 0), (4, 0)))):
        for row, column in places:
            x[:, 1, row, column] = value
    x[:, 2] = -np.inf
    node = make_node("MaxPool", ("x",), ("y",), "pool", **WINDOWS[name])
    graph = Graph("pool", (node,), ("x",), ("y",), {"x": TensorSpec(SHAPE)})
    expected = run_reference(graph, {"x": x})["y"]
    assert np.isnan(expected).any()
    np.testing.assert_array_equal(Session(graph, device).run({"x": x})["y"], expected)
