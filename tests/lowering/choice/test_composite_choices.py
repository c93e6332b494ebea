"""A part of a composite operator gets the variant that it would get as a node of its own, among those on plain tensors."""

from __future__ import annotations

import collections
import contextlib

import pytest

from clconv.cases import CASES
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import UnsupportedError, VariantError
from clconv.graph.ir import Graph
from clconv.lowering.choice.select import Choice, select
from clconv.lowering.lower import lower_graph
from clconv.lowering.model.kernel import VARIANTS, Problem, plain_signature
from clconv.lowering.shared import composite
from tests.lowering.support import AVX2, NVIDIA, SSE

Recorded = list[tuple[Problem, Choice]]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """The parts that are chosen while the test runs, with the choices."""
    found: Recorded = []

    def recording(problem: Problem, *args: object, **named: object) -> Choice:
        choice = select(problem, *args, **named)  # type: ignore[arg-type]
        found.append((problem, choice))
        return choice

    monkeypatch.setattr(composite, "select", recording)
    return found


def lone(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> Choice:
    """What a node of the part's kind gets where only variants on plain tensors are known."""
    (plain,) = plain_signature(problem)

    def runs_plain(variant: object) -> bool:
        return variant.obstacle(problem) is None and plain in variant.signatures(problem)  # type: ignore[attr-defined]

    with monkeypatch.context() as patch:
        op = problem.node.op
        patch.setitem(VARIANTS, op, [v for v in VARIANTS[op] if runs_plain(v)])
        return select(problem)


def lower_all_cases(machine: DeviceInfo) -> None:
    for case in CASES:
        with contextlib.suppress(UnsupportedError):  # what is always written with other operators
            lower_graph(case.build()[0], machine)


@pytest.mark.parametrize(
    "machine", [AVX2, pytest.param(SSE, marks=pytest.mark.slow), NVIDIA], ids=str
)
def test_a_part_is_chosen_as_a_lone_node(
    machine: DeviceInfo, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower_all_cases(machine)
    assert len(recorded) > 200
    assert len(collections.Counter(p.node.op for p, _ in recorded)) >= 7
    for problem, choice in recorded:
        expected = lone(problem, monkeypatch)
        assert (choice.variant, choice.parameters) == (expected.variant, expected.parameters), (
            f"{problem.node.op} in {problem.node.name}"
        )


def test_cpus_get_no_parts_with_barriers(recorded: Recorded) -> None:
    lower_all_cases(AVX2)
    in_groups = [c.variant.name for _, c in recorded if "group" in c.variant.name]
    assert not in_groups


def attention() -> Graph:
    return next(case for case in CASES if case.op == "Attention").build()[0]


def test_a_part_obeys_what_is_forced(recorded: Recorded) -> None:
    lower_graph(attention(), AVX2, PlanOptions(forced={"matmul": "simple"}))
    products = [c for p, c in recorded if p.node.op == "MatMul"]
    assert products and all((c.variant.name, c.source) == ("simple", "forced") for c in products)


def test_a_forced_variant_that_no_part_can_take_is_refused() -> None:
    with pytest.raises(VariantError, match="cannot apply"):
        lower_graph(attention(), AVX2, PlanOptions(forced={"matmul": "blocked"}))
