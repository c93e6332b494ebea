"""Folders of the test's own, as PoCL's cache takes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clconv import errors
from clconv.store import pocl_folder
from clconv.store.pocl_folder import settle_folder


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(errors, "_warned", set())
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path / "ours"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(pocl_folder.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    for name in ("XDG_CACHE_HOME", "POCL_CACHE_DIR"):
        monkeypatch.setenv(name, "")
    settle_folder.cache_clear()
    yield
    settle_folder.cache_clear()
