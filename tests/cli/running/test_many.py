"""`clconv run` over folders: tables of every kind, bad pictures, progress."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from clconv.cli.pictures.listing import pictures
from clconv.cli.running.bar import PictureBar, duration
from tests.cli.conftest import Clconv
from tests.cli.running.conftest import endings, files_of, good, scores_of
from tests.frontend.support import model, node, value


def test_pictures_are_sorted_and_each_taken_once(photos: Path) -> None:
    found = [os.path.relpath(p, photos) for p in pictures([str(photos)])]
    assert found == sorted(found, key=lambda p: p.split(os.sep)) and len(found) == 10
    first = str(photos / "c8.png")
    again = pictures([first, str(photos), str(photos / "*.png")])
    assert again[0] == first and len(again) == 10


@pytest.mark.parametrize("ending", endings())
def test_a_table_has_a_row_for_each_picture(
    ending: str, clconv: Clconv, models: Path, photos: Path, tmp_path: Path
) -> None:
    table = tmp_path / f"table{ending}"
    result = clconv("run", models / "classifier.onnx", photos, "-o", table)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"saved {table}\n"
    assert "skipped" in result.stderr and "a9.jpg: is no picture" in result.stderr
    assert files_of(table) == good(photos)
    assert not list(tmp_path.glob("*.part"))
    # The values are those of each picture alone.
    names, scores = scores_of(table)
    for name, row in zip(names, scores, strict=True):
        clconv.works("run", models / "classifier.onnx", name, "-o", tmp_path / "one.npy")
        np.testing.assert_allclose(row, np.load(tmp_path / "one.npy")[0], rtol=1e-5, atol=1e-6)


def test_classes(clconv: Clconv, models: Path, photos: Path, tmp_path: Path) -> None:
    clconv.works("run", models / "imagenet.onnx", photos, "-o", tmp_path / "t.csv", "--top", 2)
    header = (tmp_path / "t.csv").read_text().splitlines()[0]
    assert header == "file,class_1,name_1,probability_1,class_2,name_2,probability_2"
    clconv.works("run", models / "imagenet.onnx", photos, "-o", tmp_path / "t.jsonl")
    entry = json.loads((tmp_path / "t.jsonl").read_text().splitlines()[0])["classes"][0]
    assert set(entry) == {"class", "name", "probability"} and entry["name"].strip()
    clconv.works("run", models / "classifier.onnx", photos, "-o", tmp_path / "u.csv", "--top", 1)
    assert (tmp_path / "u.csv").read_text().startswith("file,class_1,probability_1\n")


def test_classes_are_printed_under_their_picture(
    clconv: Clconv, models: Path, photos: Path
) -> None:
    printed = clconv.works("run", models / "imagenet.onnx", photos, "--top", 1).splitlines()
    assert printed[::2] == [f"{path}:" for path in good(photos)]
    assert all(" % " in line for line in printed[1::2])


def test_imagenets_names_are_known(clconv: Clconv, tmp_path: Path, picture: Path) -> None:
    scores = np.zeros((1, 1000), np.float32)
    scores[0, 285] = 9
    fixed = model(
        [
            node("ReduceMean", ["image"], ["m"], "mean", axes=[1, 2, 3], keepdims=0),
            node("Mul", ["m", "nothing"], ["z"], "zero"),
            node("Add", ["z", "s"], ["scores"], "add"),
        ],
        [value("image", 1, 3, 8, 8)],
        [value("scores", 1, 1000)],
        {"nothing": np.zeros((1, 1), np.float32), "s": scores},
        opset=17,
    )
    onnx.save(fixed, str(tmp_path / "cat.onnx"))
    first = clconv.works("run", tmp_path / "cat.onnx", picture).splitlines()[0]
    assert first == " 89.02 % Egyptian cat"


def test_strict_stops_and_all_bad_is_an_error(
    clconv: Clconv, models: Path, photos: Path, tmp_path: Path
) -> None:
    given = ("run", models / "classifier.onnx", photos, "-o", tmp_path / "t.csv")
    clconv.fails(*given, "--strict", saying="a9.jpg: is no picture")
    assert not (tmp_path / "t.csv").exists()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_text("no")
    given = ("run", models / "classifier.onnx", tmp_path / "bad", "-o", tmp_path / "u.csv")
    clconv.fails(*given, saying="none of 1 pictures can be read")
    assert not list(tmp_path.glob("u.csv*"))


def test_parquet_needs_pyarrow(
    clconv: Clconv, models: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    given = ("run", models / "classifier.onnx", photos, "-o", tmp_path / "t.parquet")
    clconv.fails(*given, saying="pip install 'clconv[parquet]'")


def test_pictures_of_any_size(clconv: Clconv, models: Path, photos: Path, tmp_path: Path) -> None:
    Image.new("RGB", (5, 6), "red").save(photos / "z.png")
    given = ("run", models / "brightener.onnx", photos, "-o")
    clconv.works(*given, tmp_path / "t.jsonl")
    last = json.loads((tmp_path / "t.jsonl").read_text().splitlines()[-1])["darker"]
    assert np.shape(last) == (3, 6, 5) and last[0][0][0] == 0.5
    clconv.fails(*given, tmp_path / "t.npz", saying="give --size")
    clconv.works(*given, tmp_path / "u.npz", "--size", "4x4")
    assert np.load(tmp_path / "u.npz")["darker"].shape == (10, 3, 4, 4)


def test_progress_without_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with PictureBar(10_000, 0) as bar:
        for done in range(1, 1201):
            now = done / 100
            bar.at(done)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "500 of 10,000 pictures, 100.0/s, 95 s left".replace("95 s", duration(95)),
        "1,000 of 10,000 pictures, 100.0/s, 90 s left".replace("90 s", duration(90)),
    ]
    spans = (0.42, 4.4, 200, 7500)
    assert [duration(s) for s in spans] == ["0.4 s", "4 s", "3 min", "2 h 05 min"]
    assert PictureBar(1, 0).summary(1).startswith("1 picture in ")
