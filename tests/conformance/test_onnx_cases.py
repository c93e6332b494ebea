"""ONNX's own cases through onnx.backend.base: each passes or is refused by name, none is wrong.

unsupported.txt lists what is refused. A case that starts to pass must leave it, so it only shrinks.
"""

from __future__ import annotations

import pytest

from clconv.errors import UnsupportedError
from clconv.lowering.device import DeviceInfo
from tests.conformance.onnx_cases import OnnxCase, all_cases
from tests.conformance.outcome import names_the_cause, read_list, run_case

UNSUPPORTED = read_list()
KINDS = {"light": 9, "pytorch-converted": 82, "pytorch-operator": 35, "simple": 23}


# Compiling is what takes time where nothing is compiled yet. A definition written out as a graph
# (expanded) repeats what other cases hold apart; `-m "not slow"` leaves those out.
PARAMETERS = [
    pytest.param(c, id=c.id, marks=[pytest.mark.slow] if c.id.endswith("_expanded") else [])
    for c in all_cases()
]


@pytest.mark.parametrize("case", PARAMETERS)
def test_case(case: OnnxCase, device: DeviceInfo) -> None:
    if case.id not in UNSUPPORTED:
        run_case(case, str(device.index))
        return
    with pytest.raises(UnsupportedError) as caught:
        run_case(case, str(device.index))
        pytest.fail(f"{case.id} passes: take it out of unsupported.txt", pytrace=False)
    assert names_the_cause(caught.value, case.model()), str(caught.value)


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
