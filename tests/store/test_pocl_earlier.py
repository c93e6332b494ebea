"""Of the programs that lie in PoCL's folder, those of the kernels at hand are looked at, and no others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clconv.store import pocl_files
from clconv.store.pocl_earlier import Earlier
from clconv.store.pocl_folder import Place
from clconv.store.pocl_programs import Programs
from tests.store.pocl import fresh  # noqa: F401
from tests.store.test_pocl import SOURCE, SYMBOL, age, bitcode, compiled


def _built(root: Path, name: str, symbol: str, launched: bool) -> Path:
    folder = root / name[:2] / name[2:]
    folder.mkdir(parents=True)
    (folder / "program.bc").write_bytes(bitcode(symbol.encode()))
    if launched:
        (folder / symbol / "1-1-1").mkdir(parents=True)
    return folder


def test_programs_are_found_by_their_kernels(root: Path) -> None:
    launched = _built(root, "AAAA", SYMBOL, True)
    idle = _built(root, "AABB", SYMBOL, False)
    cut = _built(root, "AACC", "k_3", False)
    os.truncate(cut / "program.bc", 6)
    _built(root, "BBAA", "k_2", True)
    _built(root, "BBBB", "k_2", False)
    assert {*Earlier(root).of([SYMBOL])} == {launched, idle, cut}


def test_what_has_other_kernels_is_not_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be tens of thousands."""
    age(own := compiled(root))
    age(other := _built(root, "BBAA", "k_2", True))
    os.truncate(other / "program.bc", 6)
    read = []
    files_of = pocl_files.files_of
    monkeypatch.setattr(
        "clconv.store.pocl_programs.files_of",
        lambda folder: read.append(folder) or files_of(folder),
    )
    Programs(Place(root)).check(SOURCE, [SYMBOL])
    assert read == [own] and other.exists() and not own.exists()  # nobody recorded it
