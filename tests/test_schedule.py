"""A run of the tests ends where one of them ends its process, and that test alone has failed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_CONFTEST = """
from tests.schedule import ByOperator

def pytest_xdist_make_scheduler(config, log):
    return ByOperator(config, log)
"""
_TESTS = """
import os, pytest

@pytest.mark.parametrize("i", range(3))
def test_first(i): pass

@pytest.mark.parametrize("i", range(4))
def test_deadly(i):
    if i in {deadly}:
        os.abort()

@pytest.mark.parametrize("i", range(3))
def test_last(i): pass

def test_more(): pass
"""


@pytest.mark.parametrize(
    "deadly",
    [(1,), *(pytest.param(d, marks=pytest.mark.slow) for d in ((3,), (0, 2), (0, 1, 2, 3)))],
)
def test_a_process_that_dies_fails_one_test(tmp_path: Path, deadly: tuple[int, ...]) -> None:
    (tmp_path / "conftest.py").write_text(_CONFTEST)
    (tmp_path / "test_it.py").write_text(_TESTS.replace("{deadly}", str(deadly)))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:faulthandler", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "PYTEST_ADDOPTS": ""},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert f"{len(deadly)} failed, {11 - len(deadly)} passed" in done.stdout, done.stdout
