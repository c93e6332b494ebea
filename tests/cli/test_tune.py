"""`clconv tune` as a user types it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from clconv.cases import CASES
from clconv.runtime.device import choose_device
from clconv.runtime.measurement_files import own_file, read_entries
from tests.cli.conftest import Clconv


@pytest.fixture(autouse=True)
def own_findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("clconv.runtime.measurement_files._shipped", lambda: ())


def test_tune_show_export_import_merge(clconv: Clconv, models: Path, tmp_path: Path) -> None:
    model, file = models / "classifier.onnx", tmp_path / "results.json"
    printed = clconv.works("tune", model, "--ops", "gemm", "--export", file)
    assert "1 kinds of layers" in printed and "Gemm" in printed
    assert "faster than what runs as usual" in printed or "the network:" in printed
    assert "results.json: 1 results" in printed.replace("\n", "")
    document = json.loads(clconv.works("tune", model, "--ops", "Gemm", "--json"))
    (row,) = document["layers"]
    assert row["layer"] == "Gemm 5->10" and row["kept"] and row["usual_seconds"] > 0
    assert {"problem", "usual", "best", "layers", "best_seconds", "gain"} <= row.keys()
    assert document["rejected"] == [] and document["driver"] == choose_device().driver
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


@pytest.mark.slow
def test_a_batch_is_tuned_as_it_is_run(
    clconv: Clconv, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_IMAGES", "2")
    arguments = (models / "classifier.onnx", "--shape", "image=4x3x8x8")
    assert "2 of 4 images at a time" in clconv.works("tune", *arguments, "--ops", "Gemm")
    planned = clconv.works("show", *arguments, "--plan")
    assert "2 of 4 images at a time" in planned and "tuned: exact shape" in planned


@pytest.mark.parametrize(("precision", "instruction"), [("tf32", "tf32"), ("float16", "f16")])
@pytest.mark.slow
def test_operators_are_tuned_in_the_precision_that_is_asked_for(
    clconv: Clconv, monkeypatch: pytest.MonkeyPatch, precision: str, instruction: str
) -> None:
    """With matrix instructions, emulated, as one of the candidates, and held against the bound of that precision."""
    (case,) = (c for c in CASES if c.name == "MatMul-several_tiles")
    monkeypatch.setattr("clconv.tuning.tasks.CASES", (case,))
    matrix = frozenset({"tf32", "f16", "f16 k16", "emulated"})
    able = dataclasses.replace(choose_device(), kind="gpu", matrix=matrix)
    monkeypatch.setattr("clconv.runtime.opencl.device_infos", lambda: (able,))
    printed = clconv.works("tune", "--ops", "MatMul", "--precision", precision)
    assert "1 kinds of layers" in printed and "MatMul 2x131x44 * 2x44x260" in printed
    (found,), _ = read_entries(own_file())
    assert dict(found.shape.kind)["instruction"] == instruction
    assert found.shape.dtype == ("float16" if precision == "float16" else "float32")
    assert (1e-5 if precision == "tf32" else 1e-6) < found.default_error < 2**-10


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
