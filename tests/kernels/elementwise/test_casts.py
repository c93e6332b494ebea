"""Floats become integers by one rule, at the limits of every type, for whatever bits a float may have."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.ops.numeric import converted
from clconv.session.session import Session

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


@pytest.mark.parametrize("dtype", INTEGERS)
def test_floats_of_any_bits(device: DeviceInfo, dtype: str) -> None:
    limits, rng = np.iinfo(dtype), np.random.default_rng(0)
    bits = rng.integers(0, 1 << 32, 4000, np.uint64).astype(np.uint32)
    ends = np.array([limits.min, limits.max, limits.max / 2, 2.0**63, -(2.0**63)], np.float32)
    beside = [np.nextafter(ends, np.float32(to)) for to in (-np.inf, np.inf)]
    usual = rng.uniform(-1.5, 1.5, 4000) * min(float(limits.max), 1e9)
    special = [np.nan, np.inf, -np.inf, 0.0, -0.0, 0.99999994, -0.99999994, 254.99, -128.99, 3e38]
    with np.errstate(invalid="ignore"):  # some of the bits are signalling NaNs
        parts = [bits.view(np.float32), ends, *beside, usual, special, ends + 1, ends - 1]
        x = np.concatenate(parts).astype(np.float32)
    x = np.resize(x, 8191)  # leaves scalars behind the vectors
    node = make_node("Cast", ("x",), ("y",), "cast", to=dtype)
    graph = Graph("cast", (node,), ("x",), ("y",), {"x": TensorSpec(x.shape)})
    found = Session(graph, device).run({"x": x})["y"]
    np.testing.assert_array_equal(found, converted(x, dtype))
