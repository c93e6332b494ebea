"""clconv doctor's findings: a wrong variant is found, remembered for this driver only, and not chosen."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from clconv import errors
from clconv.cases import CASES, Case
from clconv.device.findings import Findings
from clconv.device.info import DeviceInfo
from clconv.diagnosis import doctor
from clconv.diagnosis.doctor import (
    Examiner,
    Result,
    device_cases,
    find_culprits,
    new_quarantine,
    plan_of,
)
from clconv.diagnosis.report import Checkup, report_text, without_paths
from clconv.errors import ClconvWarning
from clconv.lowering.model.kernel import VARIANTS
from clconv.runtime.quarantine import (
    findings_for,
    quarantine_file,
    read_quarantine,
    write_quarantine,
)
from clconv.runtime.worker import Failed, Worker, WorkerError, WorkerTimeout
from clconv.session.session import Session
from tests.diagnosis.broken_variants import wrong
from tests.graph.graph_builder import Builder
from tests.lowering.support import AVX2
from tests.patience import HANG

RELU = next(case for case in CASES if case.op == "Relu")


@pytest.fixture(autouse=True)
def own_findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(errors, "_warned", set())


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Relu has a variant that computes the absolute value, and prefers it."""
    monkeypatch.setitem(VARIANTS, "Relu", [wrong(), *VARIANTS["Relu"]])


def chosen(device: DeviceInfo) -> str:
    b = Builder()
    graph = b.graph(b.node("Relu", b.input(2, 3, 4, 4), out="y"))
    bound = Session(graph, device).prepare({"x": (2, 3, 4, 4)})
    (choice,) = bound.plan.lowered.choices.values()
    return choice.variant.name


def examined(device: DeviceInfo, op: str) -> tuple[list[Result], dict[tuple[str, str], str]]:
    cases = device_cases([op], quick_for=device)
    examiner = Examiner(device)
    results = [r for some in cases.values() for r in examiner.operator(some)]
    return results, find_culprits(examiner, cases, results)


@pytest.mark.usefixtures("broken")
def test_a_wrong_variant_is_found_remembered_and_avoided(device: DeviceInfo) -> None:
    assert chosen(device) == "wrong"
    results, culprits = examined(device, "Relu")
    assert set(culprits) == {("Relu", "wrong")}
    assert "error" in culprits["Relu", "wrong"]
    assert {r.variant for r in results} == {v.name for v in VARIANTS["Relu"]}
    assert all(r.passed for r in results if r.variant != "wrong")
    write_quarantine(device, new_quarantine({}, culprits, results))
    assert chosen(device) == VARIANTS["Relu"][1].name


@pytest.mark.usefixtures("broken")
def test_another_driver_or_device_is_not_concerned(device: DeviceInfo) -> None:
    newer = dataclasses.replace(device, driver=device.driver + ".1")
    write_quarantine(newer, {("Relu", "wrong"): "was wrong"})
    write_quarantine(dataclasses.replace(device, name="other"), {("Relu", "wrong"): "was wrong"})
    assert read_quarantine(device) == {} and chosen(device) == "wrong"
    assert read_quarantine(newer) == {("Relu", "wrong"): "was wrong"}
    write_quarantine(newer, {})
    assert read_quarantine(newer) == {}
    assert findings_for(dataclasses.replace(device, name="other")).quarantined


@pytest.mark.usefixtures("broken")
def test_a_forced_variant_is_run_though_quarantined(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_quarantine(device, {("Relu", "wrong"): "was wrong"})
    monkeypatch.setenv("CLCONV_VARIANT", "relu:wrong")
    assert chosen(device) == "wrong"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"format": 99, "records": []}',
        '{"format": 1, "records": [{"device": 1, "rows": []}]}',
        '{"format": 1, "records": [{"device": {}, "rows": [{"operator": "Relu"}]}]}',
        '{"format": 1, "records": 7}',
        "\x00",
    ],
)
def test_a_damaged_file_is_reported_once_and_ignored(device: DeviceInfo, text: str) -> None:
    quarantine_file().write_text(text)
    with pytest.warns(ClconvWarning, match="it is ignored") as caught:
        assert findings_for(device).quarantined == frozenset()
        findings_for(device)
    assert len(caught) == 1
    write_quarantine(device, {("Relu", "flat"): "x"})
    assert read_quarantine(device) == {("Relu", "flat"): "x"}


def test_what_was_not_examined_stays_quarantined_and_what_is_right_is_released() -> None:
    before = {("Relu", "flat"): "old", ("Conv", "direct"): "old"}
    right = Result("Relu", "flat", "case", 0.0, 1e-5)
    assert new_quarantine(before, {}, [right]) == {("Conv", "direct"): "old"}


def test_an_operator_made_of_others_is_not_blamed_for_its_parts(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Case("Attention", "whole", (None,))
    rows = [Result("MatMul", "bad", "MatMul-part", 1.0, 1e-5), Result("Attention", "parts", whole.name, 1.0, 1e-5)]  # fmt: skip
    part = Case("MatMul", "part", (None,))

    def one(self: Examiner, case: Case, variant: str, findings: Findings) -> Result:
        avoided = ("MatMul", "bad") in findings.quarantined
        return Result(case.op, variant, case.name, 0.0 if avoided else 1.0, 1e-5)

    monkeypatch.setattr(Examiner, "one", one)
    cases = {"MatMul": [part], "Attention": [whole]}
    assert set(find_culprits(Examiner(device), cases, rows)) == {("MatMul", "bad")}


def test_quick_takes_few_cases_that_reach_every_variant() -> None:
    every, quick = device_cases(), device_cases(quick_for=AVX2, always=["MaxPool"])
    assert set(quick) == set(every)
    assert quick["MaxPool"] == every["MaxPool"]
    assert sum(map(len, quick.values())) < sum(map(len, every.values())) / 2
    for variant in VARIANTS["Conv"]:
        reached = any(plan_of(case, AVX2, variant.name) for case in quick["Conv"])
        assert reached == any(plan_of(case, AVX2, variant.name) for case in every["Conv"])


def test_a_worker_survives_what_it_runs(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREAK_RELU", "1")
    with Worker(["tests.diagnosis.broken_variants"]) as worker:
        examiner = Examiner(device, worker)
        assert worker.call(divmod, 7, 2, limit=HANG) == (3, 1)
        with pytest.raises(Failed, match="ZeroDivisionError"):
            worker.call(divmod, 1, 0, limit=HANG)
        deadly = examiner.one(RELU, "deadly")
        assert deadly is not None and not deadly.passed and "SIGKILL" in deadly.failure
        right, wrong_one = examiner.one(RELU, "flat"), examiner.one(RELU, "wrong")
        assert right is not None and right.passed
        assert wrong_one is not None and wrong_one.error > 0.1
        monkeypatch.setattr(doctor, "_CASE_SECONDS", 1.0)
        endless = examiner.one(RELU, "endless")
        assert endless is not None and "not done after 1 s" in endless.failure
    with pytest.raises(WorkerError, match="exit code 3"), Worker() as worker:
        worker.call(__import__("os")._exit, 3, limit=HANG)
    with pytest.raises(WorkerTimeout), Worker() as worker:
        worker.call(__import__("time").sleep, 2 * HANG, limit=0.1)


def test_the_report_has_all_and_nothing_private(device: DeviceInfo) -> None:
    secret = "/home/alice/.cache/pocl/tmp.c:3: error: x, C:\\Users\\alice\\a.cl"
    rows = (
        Result("Relu", "flat", "Relu-a|b", np.inf, 1e-5, secret),
        Result("Conv", "direct", "Conv-a", 1e-7, 1e-5),
    )
    text = report_text([Checkup(device, rows, {("Relu", "flat"): secret}, None, "no")], False, [])
    assert "alice" not in text and "tmp.c:3: error: x, a.cl" in text
    assert device.driver in text and "| Conv:direct | 1 | 1.0e-07 | pass |" in text
    assert "1 of 2 variants are wrong" in text and "Relu-a\\|b" in text
    assert without_paths("GFLOP/s and and/or x86_64-unknown/y") == (
        "GFLOP/s and and/or x86_64-unknown/y"
    )
