"""Winograd's F(2,3) in one kernel as Intel's GPUs take it: half of a transform lies in local memory."""

from __future__ import annotations

import dataclasses

import pytest

from clconv.cases import CASES
from clconv.device.info import DeviceInfo
from clconv.diagnosis.doctor import examine
from clconv.lowering.lower import problem_of
from clconv.lowering.ops.conv.winograd_fused import WINOGRAD2_FUSED
from clconv.lowering.shared.tiles import memory_rate


def as_intel(device: DeviceInfo, **more: object) -> DeviceInfo:
    return dataclasses.replace(device, kind="gpu", vendor="Intel(R) Corporation", **more)  # type: ignore[arg-type]


def test_it_agrees_with_the_reference(device: DeviceInfo) -> None:
    able, ran = as_intel(device), 0
    for case in CASES:
        if case.op != "Conv":
            continue
        graph, _ = case.build()
        problem = problem_of(graph, graph.nodes[0], able)
        if WINOGRAD2_FUSED.obstacle(problem) is None and ran < 4:
            (call,) = WINOGRAD2_FUSED.lower(problem).calls
            assert dict(call.kernel.parameters)["through_local"]
            result = examine(case, able, "winograd2_fused")
            assert result is not None and result.passed, result
            ran += 1
    if not ran:
        pytest.skip("the device has no room for it")


def test_what_has_few_registers_does_without(device: DeviceInfo) -> None:
    (case,) = (c for c in CASES if c.name == "Conv-3x3_same")
    graph, _ = case.build()
    problem = problem_of(graph, graph.nodes[0], as_intel(device, subgroup=16))
    assert "registers" in (WINOGRAD2_FUSED.obstacle(problem) or "")


def test_streams_cost_more_where_memory_is_slow(device: DeviceInfo) -> None:
    assert memory_rate(as_intel(device)) < memory_rate(as_intel(device, subgroup=16))
