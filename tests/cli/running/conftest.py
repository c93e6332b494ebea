"""Folders of pictures, and tables read back."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clconv.cli.pictures.listing import pictures


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Nine pictures, two of them in a folder, one that is none, and what is not for it."""
    folder = tmp_path / "photos"
    (folder / "b").mkdir(parents=True)
    for i in range(9):
        name = f"b/{i}.png" if i in (3, 4) else f"{'abc'[i % 3]}{i}.png"
        pixels = np.random.default_rng(i).integers(0, 256, (12, 14, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    (folder / "a9.jpg").write_text("no picture")
    (folder / "notes.txt").write_text("no picture either")
    (folder / ".hidden.png").write_text("nor this")
    return folder


def good(folder: Path) -> list[str]:
    return [p for p in pictures([str(folder)]) if not p.endswith(".jpg")]


def files_of(table: Path) -> list[str]:
    if table.suffix == ".csv":
        with table.open(newline="") as file:
            return [row["file"] for row in csv.DictReader(file)]
    if table.suffix == ".jsonl":
        return [json.loads(line)["file"] for line in table.read_text().splitlines()]
    if table.suffix == ".npz":
        return [str(name) for name in np.load(table)["file"]]
    import pyarrow.parquet

    return list(pyarrow.parquet.read_table(table)["file"].to_pylist())


def endings() -> list[Any]:
    parquet = pytest.param(
        ".parquet", marks=pytest.mark.skipif(not has_arrow(), reason="no pyarrow")
    )
    return [".csv", ".jsonl", ".npz", parquet]


def has_arrow() -> bool:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        return False
    return True


def scores_of(table: Path) -> tuple[list[str], np.ndarray]:
    names = files_of(table)
    if table.suffix == ".csv":
        with table.open(newline="") as file:
            rows = [[float(row[f"scores_{i}"]) for i in range(10)] for row in csv.DictReader(file)]
    elif table.suffix == ".jsonl":
        rows = [json.loads(line)["scores"] for line in table.read_text().splitlines()]
    elif table.suffix == ".npz":
        rows = np.load(table)["scores"]
    else:
        import pyarrow.parquet

        rows = pyarrow.parquet.read_table(table)["scores"].to_pylist()
    return names, np.array(rows)


def links(folder: Path, count: int) -> Path:
    """A folder with so many links to one picture."""
    folder.mkdir()
    Image.new("RGB", (64, 64), "red").save(folder.parent / "one.png")
    for i in range(count):
        (folder / f"{i:06}.png").symlink_to(folder.parent / "one.png")
    return folder
