"""`clconv tune` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clconv.runtime.tuned_files import own_file, read_entries
from tests.cli.conftest import Clconv


@pytest.fixture(autouse=True)
def own_findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("clconv.runtime.tuned_files._shipped", lambda: ())


def test_tune_show_export_import_merge(clconv: Clconv, models: Path, tmp_path: Path) -> None:
    model, file = models / "classifier.onnx", tmp_path / "results.json"
    printed = clconv.works("tune", model, "--ops", "gemm", "--export", file)
    assert "1 kinds of layers" in printed and "Gemm" in printed
    assert "faster than what runs as usual" in printed or "the network:" in printed
    assert "results.json: 1 results" in printed.replace("\n", "")
    assert "(kept)" in clconv.works("tune", model, "--ops", "Gemm")
    assert "tuned: exact shape" in clconv.works("show", model, "--plan")
    (entry,), _ = read_entries(file)

    own_file().unlink()
    assert "tuned" not in clconv.works("show", model, "--plan")
    clconv.works("tune", "--import", file)
    assert read_entries(own_file())[0] == [entry]
    content = json.loads(file.read_text())
    content["records"][0]["seconds"] = 1.0
    content["records"].append({**content["records"][0], "variant": "gone"})
    file.write_text(json.dumps(content))
    assert "1 left out" in clconv.works("tune", "--merge", file)
    assert read_entries(own_file())[0] == [entry]
    clconv.works("tune", "--import", file)
    assert read_entries(own_file())[0][0].seconds == 1.0


def test_a_batch_is_tuned_as_it_is_run(
    clconv: Clconv, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_IMAGES", "2")
    arguments = (models / "classifier.onnx", "--shape", "image=4x3x8x8")
    assert "2 of 4 images at a time" in clconv.works("tune", *arguments, "--ops", "Gemm")
    planned = clconv.works("show", *arguments, "--plan")
    assert "2 of 4 images at a time" in planned and "tuned: exact shape" in planned


def test_what_it_cannot_do_is_one_line(clconv: Clconv, tmp_path: Path) -> None:
    clconv.fails("tune", saying="nothing to tune")
    clconv.fails("tune", "--import", tmp_path / "none.json", saying="there is no such file")
    (tmp_path / "bad.json").write_text("{")
    clconv.fails("tune", "--merge", tmp_path / "bad.json", saying="is no JSON")
    clconv.fails("tune", "--ops", "Nonsense", saying="no kernels of Nonsense")


def test_a_damaged_file_is_one_line_of_warning(clconv: Clconv, models: Path) -> None:
    own_file().parent.mkdir(parents=True)
    own_file().write_text("{")
    result = clconv("show", models / "classifier.onnx", "--plan")
    assert result.exit_code == 0
    (line,) = [line for line in result.stderr.splitlines() if "warning" in line]
    assert line.startswith("clconv: warning: ") and "it is ignored" in line
