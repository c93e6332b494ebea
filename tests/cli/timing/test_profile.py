"""`clconv profile` on a small network: tables, JSON, and files for other programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clconv.profiling import measure
from clconv.profiling.ceilings import Ceilings
from tests.cli.conftest import Clconv
from tests.profiling.test_trace import validate


@pytest.fixture(autouse=True)
def known_ceilings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring a device takes a while, and is tested elsewhere."""
    monkeypatch.setattr(
        measure, "ceilings_of", lambda device, afresh: Ceilings(1e11, 1e10, "2026-11-28")
    )


def test_it_prints_kernels_layers_and_what_is_outside(clconv: Clconv, models: Path) -> None:
    text = clconv.works("profile", models / "classifier.onnx", "--runs", 2)
    assert "classifier.onnx on " in text and "ms a run" in text
    assert "time stamps inside" in text or "launch by launch" in text
    assert "peak: 100 GFLOP/s and 10.0 GB/s, measured 2026-11-28" in text
    for word in ("kernel", "layer", "share", "GFLOP/s", "GB/s", "Gemm"):
        assert word in text, word
    _, _, parts = text.partition("\na run ")
    run, _, loading = parts.partition("\nloading, to the first answer ")
    assert {"in", "write", "start", "between", "finish", "read", "host", "around"} == first_words(
        run
    )
    stages = {"import", "passes", "plan", "device", "build", "pack", "first", "other"}
    assert stages == first_words(loading)
    for table in (run, loading):
        shares = [float(line.split()[-1]) for line in table.strip().splitlines()[1:]]
        assert sum(shares) == pytest.approx(100, abs=1)


def first_words(table: str) -> set[str]:
    return {line.split()[0] for line in table.strip().splitlines()[1:]}


def test_one_table_of_so_many_rows(clconv: Clconv, models: Path) -> None:
    text = clconv.works(
        "profile",
        models / "classifier.onnx",
        "--by",
        "launch",
        "--top",
        1,
        "--runs",
        1,
        "--separate",
    )
    assert "launch by launch" in text and "more, " in text
    assert "variant" not in text


def test_json_and_files(clconv: Clconv, models: Path, tmp_path: Path) -> None:
    files = ("--trace", tmp_path / "t.json", "--html", tmp_path / "p.html")
    found = json.loads(
        clconv.works("profile", models / "classifier.onnx", "--json", "--runs", 1, *files)
    )
    assert found["model"] == "classifier.onnx" and found["run_seconds"] > 0
    assert sum(row["seconds"] for row in found["layers"]) == pytest.approx(found["kernel_seconds"])
    assert {"import", "passes", "build", "pack"} <= found["load_seconds"].keys()
    assert found["load_seconds"]["import"] > 0
    assert found["ceilings"]["measured"] == "2026-11-28"
    validate(json.loads((tmp_path / "t.json").read_text(encoding="utf-8")))
    assert '"model": "classifier.onnx"' in (tmp_path / "p.html").read_text(encoding="utf-8")


def test_an_open_size(clconv: Clconv, models: Path) -> None:
    found = json.loads(
        clconv.works("profile", models / "brightener.onnx", "--size", "8x12", "--runs", 1, "--json")
    )
    assert found["inputs"] == {"picture": "float32[1x3x8x12]"}


def test_a_file_as_input(clconv: Clconv, models: Path, picture: Path) -> None:
    found = json.loads(
        clconv.works("profile", models / "classifier.onnx", "-i", picture, "--runs", 1, "--json")
    )
    assert found["inputs"] == {"image": "float32[1x3x8x8]"}
