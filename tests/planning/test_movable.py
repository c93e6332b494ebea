"""Which inputs and outputs may lie outside a plan's memory, and where their addresses stand."""

from __future__ import annotations

import dataclasses

import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph
from clconv.graph.ops import make_node
from clconv.lowering.model.arguments import Addresses, Read, Write
from clconv.planning.movable import movable
from clconv.planning.plan import Plan
from tests.graph.graph_builder import Builder, specialised
from tests.lowering.support import AVX2, NVIDIA
from tests.planning.support import make_plan


def _plan(graph: Graph, device: DeviceInfo, joining: bool = False) -> Plan:
    graph = specialised(graph)
    return make_plan(graph, {n: graph.specs[n] for n in graph.inputs}, device, joining=joining)


def _mixed() -> Graph:
    """Outputs of every kind: computed, a view of one, an input, a part of another output."""
    b = Builder()
    x, y = b.input(2, 8, 4, 4, name="x"), b.input(2, 8, 4, 4, name="y")
    total = b.node("Add", x, y, out="total")
    same = b.node("Identity", x, out="same")
    b.nodes.append(make_node("Split", [total], ["a", "b"], "Split", axis=1, num_outputs=2))
    return b.graph(total, same, "a", "b")


@pytest.mark.parametrize("made_up", [AVX2, NVIDIA], ids=str)
def test_what_may_lie_elsewhere(made_up: DeviceInfo) -> None:
    plan = _plan(_mixed(), made_up)
    found = movable(plan)
    assert found.inputs == {"x", "y"}
    assert "total" in found.outputs and "same" not in found.outputs
    roots = list(found.outputs.values())
    assert len(set(roots)) == len(roots)
    for name, root in found.outputs.items():
        assert plan.lowered.place(plan.lowered.stored[name]) == (root, 0)


@pytest.mark.parametrize("made_up", [AVX2, NVIDIA], ids=str)
def test_every_address_is_a_site(made_up: DeviceInfo) -> None:
    plan = _plan(_mixed(), made_up)
    found = movable(plan)
    for root, sites in found.sites.items():
        listed = {(s.launch, s.position, s.offset) for s in sites}
        expected = {
            (launch, position, plan.lowered.place(argument.value)[1] + argument.offset)
            for launch, call in enumerate(plan.launches)
            for position, (_, argument) in enumerate(call.arguments)
            if isinstance(argument, Read | Write) and plan.root(argument.value) == root
        }
        assert listed == expected and listed, root


def test_words_of_a_joined_launch_are_sites() -> None:
    joined = dataclasses.replace(AVX2, quirks=frozenset({"wakes-slowly"}))
    plan = _plan(_mixed(), joined, joining=True)
    assert len(plan.launches) < len(plan.calls)
    found = movable(plan)
    words = [site for sites in found.sites.values() for site in sites if site.word is not None]
    assert words
    for site in words:
        _, table = plan.launches[site.launch].arguments[site.position]
        assert isinstance(table, Addresses)
        assert isinstance(table.arguments[site.word or 0], Read | Write)


def test_an_input_inside_a_result_stays() -> None:
    """The operands of a concatenation may lie inside its result: those are copied there."""
    b = Builder()
    x, y = b.input(1, 8, 4, 4, name="x"), b.input(1, 8, 4, 4, name="y")
    plan = _plan(b.graph(b.node("Concat", x, y, out="whole", axis=1)), AVX2)
    found = movable(plan)
    inside = {name for name in ("x", "y") if plan.lowered.place(name)[0] == "whole"}
    assert found.inputs == {"x", "y"} - inside
    assert found.outputs == {"whole": "whole"}
