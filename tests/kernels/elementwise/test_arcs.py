"""Asin, Acos and Atan are right to some units in the last place over all of their range, and NaN outside."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.session.session import Session

UNITS = 5  # what OpenCL's own functions may be off by
FUNCTIONS = {"Asin": np.arcsin, "Acos": np.arccos, "Atan": np.arctan}
# Where a polynomial takes over from another, and the ends.
EDGES = (0.5, 1.0, 0.0)
OUTSIDE = (np.inf, -np.inf, np.nan, 1.0000001, -2.0, 1e38, -1e38, 0.0, -0.0)


def found(op: str, x: np.ndarray, device: DeviceInfo) -> np.ndarray:
    graph = Graph(
        op, (make_node(op, ("x",), ("y",), "arc"),), ("x",), ("y",), {"x": TensorSpec(x.shape)}
    )
    return Session(graph, device).run({"x": x})["y"]


@pytest.mark.parametrize("op", FUNCTIONS)
def test_to_units_in_the_last_place(device: DeviceInfo, op: str) -> None:
    rng = np.random.default_rng(0)
    small = np.exp(rng.uniform(-60, 0, 1000))
    near = [np.nextafter(np.float32(e), np.float32(to)) for e in EDGES for to in (0, 9) if e]
    parts = [np.linspace(-1, 1, 4001), small, -small, near, EDGES]
    if op == "Atan":
        parts += [np.linspace(-40, 40, 4001), 1 / small, -1 / small]
    x = np.concatenate(parts).astype(np.float32)
    x = x[np.abs(x) <= 1] if op != "Atan" else x
    right = FUNCTIONS[op](x.astype(np.float64))
    unit = np.spacing(np.maximum(np.abs(right), 2.0**-126).astype(np.float32)).astype(np.float64)
    error = np.abs(found(op, x, device) - right) / unit
    assert error.max() <= UNITS, f"at {x[error.argmax()]}"


@pytest.mark.parametrize("op", FUNCTIONS)
def test_outside_and_at_zero(device: DeviceInfo, op: str) -> None:
    x = np.resize(np.array(OUTSIDE, np.float32), 41)  # scalars behind the vectors, too
    with np.errstate(all="ignore"):
        right = FUNCTIONS[op](x)
    y = found(op, x, device)
    np.testing.assert_allclose(y, right, rtol=UNITS * 2.0**-23)
    are_numbers = ~np.isnan(right)
    assert np.array_equal(np.signbit(y[are_numbers]), np.signbit(right[are_numbers]))
