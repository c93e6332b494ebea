"""Filters that a convolution finds turned: packings turn them as they move them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.runtime.check import node_errors, relative_error
from clconv.runtime.prepared import PreparedDevice
from tests.kernels.support import plan_for, run
from tests.kernels.test_epilogues import FIVE, SAME, floats

POINT = {**SAME, "pads": (0, 0, 0, 0)}
# variant: attributes, shapes of image and of the filters before they are turned, launches that turn them
ON_CPUS: dict[str, tuple[dict[str, Any], tuple[int, ...], tuple[int, ...], int]] = {
    "direct": (SAME, (2, 37, 7, 9), (37, 5, 3, 3), 0),
    "direct, 1x1": (POINT, (2, 19, 7, 9), (19, 35, 1, 1), 0),
    "winograd4": (SAME, (2, 37, 7, 9), (37, 21, 3, 3), 0),
    "winograd2_5x5": (FIVE, (1, 21, 7, 9), (21, 37, 5, 5), 0),
    "narrow": (FIVE, (1, 21, 7, 9), (21, 3, 5, 5), 0),
    "simple": (SAME, (1, 9, 7, 9), (9, 5, 3, 3), 1),
    "direct, groups": ({**SAME, "group": 2}, (1, 64, 7, 9), (64, 32, 3, 3), 0),
    "winograd4, groups": ({**SAME, "group": 2}, (1, 64, 7, 9), (64, 32, 3, 3), 1),
    "depthwise": ({**SAME, "group": 21}, (1, 21, 7, 9), (21, 1, 3, 3), 0),
}


def turned(
    attrs: dict[str, Any], x: tuple[int, ...], w: tuple[int, ...], outputs: tuple[str, ...]
) -> Graph:
    specs = {n: TensorSpec.of(np.zeros(s, np.float32)) for n, s in (("x", x), ("w", w))}
    nodes = (
        make_node("TurnedFilters", ["w"], ["t"], "turned", group=attrs["group"]),
        make_node("Conv", ["x", "t"], ["y"], "conv", **attrs),
    )
    return Graph("turned", nodes, ("x", "w"), outputs, specs, {})


QUICK = ("depthwise", "winograd4")


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in ON_CPUS]
)
@pytest.mark.parametrize("kept", [False, True], ids=["read by the convolution", "an output too"])
def test_filters_that_are_turned(name: str, kept: bool, device: DeviceInfo) -> None:
    if not device.is_cpu:
        pytest.skip("variants for CPUs")
    attrs, x, w, launches = ON_CPUS[name]
    graph = turned(attrs, x, w, ("y", "t") if kept else ("y",))
    plan = plan_for(graph, device, {"conv": name.split(",")[0]})
    turns = [c for c in plan.calls if c.kernel.entry == "conv_turned_filters"]
    assert len(turns) == (1 if kept else launches)
    feeds = {"x": floats(x), "w": floats(w)}
    expected, found = run_reference(graph, feeds), run(plan, feeds)
    for output in graph.outputs:
        assert relative_error(found[output], expected[output]) <= 2e-5, output


def test_a_check_passes_over_filters_that_nobody_made(device: DeviceInfo) -> None:
    if not device.is_cpu:
        pytest.skip("variants for CPUs")
    attrs, x, w, _ = ON_CPUS["depthwise"]
    plan = plan_for(turned(attrs, x, w, ("y",)), device, {"conv": "depthwise"})
    bound = PreparedDevice(plan.device).bind(plan, guarded=True)
    rows = list(node_errors(bound, {"x": floats(x), "w": floats(w)}))
    assert [(output, error <= 2e-5) for _, output, error, _ in rows] == [("y", True)]
