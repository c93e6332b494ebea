"""Round, Floor and Ceil are exact, halves among them, and keep the sign of zeros."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.session.session import Session

FUNCTIONS = {"Round": np.rint, "Floor": np.floor, "Ceil": np.ceil}
SPECIAL = (
    0.0, -0.0, 0.5, -0.5, 0.49999997, -0.49999997, 1.5, 2.5, -1.5, -2.5, 8388607.5, -8388607.5, 4194304.5, 8388608.0,
    8388609.0, -8388609.0, 16777217.0, 3e38, -3e38, np.inf, -np.inf, np.nan, 1e-30, -1e-30,
)  # fmt: skip


@pytest.mark.parametrize("op", FUNCTIONS)
def test_rounding_is_exact(device: DeviceInfo, op: str) -> None:
    rng = np.random.default_rng(0)
    parts = (
        SPECIAL,
        rng.uniform(-9, 9, 2000),
        np.arange(-1000, 1000) / 2,
        rng.uniform(-1e7, 1e7, 1000),
    )
    x = np.concatenate([np.asarray(part, np.float32) for part in parts] * 2)
    x = x[: x.size // 16 * 16 - 3]  # leaves scalars behind the vectors
    graph = Graph(
        op, (make_node(op, ("x",), ("y",), "r"),), ("x",), ("y",), {"x": TensorSpec(x.shape)}
    )
    found = Session(graph, device).run({"x": x})["y"]
    expected = FUNCTIONS[op](x)
    np.testing.assert_array_equal(found, expected)
    are_numbers = ~np.isnan(x)
    assert np.array_equal(np.signbit(found[are_numbers]), np.signbit(expected[are_numbers]))
