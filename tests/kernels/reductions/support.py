"""A row-wise operator on given numbers, with vectors of given widths."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from tests.kernels.support import plan_for, run


def of_lanes(device: DeviceInfo, width: int) -> DeviceInfo:
    if not device.is_cpu or device.vector_width < width:
        pytest.skip(f"needs a CPU device with {width} lanes")
    return dataclasses.replace(device, vector_width=width)


def agreed(
    op: str, x: np.ndarray, device: DeviceInfo, tolerance: float, axes: Any = None, **attrs: Any
) -> np.ndarray:
    """What the reference makes of x, once the kernel of rows has been found to make the same. axes: an operand, where the
    operator has such a one."""
    constants = {} if axes is None else {"axes": Constant(np.array(axes, np.int64))}
    node = make_node(op, ["x", *constants], ["y"], "rows", **attrs)
    graph = Graph("rows", (node,), ("x",), ("y",), {"x": TensorSpec.of(x)}, constants)
    with np.errstate(all="ignore"):
        expected = run_reference(graph, {"x": x})["y"]
    found = run(plan_for(graph, device, {op.lower(): "rows"}), {"x": x})["y"]
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    return expected
