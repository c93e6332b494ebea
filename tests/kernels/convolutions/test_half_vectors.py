"""Pointwise convolutions whose last vector of filters is at most half full, where processors take two steps for 512 bits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clconv.cases.base import Case
from clconv.cases.conv.conv import conv
from clconv.device.info import DeviceInfo
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.runtime.check import relative_error
from tests.kernels.support import check_passes, plan_for, run
from tests.lowering.support import AVX2, AVX512

CASES = (
    conv("24 filters", (1, 96, 9, 11), (24, 96, 1, 1)),
    conv("17 filters", (2, 19, 7, 7), (17, 19, 1, 1), bias=False),
    conv("40 filters", (1, 35, 5, 8), (40, 35, 1, 1)),
    conv("33 filters", (1, 20, 1, 61), (33, 20, 1, 1)),
    conv("less than a tile", (3, 17, 2, 3), (20, 17, 1, 1)),
    conv("groups", (1, 64, 6, 6), (48, 32, 1, 1), group=2),
    conv("more than half", (1, 20, 6, 6), (25, 20, 1, 1)),
    conv("two tiles of filters", (1, 20, 6, 6), (72, 20, 1, 1)),
)
HALVES = frozenset(case.label for case in CASES[:5])


def is_half(case: Case, machine: DeviceInfo) -> bool:
    calls = plan_for(case.build()[0], machine, {"conv": "direct"}).calls
    return any(dict(c.kernel.parameters).get("half_last") for c in calls)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_they_agree_with_the_reference(case: Case, device: DeviceInfo) -> None:
    if not device.is_cpu:
        pytest.skip("channel blocks are for CPU devices")
    check_passes(case, device, "direct")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_half_a_vector_is_computed_where_that_takes_half_the_time(case: Case) -> None:
    quirks = frozenset({"halves-512-bits"})
    assert is_half(case, dataclasses.replace(AVX512, quirks=quirks)) == (case.label in HALVES)
    for machine in (
        AVX512,
        dataclasses.replace(AVX512, wide_verified=True),  # a Xeon takes one step
        dataclasses.replace(AVX2, quirks=quirks),  # code for 256 bits, of which no half is faster
    ):
        assert not is_half(case, machine)


@pytest.mark.parametrize("activation", ["Relu", "Sigmoid"])
def test_a_sum_and_an_activation_behind(activation: str, device: DeviceInfo) -> None:
    """A residual: the other's lanes are read for half a vector, and a depthwise convolution reads those of no filter."""
    rng = np.random.default_rng(11)
    x, other = (rng.standard_normal((1, c, 7, 9)).astype(np.float32) for c in (20, 24))
    w = {"w": rng.standard_normal((24, 20, 1, 1)).astype(np.float32)}
    w["d"] = rng.standard_normal((24, 1, 3, 3)).astype(np.float32)
    usual = {"strides": (1, 1), "dilations": (1, 1)}
    nodes = (
        make_node("Conv", ["x", "w"], ["a"], "pointwise", group=1, pads=(0, 0, 0, 0), **usual),
        make_node("Add", ["a", "other"], ["b"], "sum"),
        make_node(activation, ["b"], ["c"], "activation"),
        make_node("Conv", ["c", "d"], ["y"], "depthwise", group=24, pads=(1, 1, 1, 1), **usual),
    )
    feeds = {"x": x, "other": other}
    specs = {name: TensorSpec.of(array) for name, array in feeds.items()}
    constants = {name: Constant(array) for name, array in w.items()}
    graph = Graph("residual", nodes, tuple(feeds), ("c", "y"), specs, constants)
    found, expected = run(plan_for(graph, device, {}), feeds), run_reference(graph, feeds)
    for name, array in expected.items():
        assert relative_error(found[name], array) <= 2e-5, name
