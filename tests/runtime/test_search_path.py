"""Processes that we start find the modules that this one does, and those of the standard library first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clconv.runtime.search_path import search_path


def test_all_is_there_in_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    found = search_path()
    assert sorted(found) == sorted(dict.fromkeys(sys.path))
    standard = found.index(str(tmp_path))
    assert os.path.dirname(os.__file__) in found[:standard]
    assert found[standard:] == [p for p in dict.fromkeys(sys.path) if p not in found[:standard]]


def test_no_folder_in_front_hides_the_standard_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "typing.py").write_text("raise ImportError")
    (tmp_path / "mine.py").write_text("import typing")
    monkeypatch.syspath_prepend(tmp_path)
    for given in (
        {"PYTHONPATH": os.pathsep.join(filter(None, search_path()))},
        {"PATHS": repr(search_path())},
    ):
        code = (
            "import os, sys; sys.path[:] = eval(os.environ.get('PATHS', 'sys.path')); import mine"
        )
        subprocess.run([sys.executable, "-c", code], env={**os.environ, **given}, check=True)
