"""What a user sees while a command works: a bar that goes at the end, or a line now and then where there is no terminal."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from clconv.cli.console import remark, stderr

_SECONDS = 4.0  # between lines where stderr is no terminal


class Seldom:
    """When a line is due where there is no bar: every so many seconds, the first after as many."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._last = seconds, time.monotonic()

    def is_due(self) -> bool:
        now = time.monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


def new_bar(*columns: ProgressColumn) -> Progress | None:
    """A bar on stderr that goes at its end; None where that is no terminal."""
    console = stderr()
    return Progress(*columns, console=console, transient=True) if console.is_terminal else None


class Status:
    """What goes on, on stderr: say() names it, compiling() is what load() takes as its progress."""

    def __init__(self, bar: Progress | None, first: str) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None) if bar else TaskID(0)
        self.say(first)

    def say(self, what: str) -> None:
        """Something of unknown length begins."""
        if self._bar:
            self._bar.reset(self._task, total=None, description=what)
        self.now = self._said = what

    def count(self, what: str, done: int, total: int) -> None:
        """So many of a known number are done."""
        self.now = f"{what}: {done} of {total}"
        if self._bar:
            self._bar.update(self._task, description=self.now, completed=done, total=total)

    def compiling(self, done: int, total: int) -> None:
        if done < total:
            self.count("compiling kernels", done, total)
        else:  # what goes on then is what was said before
            self.say(self._said)


@contextlib.contextmanager
def steps(first: str) -> Iterator[Status]:
    """A bar for as long as the block lasts; where stderr is no terminal a line every few seconds, the first after
    four: what is quick is quiet."""
    bar = new_bar(
        SpinnerColumn(spinner()),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
    )
    shown = Status(bar, first)
    if bar is not None:
        with bar:
            yield shown
        return
    over = threading.Event()
    teller = threading.Thread(target=_tell, args=(shown, over), daemon=True)
    teller.start()
    try:
        yield shown
    finally:
        over.set()
        teller.join()


def _tell(shown: Status, over: threading.Event) -> None:
    started = time.monotonic()
    while not over.wait(_SECONDS):
        remark(f"{shown.now} ({time.monotonic() - started:.0f} s)")


def spinner() -> str:
    """The name of one that stderr can show."""
    return "dots" if stderr().encoding.startswith("utf") else "line"
