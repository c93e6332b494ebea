"""The table of cases without a device: it is complete, references and shape rules agree on it."""

from __future__ import annotations

import collections

import numpy as np
import pytest

from clconv.cases import CASES, Case
from clconv.graph.evaluate import node_cost
from clconv.graph.ir import TensorSpec
from clconv.graph.ops import OPS
from clconv.graph.ops.elementwise.elementwise import ROWS
from clconv.graph.reference import run_reference


def test_names_are_unique() -> None:
    twice = [n for n, count in collections.Counter(c.name for c in CASES).items() if count > 1]
    assert not twice


def test_every_structured_operator_has_cases() -> None:
    covered = {c.op for c in CASES}
    wanted = {name for name, op in OPS.items() if not op.host_only and name not in ROWS}
    assert wanted - covered == {"Gradient"}  # has tests of its own: it stands for a whole graph


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_reference_has_the_inferred_specs(case: Case) -> None:
    graph, feeds = case.build()
    results = run_reference(graph, feeds)
    for name in graph.outputs:
        assert TensorSpec.of(results[name]) == graph.spec(name)
    first = results[graph.outputs[0]]
    sound = all(np.isfinite(a).all() for a in feeds.values() if a.dtype.kind == "f")
    if sound and first.dtype.kind == "f" and case.op not in ROWS:
        assert np.isfinite(first).all()
    cost = node_cost(graph.nodes[0], graph)
    assert cost.flops >= 0 and cost.bytes >= 0
