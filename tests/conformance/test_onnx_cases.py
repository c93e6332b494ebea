"""ONNX's own cases through onnx.backend.base: each passes or is refused by name, none is wrong.

unsupported.txt lists what is refused. A case that starts to pass must leave it, so it only shrinks.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import pytest
from onnx.helper import get_attribute_value

from clconv.device.info import DeviceInfo
from clconv.errors import UnsupportedError
from tests.conformance.onnx_cases import OnnxCase, all_cases, with_open_sizes
from tests.conformance.outcome import names_the_cause, read_list, run_case
from tests.representatives import kind_of

UNSUPPORTED = read_list()
KINDS = {"light": 9, "pytorch-converted": 82, "pytorch-operator": 35, "simple": 23}


# The quick run takes one case of every fourth operator as it is, and of every other fourth one with open sizes: that
# references agree with all of ONNX's cases is tested in tests/graph, and kernels with the references in tests/kernels.
# Networks and what PyTorch exported compile for long. The whole run takes the cases in which something is new for their
# operator; so it does with definitions that are written out as graphs (expanded), for these together.
_PARTS = 4


def _operator(case: OnnxCase) -> str:
    return str(case.model().graph.node[0].op_type)


def _traits(case: OnnxCase) -> Iterator[Hashable]:
    """What may be new about a case of one node: inputs, element types, ranks and values of attributes."""
    graph = case.model().graph
    yield len(graph.input), len(graph.output)
    for index, value in enumerate((*graph.input, *graph.output)):
        tensor = value.type.tensor_type
        yield index, tensor.elem_type
        yield index, "rank", len(tensor.shape.dim)
    for attribute in graph.node[0].attribute:
        yield attribute.name, kind_of(get_attribute_value(attribute))


class _Marks:
    """The marks of cases that come one after another."""

    def __init__(self, part: int) -> None:
        self._part = part
        self._operators: set[str] = set()
        self._known: set[Hashable] = set()

    def of(self, case: OnnxCase) -> list[Any]:
        written_out = "_expanded" in case.id
        if case.kind != "node" or case.id in UNSUPPORTED:
            return [pytest.mark.slow] * (case.kind != "node" or written_out)
        op = "" if written_out else _operator(case)
        slow = written_out or op in self._operators or len(self._operators) % _PARTS != self._part
        if not written_out:
            self._operators.add(op)
        traits = {(op, trait) for trait in _traits(case)}
        repeats = slow and traits <= self._known
        self._known |= traits
        return [pytest.mark.slow] * slow + [pytest.mark.long] * repeats


def _all_cases() -> list[Any]:
    marks = _Marks(1)
    return [pytest.param(case, id=case.id, marks=marks.of(case)) for case in all_cases()]


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
    """ONNX's cases of single operators that clconv has."""
    marks = _Marks(0)
    return [
        pytest.param(with_open_sizes(case), id=case.id, marks=marks.of(case))
        for case in all_cases()
        if case.kind == "node" and "_expanded" not in case.id and case.id not in UNSUPPORTED
    ]


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
