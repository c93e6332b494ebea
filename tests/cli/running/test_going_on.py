"""Runs over folders that were interrupted, and go on."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from clconv.cli.pictures.listing import pictures
from clconv.cli.running import work
from clconv.cli.running.journal import Journal
from clconv.errors import ConfigError
from tests.cli.conftest import Clconv
from tests.cli.running.conftest import endings, files_of, links, scores_of
from tests.compat.models import classifier


@pytest.mark.parametrize("ending", endings())
def test_an_interrupted_run_goes_on(
    ending: str,
    clconv: Clconv,
    models: Path,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for i in range(40):
        (photos / f"d{i}.png").symlink_to(photos / f"b{(1, 7)[i % 2]}.png")
    given = ("run", models / "classifier.onnx", photos, "--batch", 2, "-o")
    whole, table = tmp_path / f"whole{ending}", tmp_path / f"table{ending}"
    clconv.works(*given, whole)
    read, calls = work.read_picture, []

    def interrupting(path: Path, *more: Any) -> Any:
        calls.append(path)
        if len(calls) == 40:
            raise KeyboardInterrupt
        return read(path, *more)

    monkeypatch.setattr(work, "read_picture", interrupting)
    monkeypatch.setattr(work, "threads", lambda: 0)
    result = clconv(*given, table)
    assert result.exit_code == 130 and "the same command goes on" in result.stderr
    part = tmp_path / f"table{ending}.part"
    assert not table.exists() and part.exists()
    for path in part.iterdir():  # what a kill in the middle of a row leaves
        with path.open("ab") as file:
            file.write(b"" if path.name == "run.json" else b'{"cut')
    clconv.fails(*given[:2], models, "-o", table, saying="no pictures")
    clconv.fails(*given[:-1], "--strict", "-o", table, saying="differs in options")
    monkeypatch.setattr(work, "read_picture", read)
    result = clconv(*given, table)
    assert result.exit_code == 0 and "goes on behind" in result.stderr, result.output
    assert not part.exists() and files_of(table) == files_of(whole)
    if ending == ".parquet":
        np.testing.assert_array_equal(scores_of(table)[1], scores_of(whole)[1])
    elif ending == ".npz":
        np.testing.assert_array_equal(np.load(table)["scores"], np.load(whole)["scores"])
    else:
        assert table.read_bytes() == whole.read_bytes()


def test_something_in_the_way(tmp_path: Path) -> None:
    folder = tmp_path / "t.csv.part"
    folder.mkdir()
    assert Journal(tmp_path / "t.csv", {"a": 1}).done == 0
    (folder / "mine").write_text("precious")
    with pytest.raises(ConfigError, match="in the way"):
        Journal(tmp_path / "t.csv", {"a": 1})
    assert (folder / "mine").read_text() == "precious"


def test_the_journal_goes_back_to_its_last_step(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "t", {"a": 1})
    journal.begin()
    journal.append("rows", b"one\n")
    journal.step(1)
    journal.append("rows", b"two\n")
    journal.append("more", b"x")
    journal.close()
    again = Journal(tmp_path / "t", {"a": 1})
    assert again.done == 1 and again.size("rows") == 4 and again.size("more") == 0
    again.append("rows", b"two\n")
    again.step(2)
    again.close()
    with (tmp_path / "t.part" / "rows").open("r+b") as file:
        file.truncate(5)  # the step says more than there is
    assert Journal(tmp_path / "t", {"a": 1}).done == 1
    with pytest.raises(ConfigError, match="differs in a"):
        Journal(tmp_path / "t", {"a": 2})


_KILLED = """
import os, signal
from clconv.cli import main
from clconv.cli.running.journal import Journal

append, count = Journal.append, 0

def killing(self, *what):
    global count
    count += 1
    append(self, *what)
    if count == 61:
        os.kill(os.getpid(), signal.SIGKILL)

Journal.append = killing
main()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_process_goes_on(tmp_path: Path, models: Path, clconv: Clconv) -> None:
    folder = links(tmp_path / "links", 400)
    onnx.save(classifier(), str(tmp_path / "m.onnx"))
    command = [
        "run",
        str(tmp_path / "m.onnx"),
        str(folder),
        "-o",
        str(tmp_path / "t.csv"),
        "--batch",
        "8",
    ]
    process = subprocess.run([sys.executable, "-c", _KILLED, *command], stderr=subprocess.PIPE)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert not (tmp_path / "t.csv").exists() and (tmp_path / "t.csv.part" / "steps.jsonl").exists()
    result = clconv(*command)
    assert result.exit_code == 0 and "goes on behind" in result.stderr
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == pictures([str(folder)])
    assert len({tuple(row.values())[1:] for row in rows}) == 1
