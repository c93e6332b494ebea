"""Where new values of state lie, without a device: at once in the old one's memory, or copied there at the end."""

from __future__ import annotations

import dataclasses

import pytest

from clconv.device.info import DeviceInfo
from clconv.errors import DeviceMemoryError
from clconv.graph.ir import Graph
from clconv.lowering.model.template import render
from clconv.planning.joining import join_launches
from clconv.planning.plan import Plan
from tests.lowering.support import AVX2, NVIDIA
from tests.planning.support import make_plan
from tests.session.state_graphs import descent, exchanged, read_later, update_first


def plan_of(graph: Graph, made_up: DeviceInfo = AVX2) -> Plan:
    return make_plan(graph, {name: graph.specs[name] for name in graph.fed}, made_up)


@pytest.mark.parametrize("made_up", [AVX2, NVIDIA], ids=lambda d: d.name)
@pytest.mark.parametrize("graph", [descent(11), read_later(), update_first(), exchanged()])
def test_nothing_of_the_plan_lies_in_an_external_arena(graph: Graph, made_up: DeviceInfo) -> None:
    memory = plan_of(graph, made_up).memory
    assert memory.external.keys() == graph.state.keys()
    for name, slot in memory.slots.items():
        assert (slot.arena in memory.external.values()) == (name in graph.state)
    assert memory.total + memory.external_total == sum(memory.arenas)


def test_kernels_that_update_in_place_promise_nothing_about_pointers() -> None:
    plan = plan_of(descent(11))
    updates = [call for call in plan.calls if dict(call.kernel.parameters).get("in_place")]
    assert [len(call.writes) for call in updates] == [2]  # the momentum and the weights
    for call in updates:
        assert "restrict" not in render(call.kernel)
        assert {plan.root(v) for v in call.writes} <= {plan.root(v) for v in call.reads}
    others = [call for call in plan.calls if call not in updates]
    assert all("restrict" in render(call.kernel) for call in others)


@pytest.mark.parametrize("graph", [update_first(), read_later()])
def test_what_is_joined_waits_before_it_changes_state(graph: Graph) -> None:
    """The update in place for the reader of the old value; the copy for what reads both."""
    plan = join_launches(plan_of(graph))
    (launch,) = plan.launches
    arguments = dict(launch.arguments)
    # The last field of an operation says how many earlier ones it waits for.
    waits = arguments["operations"].array.view("int32").reshape(len(plan.calls), -1)[:, -1]  # type: ignore[union-attr]
    assert waits[-1] > 0


def test_the_state_counts_among_what_a_device_must_hold() -> None:
    small = dataclasses.replace(AVX2, global_memory=8 * 37 * 19)
    with pytest.raises(DeviceMemoryError, match="left for them"):
        plan_of(descent(11), small)
