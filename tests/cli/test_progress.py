"""What a user sees while a command works."""

from __future__ import annotations

import re
import threading

import pytest

from clconv.cli import progress
from clconv.cli.training.bar import training_bar
from tests.patience import until


def test_lines_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_SECONDS", 0.01)
    printed = ""

    def is_told(line: str) -> bool:
        nonlocal printed
        now = capsys.readouterr()
        assert now.out == ""
        printed += now.err
        return printed.count(f"{line} (") >= 2

    with progress.steps("loading the network") as shown:
        until(lambda: is_told("loading the network"))
        shown.compiling(3, 9)
        until(lambda: is_told("compiling kernels: 3 of 9"))
    kinds = [line.partition(" (")[0] for line in (printed + capsys.readouterr().err).splitlines()]
    assert kinds == sorted(kinds, key=["loading the network", "compiling kernels: 3 of 9"].index)


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


def test_training_says_that_it_compiles_until_its_first_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "_SECONDS", 0.01)
    said = list[str]()
    monkeypatch.setattr(progress, "remark", said.append)
    before = {*threading.enumerate()}
    with training_bar(2) as tell:
        until(lambda: len(said) > 1)
        tell(1, 1, 2, {"loss": 1.0})
        assert before.issuperset(threading.enumerate())  # who told has ended
    assert all(re.fullmatch(r"compiling kernels \(\d+ s\)", line) for line in said)
