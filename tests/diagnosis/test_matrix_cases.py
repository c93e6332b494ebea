"""clconv doctor and matrix instructions: they are tried, their variants run the cases, and what fails is put away."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clconv import errors
from clconv.device.findings import NOTHING_FOUND
from clconv.device.info import DeviceInfo
from clconv.diagnosis.doctor import ROUNDED, new_quarantine
from clconv.diagnosis.matrix_cases import MatrixCheckup, examine_matrix, matrix_cases
from clconv.diagnosis.report import Checkup, report_text
from clconv.graph.ir import Attributes, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.lowering.model.kernel import VARIANTS, Lowered, Problem
from clconv.probes import matrix_probe
from clconv.probes.matrix_probe import MATRIX, refusal, with_verified_matrix
from clconv.runtime.quarantine import read_quarantine, write_quarantine
from clconv.runtime.worker import WorkerError
from clconv.session.session import Session

ALL = frozenset({"tf32", "f16", "f16 k16", "emulated"})


@pytest.fixture(autouse=True)
def own_findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(errors, "_warned", set())


@pytest.fixture
def able(device: DeviceInfo) -> DeviceInfo:
    return dataclasses.replace(device, kind="gpu", matrix=ALL)


class Here:
    """Stands for a Worker: runs everything in this process, where tests can change it."""

    def call(self, function: Callable[..., Any], *arguments: Any, limit: float) -> Any:
        return function(*arguments)


def examined(device: DeviceInfo, *operators: str, worker: Any = None) -> MatrixCheckup:
    found = examine_matrix(device, worker or Here(), NOTHING_FOUND, operators, quick=True)
    assert found is not None
    return found


@pytest.mark.slow
def test_every_matrix_variant_runs_in_each_precision_that_allows_it(able: DeviceInfo) -> None:
    found = examined(able, "Conv", "Gemm")
    assert found.right == ("f16", "f16 k16", "tf32") and not found.refused and not found.culprits
    rows = {(r.op, r.variant, r.precision) for r in found.results if r.op != MATRIX}
    assert rows == {
        ("Conv", "matrix_gemm", "tf32"),
        ("Conv", "matrix_winograd2", "tf32"),
        ("Gemm", "matrix", "tf32"),
        ("Conv", "matrix_gemm", "float16"),
        ("Gemm", "matrix", "float16"),
    }
    assert all(r.passed and r.tolerance in (0.0, ROUNDED) for r in found.results)
    # Rounded they are, so the instructions, not float32 arithmetic, have run.
    assert any(r.error > 1e-5 for r in found.results if r.precision == "tf32")
    text = report_text([Checkup(able, found.results, {}, None, "", str(found))], True, [])
    assert "| Gemm:matrix, tf32 |" in text and "| Gemm:matrix, float16 |" in text
    assert "- matrix instructions: f16, f16 k16, tf32" in text


def test_all_cases_are_run_unless_it_has_to_be_quick(able: DeviceInfo) -> None:
    claimed = dataclasses.replace(able, matrix_verified=True)
    whole, quick = (matrix_cases(claimed, "tf32", ("Gemm",), q)["Gemm"] for q in (False, True))
    assert len(quick.cases) < len(whole.cases) and whole.variants == quick.variants == ("matrix",)
    assert matrix_cases(claimed, "tf32", ("Gemm",), True, always=["Gemm"])["Gemm"] == whole
    assert {"Conv", "Gemm", "MatMul"} <= set(matrix_cases(claimed, "float16"))


def test_without_instructions_nothing_is_tried(device: DeviceInfo, able: DeviceInfo) -> None:
    class Never:
        def call(self, *arguments: Any, limit: float) -> Any:
            raise AssertionError("nothing to try")

    for one, operators in ((device, ()), (able, ("Relu", "Softmax"))):
        assert examine_matrix(one, Never(), NOTHING_FOUND, operators) is None  # type: ignore[arg-type]


def product(size: int = 96) -> Graph:
    node = make_node("Gemm", ["a", "b"], ["y"], alpha=1.0, beta=1.0, transA=0, transB=0)
    spec = TensorSpec((size, size))
    return Graph("product", (node,), ("a", "b"), ("y",), {"a": spec, "b": spec}, {})


def chosen(device: DeviceInfo) -> str:
    bound = Session(product(), device, precision="tf32").prepare({"a": (96, 96), "b": (96, 96)})
    (choice,) = bound.plan.lowered.choices.values()
    return choice.variant.name


@pytest.mark.slow
def test_a_wrong_variant_is_quarantined_and_released(
    able: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chosen(able) == "matrix"
    (right,) = (v for v in VARIANTS["Gemm"] if v.name == "matrix")

    def lower(problem: Problem) -> Lowered:
        attrs = Attributes({**problem.node.attrs, "alpha": 2.0})
        node = dataclasses.replace(problem.node, attrs=attrs)
        return right.lower(dataclasses.replace(problem, node=node))

    wrong = dataclasses.replace(right, lower=lower)
    known = VARIANTS["Gemm"]
    monkeypatch.setitem(VARIANTS, "Gemm", [wrong if v is right else v for v in known])
    found = examined(able, "Gemm")
    assert set(found.culprits) == {("Gemm", "matrix")}
    assert " in float16: error" in found.culprits["Gemm", "matrix"]
    assert {r.op for r in found.results if r.passed} == {MATRIX}  # the probe's product is right
    now = new_quarantine({}, found.culprits, found.results)
    rows = Checkup(able, found.results, now, None).rows()
    assert {r.label for r in rows if r.why} == {"matrix, tf32", "matrix, float16"}
    write_quarantine(able, now)
    assert chosen(able) == "local"
    monkeypatch.setitem(VARIANTS, "Gemm", known)
    found = examined(able, "Gemm")
    assert new_quarantine(read_quarantine(able), found.culprits, found.results) == {}


@pytest.mark.slow
def test_an_instruction_that_is_wrong_or_refused_is_named(
    able: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = matrix_probe.multiplies_right
    monkeypatch.setattr(
        matrix_probe, "multiplies_right", lambda d, p: p == "float16" and right(d, p)
    )
    found = examined(able, "MatMul")
    assert found.right == ("f16", "f16 k16")
    assert found.refused == {"tf32": "it gives wrong products"} and not found.culprits
    assert {r.precision for r in found.results} == {"float16"}
    assert str(found) == "f16, f16 k16; not used: tf32: it gives wrong products"


def test_an_instruction_that_a_process_dies_of_is_never_tried_by_load(
    able: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dying(Here):
        def call(self, function: Callable[..., Any], *arguments: Any, limit: float) -> Any:
            if function is refusal and "tf32" in arguments[0].matrix:
                raise WorkerError("the process died of SIGSEGV")
            return super().call(function, *arguments, limit=limit)

    tried: list[str] = []

    def noted(one: DeviceInfo, precision: str) -> bool:
        tried.append(precision)
        return True

    monkeypatch.setattr(matrix_probe, "multiplies_right", noted)
    found = examined(able, "MatMul", worker=Dying())
    assert set(found.culprits) == {(MATRIX, "tf32")} and "SIGSEGV" in found.culprits[MATRIX, "tf32"]
    write_quarantine(able, new_quarantine({}, found.culprits, found.results))
    tried.clear()
    fresh = dataclasses.replace(able, compute_units=able.compute_units + 1)  # not tried before
    assert with_verified_matrix(product(), fresh, "tf32").matrix == {"emulated"} and not tried
    assert with_verified_matrix(product(), fresh, "float16").matrix == ALL - {"tf32"} and tried


@pytest.mark.slow
def test_a_process_that_lives_releases_it(able: DeviceInfo) -> None:
    write_quarantine(able, {(MATRIX, "tf32"): "died", ("Gemm", "simple"): "old"})
    found = examined(able, "MatMul")
    left = new_quarantine(read_quarantine(able), found.culprits, found.results)
    assert left == {("Gemm", "simple"): "old"}
    a, b = (np.eye(96, dtype=np.float32),) * 2
    assert np.array_equal(Session(product(), able).run({"a": a, "b": b})["y"], a)
