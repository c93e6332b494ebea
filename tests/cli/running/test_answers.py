"""`clconv run --json`: one document with what every input gave, whatever else is printed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.cli.conftest import Clconv
from tests.cli.running.conftest import good
from tests.frontend.support import model, node, value


def test_every_picture_has_its_entry(clconv: Clconv, models: Path, photos: Path) -> None:
    result = clconv("run", models / "imagenet.onnx", photos, "--top", 2, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert [entry["file"] for entry in document["answers"]] == good(photos)
    for entry in document["answers"]:
        first, second = entry["classes"]
        assert set(first) == {"class", "name", "probability"}
        assert first["probability"] >= second["probability"]
    # The same as people read.
    lines = clconv("run", models / "imagenet.onnx", photos, "--top", 2).stdout.splitlines()
    names = [line.partition(" % ")[2] for line in lines if " % " in line]
    assert names == [c["name"] for e in document["answers"] for c in e["classes"]]


def test_ranges_of_outputs(clconv: Clconv, tmp_path: Path) -> None:
    nodes = [node("Log", ["x"], ["y"]), node("ReduceSum", ["x"], ["s"], keepdims=0)]
    outputs = [value("y", 2, 3), value("s")]
    path = tmp_path / "log.onnx"
    path.write_bytes(model(nodes, [value("x", 2, 3)], outputs).SerializeToString())
    np.save(tmp_path / "x.npy", np.array([[1, 2, 3], [4, 5, 0]], np.float32))
    (entry,) = json.loads(clconv.works("run", path, tmp_path / "x.npy", "--json"))["answers"]
    y, s = entry["outputs"]
    assert y["shape"] == [2, 3] and y["least"] is None  # minus infinity: JSON has no number for it
    assert abs(y["largest"] - np.log(5)) < 1e-5
    assert s == {
        "output": "s",
        "shape": [],
        "type": "float32",
        "least": 15,
        "mean": 15,
        "largest": 15,
    }
    printed = clconv.works("run", path, tmp_path / "x.npy").splitlines()
    assert printed[0].split() == ["output", "shape", "type", "least", "mean", "largest"]
    assert printed[1].split()[:4] == ["y", "2x3", "float32", "-inf"]


def test_a_saved_file_is_named(clconv: Clconv, models: Path, photos: Path, tmp_path: Path) -> None:
    for given, table in ((photos / "c8.png", "one.npz"), (photos, "all.jsonl")):
        result = clconv("run", models / "classifier.onnx", given, "-o", tmp_path / table, "--json")
        assert json.loads(result.stdout)["saved"] == str(tmp_path / table)
