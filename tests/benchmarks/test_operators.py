"""The comparison of single operators with onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.operators.more import more_cases
from benchmarks.operators.sized import IMAGE, sized_cases
from clconv.cases import Case, data

against = pytest.importorskip("benchmarks.operators.against")


def test_cases_of_the_sizes_of_networks_are_one_node_each() -> None:
    cases = [*sized_cases(), *more_cases()]
    assert len({case.name for case in cases}) == len(cases) > 100
    some = [case for case in cases if case.op in ("Relu", "Split", "RoiAlign", "Clip", "Resize")]
    for case in some:
        graph, feeds = case.build()
        assert len(graph.nodes) == 1 and set(feeds) == set(graph.inputs)
    assert next(c for c in cases if c.op == "Relu").inputs[0] == data(*IMAGE, low=-4.0, high=4.0)


def test_cases_take_turns_by_operator() -> None:
    cases = [Case(op, str(i), ()) for i, op in enumerate(("A", "A", "B", "A", "B"))]
    assert [(c.op, c.label) for c in against.in_turn(cases)] == [
        ("A", "0"), ("B", "2"), ("A", "1"), ("B", "4"), ("A", "3"),
    ]  # fmt: skip


def test_results_that_differ_are_told() -> None:
    case, one = Case("Relu", "two", (data(2),)), np.float32([1, 2])
    assert against.difference(case, [one], [one.copy()]) == ""
    assert against.difference(case, [one], [one + np.float32([0, 1e-5])]) == ""
    assert "1" in against.difference(case, [one], [np.float32([1, 3])])
    assert "float64" in against.difference(case, [one], [one.astype(np.float64)])
    assert against.difference(case, [one * np.nan], [one * np.nan]) == ""
    assert against.difference(case, [one], [one * np.nan])
    assert against.difference(case, [np.int64([1, 2])], [np.int64([1, 3])]) == "1 of 2 elements"


def test_a_case_is_timed_in_both_engines() -> None:
    found = against.compare(against.IDENTITY, None, 0.01)
    assert found is not None and not found.differs
    record = found.record()
    assert 0 < record["clconv_best_us"] <= record["clconv_median_us"]
    assert record["ratio"] == pytest.approx(found.ratio) and record["op"] == "Identity"


def test_what_onnx_does_not_have_is_left_out() -> None:
    assert against.compare(Case("ReluGradient", "none", (data(4), data(4))), None, 0.01) is None
