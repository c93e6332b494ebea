"""Pools for GPUs that put columns together in local memory, on whatever device there is: groups of any size and what they share."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from clconv.cases.base import window
from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.lowering.ops.pool import local
from tests.kernels.support import plan_for, run

SAME = {"pads": (1, 1, 1, 1)}
# operator, shape of x, window and its attributes
POOLS: dict[str, tuple[str, tuple[int, ...], dict[str, Any]]] = {
    "planes together": ("MaxPool", (3, 7, 9, 5), {"kernel_shape": (3, 3), **SAME}),
    "strips": ("MaxPool", (1, 2, 5, 301), {"kernel_shape": (3, 3), "strides": (1, 2), **SAME}),
    "lots": ("AveragePool", (2, 3, 37, 71), {"kernel_shape": (4, 4), "strides": (4, 4)}),
    "stride 3": ("AveragePool", (1, 5, 20, 44), {"kernel_shape": (3, 5), "strides": (2, 3), **SAME}),
    "gaps": ("MaxPool", (2, 2, 19, 40), {"kernel_shape": (1, 2), "strides": (5, 7)}),
    "large window": ("MaxPool", (1, 3, 13, 13), {"kernel_shape": (13, 13), "pads": (6,) * 4}),
    "norm": ("LpPool", (1, 3, 11, 17), {"kernel_shape": (3, 2), "p": 3, "dilations": (2, 3)}),
    "ceil": ("AveragePool", (1, 4, 10, 16), {"kernel_shape": (3, 3), "strides": (2, 2), "ceil_mode": 1, "pad_mode": "wrap", **SAME}),
}  # fmt: skip


def network(name: str) -> Graph:
    op, shape, attrs = POOLS[name]
    node = make_node(op, ("x",), ("y",), "pool", **window(2, **attrs))
    return Graph(name, (node,), ("x",), ("y",), {"x": TensorSpec(shape)}, {})


@pytest.mark.parametrize("items", [64, 256])
@pytest.mark.parametrize("name", POOLS)
def test_groups_of_any_size(
    name: str, items: int, device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a device has fewer groups along an axis than there are planes."""
    monkeypatch.setattr(local, "_MOST_GROUPS", 2)
    monkeypatch.setattr(local, "_GROUPS", (items,))
    if device.largest_work_group < items:
        pytest.skip(f"the device has no groups of {items} items")
    graph = network(name)
    op, shape, _ = POOLS[name]
    x = np.random.default_rng(3).standard_normal(shape, np.float32)
    gpu = dataclasses.replace(device, kind="gpu", largest_work_group=items)
    plan = plan_for(graph, gpu, {op.lower(): "local"})
    (call,) = plan.calls
    assert call.kernel.entry == "pool_local" and call.local_size == (items, 1, 1)
    expected = run_reference(graph, {"x": x})["y"]
    np.testing.assert_allclose(run(plan, {"x": x})["y"], expected, atol=2e-6, rtol=2e-6)


def test_nan_and_infinity_stay_within_their_windows(device: DeviceInfo) -> None:
    gpu = dataclasses.replace(device, kind="gpu")
    if device.largest_work_group < 64:
        pytest.skip("the device has no groups of 64 items")
    for name in ("planes together", "strips", "large window"):
        graph, shape = network(name), POOLS[name][1]
        x = np.random.default_rng(0).standard_normal(shape, np.float32)
        for value, place in (
            (np.nan, (0, 0)),
            (np.nan, (4, 3)),
            (-np.inf, (2, 2)),
            (np.inf, (4, 4)),
        ):
            x[0, 0][place] = value
        x[0, 1] = -np.inf
        found = run(plan_for(graph, gpu, {"maxpool": "local"}), {"x": x})["y"]
        np.testing.assert_array_equal(found, run_reference(graph, {"x": x})["y"])


def test_places_without_quotients() -> None:
    for number in range(1, 257):
        for item in range(256):
            assert item * local._reciprocal(number) >> 16 == item // number


@pytest.mark.parametrize("stride", range(1, 9))
@pytest.mark.parametrize("items", [64, 128, 256])
def test_items_side_by_side_reach_different_banks(stride: int, items: int) -> None:
    """All of them where the stride is a power of two, at most two of them the same bank else."""
    line = local.line_length(items, stride)
    for first in range(0, items, 32):
        places = [(i % stride) * line + i // stride for i in range(first, first + 32)]
        worst = int(np.bincount([place % 32 for place in places]).max())
        assert worst <= (2 if stride & (stride - 1) else 1)
        assert max(i // stride for i in range(items)) < line
