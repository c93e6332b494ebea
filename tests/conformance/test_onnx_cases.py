"""ONNX's own cases through onnx.backend.base: each passes or is refused by name, none is wrong.

unsupported.txt lists what is refused. A case that starts to pass must leave it, so it only shrinks.
"""

from __future__ import annotations

from typing import Any

import pytest

from clconv.device.info import DeviceInfo
from clconv.errors import UnsupportedError
from tests.conformance.onnx_cases import OnnxCase, all_cases, with_open_sizes
from tests.conformance.outcome import names_the_cause, read_list, run_case

UNSUPPORTED = read_list()
KINDS = {"light": 9, "pytorch-converted": 82, "pytorch-operator": 35, "simple": 23}


# The quick run takes one case of every third operator as it is, and of every other third one with open sizes: that
# references agree with all of ONNX's cases is tested in tests/graph, and kernels with the references in tests/kernels.
# Definitions written out as graphs (expanded) repeat what other cases hold apart; networks and what PyTorch exported
# compile for long.
_THIRD = 3


def _operator(case: OnnxCase) -> str:
    return str(case.model().graph.node[0].op_type)


def _all_cases() -> list[Any]:
    """Every case; all but the first of every third operator are slow."""
    found, seen = [], set()
    for case in all_cases():
        slow = case.id.endswith("_expanded") or case.kind != "node"
        if case.kind == "node" and not slow and case.id not in UNSUPPORTED:
            op = _operator(case)
            slow = op in seen or len(seen) % _THIRD != 1
            seen.add(op)
        found.append(pytest.param(case, id=case.id, marks=[pytest.mark.slow] if slow else []))
    return found


@pytest.mark.parametrize("case", _all_cases())
def test_case(case: OnnxCase, device: DeviceInfo) -> None:
    if case.id not in UNSUPPORTED:
        run_case(case, str(device.index))
        return
    with pytest.raises(UnsupportedError) as caught:
        run_case(case, str(device.index))
        pytest.fail(f"{case.id} passes: take it out of unsupported.txt", pytrace=False)
    assert names_the_cause(caught.value, case.model()), str(caught.value)


def _cases_with_open_sizes() -> list[Any]:
    """ONNX's cases of single operators that clconv has; all but the first of every third operator are slow."""
    found, seen = [], set()
    for case in all_cases():
        if case.kind == "node" and not case.id.endswith("_expanded") and case.id not in UNSUPPORTED:
            op = _operator(case)
            marks = [pytest.mark.slow] if op in seen or len(seen) % _THIRD else []
            found.append(pytest.param(with_open_sizes(case), id=case.id, marks=marks))
            seen.add(op)
    return found


@pytest.mark.parametrize("case", _cases_with_open_sizes())
def test_case_with_open_sizes(case: OnnxCase, device: DeviceInfo) -> None:
    """The same operators where no size is known at load: other passes apply, and kernels of other sizes go along."""
    run_case(case, str(device.index))


def test_the_list_names_cases_that_exist_in_order() -> None:
    names = list(UNSUPPORTED)
    assert names == sorted(names)
    assert set(names) <= {case.id for case in all_cases()}
    assert all(UNSUPPORTED.values()), "every line has a reason"


def test_what_the_project_promises() -> None:
    """Not one case is lost on the way, and enough of them pass; the counts rise with the onnx package."""
    cases = all_cases()
    for kind, count in KINDS.items():
        assert sum(case.kind == kind for case in cases) >= count
    assert len(cases) - len(UNSUPPORTED) >= 1000
    assert not [name for name in UNSUPPORTED if name.startswith(("light/", "pytorch-"))]
