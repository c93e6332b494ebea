"""`clconv doctor` as a user types it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from clconv.device.options import PlanOptions
from clconv.diagnosis.joined import NETWORKS
from clconv.planning.joining import JOINED, may_join
from clconv.runtime.device import choose_device
from clconv.runtime.quarantine import quarantine_file, write_quarantine
from tests.cli.conftest import Clconv


@pytest.fixture(autouse=True)
def own_findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path / "cache"))


def test_it_prints_every_variant_and_writes_a_report(clconv: Clconv, tmp_path: Path) -> None:
    report, device = tmp_path / "report.md", choose_device()
    options = ("--device", device.index, "--quick", "--report", report)
    write_quarantine(device, {("Relu", "flat"): "was wrong", ("Conv", "direct"): "was wrong"})
    printed = clconv.works("doctor", "--all", "--ops", "relu,Identity", *options)
    assert "released: Relu:flat" in printed and "quarantined: Conv:direct" in printed
    assert "GFLOP/s" in printed and "GB/s" in printed and "a launch" in printed
    rows = [line.split() for line in printed.splitlines() if line.startswith("Relu")]
    assert {"flat", "broadcast"} <= {row[1] for row in rows} and all("pass" in row for row in rows)
    (record,) = json.loads(quarantine_file().read_text())["records"]
    assert [row["operator"] for row in record["rows"]] == ["Conv"]
    text = report.read_text()
    assert "| Relu:flat |" in text and device.driver in text and "Identity" in text
    assert str(tmp_path) not in text and str(Path.home()) not in text


@pytest.mark.slow
def test_matrix_instructions_are_tried_where_there_are_some(
    clconv: Clconv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = frozenset({"tf32", "f16", "f16 k16", "emulated"})
    able = dataclasses.replace(choose_device(), matrix=matrix)
    monkeypatch.setattr("clconv.runtime.opencl.device_infos", lambda: (able,))
    options = ("--quick", "--all", "--ops", "matmul", "--report", tmp_path / "report.md")
    printed = clconv.works("doctor", *options)
    assert "matrix instructions: f16, f16 k16, tf32" in printed
    rows = [line for line in printed.splitlines() if "  matrix, " in line]
    assert len(rows) == 2 and all("pass" in row for row in rows)
    assert "| MatMul:matrix, tf32 |" in (tmp_path / "report.md").read_text()


def test_it_prints_failures_and_a_summary(
    clconv: Clconv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("doctor", "--quick", "--ops", "Identity,Relu", "--report", tmp_path / "report.md")
    printed = clconv.works(*options)
    assert "flat" not in printed and "0 variants wrong" in printed
    monkeypatch.setattr(
        "clconv.diagnosis.doctor.Result.passed", property(lambda row: row.variant != "flat")
    )
    result = clconv(*options)
    assert result.exit_code == 1 and "1 variants wrong" in result.stdout
    rows = [line for line in result.stdout.splitlines() if "FAIL" in line]
    assert rows and all("flat" in row for row in rows)


@pytest.mark.slow
def test_it_prints_little_or_a_document(clconv: Clconv, tmp_path: Path) -> None:
    options = ("doctor", "--quick", "--ops", "Identity,Relu", "--report", tmp_path / "report.md")
    assert "variants" not in clconv.works(*options, "-q")
    document = json.loads(clconv.works(*options, "--json"))
    (device,) = document["devices"]
    assert device["quarantined"] == {} and device["speed"]["peak"]["flops"] > 0
    assert {("Relu", "flat")} <= {(row["operator"], row["variant"]) for row in device["variants"]}


@pytest.mark.slow
def test_quick_says_what_it_had_no_time_for(
    clconv: Clconv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clconv.cli.doctor._QUICK_SECONDS", 0.0)
    report = tmp_path / "report.md"
    write_quarantine(choose_device(), {("Relu", "flat"): "was wrong"})
    document = json.loads(clconv.works("doctor", "--quick", "--report", report, "--json"))
    (device,) = document["devices"]
    assert {row["operator"] for row in device["variants"]} == {"Relu"}
    assert device["released"] == ["Relu:flat"]
    assert {"Conv", "Gemm"} <= set(device["not_examined"])
    assert "not examined, for lack of time: Conv, Gemm" in report.read_text()


def test_what_it_cannot_do_is_one_line(clconv: Clconv, tmp_path: Path) -> None:
    clconv.fails("doctor", "--ops", "Relu,Nonsense", saying="no kernels of Nonsense; there are")
    clconv.fails("doctor", "--device", "no such thing", saying="no such thing")


def test_a_quarantine_is_shown_and_launches_are_tried_again(
    clconv: Clconv, tmp_path: Path, models: Path
) -> None:
    device, model = choose_device(), models / "classifier.onnx"
    if not may_join(device, PlanOptions.from_config()):
        pytest.skip(f"{device} gets a launch for each kernel")
    write_quarantine(device, {JOINED: "residual: error 0.5", ("Relu", "flat"): "old"})
    planned = " ".join(clconv.works("show", model, "--plan").split())
    assert "launches are not joined: quarantined by clconv doctor" in planned
    assert "in 1 launch;" not in planned
    assert "launches:joined: residual: error 0.5" in clconv.works("devices")
    report = tmp_path / "report.md"
    printed = clconv.works("doctor", "--all", "--ops", "launches", "--device", device.index, "--report", report)  # fmt: skip
    (row,) = [line.split() for line in printed.splitlines() if line.startswith("launches")]
    assert row[1] == "joined" and row[2] == str(len(NETWORKS)) and "pass" in row
    assert "released: launches:joined" in printed and "quarantined: Relu:flat" in printed
    assert f"| launches:joined | {len(NETWORKS)} |" in report.read_text()
    assert "in 1 launch;" in " ".join(clconv.works("show", model, "--plan").split())
