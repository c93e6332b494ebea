"""`clconv quantize` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Clconv


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for i in range(3):
        Image.fromarray(rng.integers(0, 256, (20, 24, 3), np.uint8)).save(folder / f"{i}.png")
    return folder


def test_a_file_and_what_changes(
    clconv: Clconv, models: Path, photos: Path, tmp_path: Path
) -> None:
    target = tmp_path / "int8.onnx"
    text = clconv.works("quantize", models / "classifier.onnx", photos, "-o", target, "--json")
    said = json.loads(text)
    assert said["quantized"] == said["of"] > 0 and said["bytes"] == target.stat().st_size
    assert (said["samples"], said["compared"], said["held_out"]) == (3, 3, False)
    (change,) = said["changes"]
    assert change["signal_to_noise"] > 20 and 0 <= change["same_first_class"] <= 1
    assert "class" in clconv.works("run", target, photos / "0.png", "--top", 1)


@pytest.mark.parametrize(
    ("more", "saying"),
    [
        (["-o", "int8.txt"], ".onnx"),
        (["-o", "nowhere/int8.onnx"], "no folder"),
        (["-o", "int8.onnx", "--method", "nonsense"], "choose one of"),
        (["-o", "int8.onnx", "--percentile", "99"], "--percentile: is for"),
        (["-o", "int8.onnx", "--method", "percentile", "--percentile", "200"], "at most 100"),
        (["-o", "int8.onnx", "--most", "0"], "one sample at least"),
        (["-o", "int8.onnx", "--std", "0"], "above zero"),
    ],
)
def test_bad_uses(
    more: list[str], saying: str, clconv: Clconv, models: Path, photos: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    clconv.fails("quantize", models / "classifier.onnx", photos, *more, saying=saying)
    assert not list(tmp_path.iterdir())


def test_files_of_no_use(clconv: Clconv, models: Path, photos: Path, tmp_path: Path) -> None:
    target = tmp_path / "int8.onnx"
    clconv.fails(
        "quantize", models / "classifier.onnx", tmp_path, "-o", target, saying="no pictures"
    )
    clconv.fails("quantize", models / "two.onnx", photos, "-o", target, saying=".npz")
