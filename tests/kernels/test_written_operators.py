"""Operators that are written with others once shapes are known: every case of theirs on every device."""

from __future__ import annotations

import pytest

from clconv.cases import CASES, Case
from clconv.device.info import DeviceInfo
from clconv.graph.ops import OPS
from clconv.graph.reference import run_reference
from clconv.runtime.check import relative_error
from clconv.session.session import Session

WRITTEN = [case for case in CASES if OPS[case.op].always_expands]
WRITTEN += [
    case
    for case in CASES
    if OPS[case.op].expand and case not in WRITTEN and len(case.inputs[0].shape) > 4
]


@pytest.mark.parametrize("case", WRITTEN, ids=lambda case: case.name)
def test_agrees_with_the_reference(case: Case, device: DeviceInfo) -> None:
    graph, feeds = case.build()
    expected = run_reference(graph, feeds)
    found = Session(graph, device, guard=256).run(feeds)
    for name, reference in expected.items():
        assert found[name].dtype == reference.dtype
        assert relative_error(found[name], reference) <= case.tolerance
