"""What a user sees while a command works."""

from __future__ import annotations

import time

import pytest

from clconv.cli import progress


def test_lines_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_SECONDS", 0.05)
    with progress.steps("loading the network") as shown:
        time.sleep(0.12)
        shown.compiling(3, 9)
        time.sleep(0.12)
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert lines[0].startswith("loading the network (") and printed.out == ""
    assert lines[-1].startswith("compiling kernels: 3 of 9 (") and len(lines) >= 3


def test_what_is_quick_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.steps("loading the network"):
        pass
    assert capsys.readouterr().err == ""


def test_a_bar_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress.steps("loading the network") as shown:
        shown.compiling(3, 9)
    printed = capsys.readouterr()
    assert "compiling kernels: 3 of 9" in printed.err and printed.out == ""
