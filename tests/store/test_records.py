"""Records that would break a later load are refused where they are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clconv.store.files import Unusable
from clconv.store.records import read_records, write_records


@pytest.mark.parametrize(
    "number", ["1" + "0" * 400, "-1" + "0" * 400, str(2**63), "1" * 5000, "1e999", "-1e999", "NaN", "Infinity"]
)  # fmt: skip
def test_numbers_that_no_machine_has_are_refused(tmp_path: Path, number: str) -> None:
    path = tmp_path / "records.json"
    path.write_text(f'{{"format": 1, "records": [{{"a": {{"b": [{number}]}}}}]}}')
    with pytest.raises(Unusable, match="number"):
        read_records(path)


def test_records_come_back(tmp_path: Path) -> None:
    records = [{"a": 2**63 - 1, "b": -(2**63), "c": 1e300, "d": "x", "e": [True, None]}, {}]
    write_records(tmp_path / "records.json", records)
    assert read_records(tmp_path / "records.json") == records
    assert read_records(tmp_path / "nothing.json") == []


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "records.json"
    write_records(path, [{"a": 1}, {"b": "text"}])
    whole = path.read_bytes()
    for length in range(len(whole) - 1):  # the last byte is the end of the line
        path.write_bytes(whole[:length])
        with pytest.raises(Unusable):
            read_records(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "records.json")
    with pytest.raises(Unusable, match="no regular file"):
        read_records(tmp_path / "records.json")
