"""`clconv doctor` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clconv.runtime.device import choose_device
from clconv.runtime.findings import quarantine_file, write_quarantine
from tests.cli.conftest import Clconv


@pytest.fixture(autouse=True)
def own_findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path / "cache"))


def test_it_prints_every_variant_and_writes_a_report(clconv: Clconv, tmp_path: Path) -> None:
    report, device = tmp_path / "report.md", choose_device()
    options = ("--device", device.index, "--quick", "--report", report)
    write_quarantine(device, {("Relu", "flat"): "was wrong", ("Conv", "direct"): "was wrong"})
    printed = clconv.works("doctor", "--ops", "relu,Identity", *options)
    assert "released: Relu:flat" in printed and "quarantined: Conv:direct" in printed
    assert "GFLOP/s" in printed and "GB/s" in printed and "a launch" in printed
    rows = [line.split() for line in printed.splitlines() if line.startswith("│ Relu")]
    assert {"flat", "broadcast"} <= {row[3] for row in rows} and all("pass" in row for row in rows)
    (record,) = json.loads(quarantine_file().read_text())["records"]
    assert [row["operator"] for row in record["rows"]] == ["Conv"]
    text = report.read_text()
    assert "| Relu:flat |" in text and device.driver in text and "Identity" in text
    assert str(tmp_path) not in text and str(Path.home()) not in text


def test_what_it_cannot_do_is_one_line(clconv: Clconv, tmp_path: Path) -> None:
    clconv.fails("doctor", "--ops", "Relu,Nonsense", saying="no kernels of Nonsense; there are")
    clconv.fails("doctor", "--device", "no such thing", saying="no such thing")
