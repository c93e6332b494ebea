"""Quotients of integers are exact where they are made by floats: at multiples, beside them, at the ends and by 0 and -1."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import DType, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.session.session import Session

COUNT = 4001  # leaves scalars behind the vectors
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


@pytest.mark.parametrize("dtype", INTEGERS)
def test_beside_multiples(device: DeviceInfo, dtype: str) -> None:
    limits, rng = np.iinfo(dtype), np.random.default_rng(0)

    def of_any_length() -> np.ndarray:
        found = rng.integers(limits.min, limits.max, COUNT, dtype, endpoint=True)
        return found >> rng.integers(0, limits.bits, COUNT).astype(dtype)

    y = of_any_length()
    with np.errstate(over="ignore"):  # it wraps around
        x = of_any_length() * y - rng.integers(0, 3, COUNT).astype(dtype)
    x[:300], y[200:400] = limits.min, limits.max
    y[:100], y[100:200], y[400:500] = 0, -1 if limits.min else 1, 1
    spec = TensorSpec((COUNT,), DType(dtype))
    graph = Graph(
        "quotients",
        (make_node("Div", ("x", "y"), ("z",), "div"),),
        ("x", "y"),
        ("z",),
        {"x": spec, "y": spec},
    )
    feeds = {"x": x, "y": y}
    expected = run_reference(graph, feeds)["z"]
    np.testing.assert_array_equal(Session(graph, device).run(feeds)["z"], expected)
