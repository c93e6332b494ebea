"""MaxPool by columns that windows share: NaN, infinity, windows over the sides, images of a few pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clconv.cases.pool.pool import pool
from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from tests.kernels.support import check_passes, plan_for, run

SAME3 = (1, 1, 1, 1)
CASES = (
    pool("MaxPool", "wide", (1, 37, 9, 55), (3, 3), strides=(2, 2)),
    pool("MaxPool", "wide, padded", (2, 16, 5, 31), (3, 3), strides=(2, 2), pads=SAME3),
    pool("MaxPool", "wide, stride 1", (1, 9, 6, 23), (3, 3), pads=SAME3),
    pool("MaxPool", "wide, dilated", (1, 17, 11, 29), (3, 2), dilations=(2, 3), pads=(2, 1, 2, 2)),
    pool("MaxPool", "wide, ceil", (1, 8, 7, 30), (3, 3), strides=(2, 2), ceil_mode=1),
    pool("MaxPool", "5x5", (1, 19, 10, 10), (5, 5), pads=(2, 2, 2, 2)),
    pool("MaxPool", "columns skipped", (1, 7, 9, 41), (2, 2), strides=(3, 4)),
    pool("MaxPool", "row of windows", (1, 5, 1, 40), (1, 3), strides=(1, 2)),
    pool("MaxPool", "one window inside", (1, 6, 3, 3), (3, 3), pads=SAME3),
    pool("MaxPool", "no window inside", (1, 6, 2, 2), (3, 3), pads=SAME3),
)


def on_cpu(device: DeviceInfo) -> DeviceInfo:
    if not device.is_cpu:
        pytest.skip("channel blocks are for CPU devices")
    return device


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_it_agrees_with_the_reference(case: Any, device: DeviceInfo) -> None:
    check_passes(case, on_cpu(device), "columns")


@pytest.mark.parametrize("kernel", [(3, 3), (2, 2), (3, 1), (1, 4)])
def test_nan_and_infinity_stay_wherever_they_are(
    kernel: tuple[int, int], device: DeviceInfo
) -> None:
    attrs = {"kernel_shape": kernel, "strides": (2, 1), "pads": (0, 1, 1, 0), "dilations": (1, 1)}
    node = make_node("MaxPool", ["x"], ["y"], "pool", **attrs)
    x = np.random.default_rng(1).standard_normal((1, 40, 9, 21)).astype(np.float32)
    odd = np.array([np.nan, -np.nan, np.inf, -np.inf], np.float32)
    for channel in range(40):  # one of them in each channel, elsewhere in each
        x[0, channel, channel % 9, channel * 4 % 21] = odd[channel % 4]
    x[0, 3, :4, :5] = -np.inf
    x[0, 4, :4, :5] = np.nan
    graph = Graph("pool", (node,), ("x",), ("y",), {"x": TensorSpec.of(x)})
    expected = run_reference(graph, {"x": x})["y"]
    found = run(plan_for(graph, on_cpu(device), {"maxpool": "columns"}), {"x": x})["y"]
    assert np.isnan(expected).any() and np.isinf(expected).any()
    np.testing.assert_array_equal(found, expected)
