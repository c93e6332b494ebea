"""What stands in for importlib.metadata while pyopencl is imported."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from clconv.runtime.opencl.versions import quick_versions


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of packages; importlib.metadata is as if nobody had imported it."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "importlib.metadata", importlib.metadata)
    monkeypatch.delitem(sys.modules, "importlib.metadata")
    (tmp_path / "some-1.2rc3.dist-info").mkdir()
    return tmp_path


@pytest.mark.usefixtures("stand_in")
def test_versions_are_those_of_pips_folders() -> None:
    with quick_versions():
        assert sys.modules["importlib.metadata"].version("some") == "1.2rc3"
    assert "importlib.metadata" not in sys.modules


@pytest.mark.usefixtures("stand_in")
def test_all_else_is_the_module_itself() -> None:
    with quick_versions():
        given = sys.modules["importlib.metadata"]
        with pytest.raises(given.PackageNotFoundError):
            given.version("no such package")
        assert sys.modules["importlib.metadata"] is not given  # from now on the real one


def test_what_is_there_stays() -> None:
    before = sys.modules["importlib.metadata"]
    with quick_versions():
        assert sys.modules["importlib.metadata"] is before
