"""Fixtures of tests of what is kept on disk."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "kcache").mkdir(mode=0o700)
    return tmp_path / "kcache"
