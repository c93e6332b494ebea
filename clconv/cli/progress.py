"""What a user sees while a command works: a bar that goes at the end, or a line now and then where there is no terminal."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from clconv.cli.console import remark, stderr

_SECONDS = 4.0  # between lines where stderr is no terminal


class Steps:
    """What goes on, on stderr: say() names it, compiling() is what load() takes as its progress."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None)
        self.now = self._said = ""

    def say(self, what: str) -> None:
        """Something of unknown length begins."""
        self._bar.reset(self._task, total=None, description=what)
        self.now = self._said = what

    def count(self, what: str, done: int, total: int) -> None:
        """So many of a known number are done."""
        self.now = f"{what}: {done} of {total}"
        self._bar.update(self._task, description=self.now, completed=done, total=total)

    def compiling(self, done: int, total: int) -> None:
        if done < total:
            self.count("compiling kernels", done, total)
        else:  # what goes on then is what was said before
            self.say(self._said)


@contextlib.contextmanager
def steps(first: str) -> Iterator[Steps]:
    """A bar for as long as the block lasts; where stderr is no terminal a line every few seconds, the first after
    four: what is quick is quiet."""
    console = stderr()
    columns = (
        SpinnerColumn(spinner()),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
    )
    over = threading.Event()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        shown = Steps(bar)
        shown.say(first)
        if console.is_terminal:
            yield shown
            return
        teller = threading.Thread(target=_tell, args=(shown, over), daemon=True)
        teller.start()
        try:
            yield shown
        finally:
            over.set()
            teller.join()


def _tell(shown: Steps, over: threading.Event) -> None:
    started = time.monotonic()
    while not over.wait(_SECONDS):
        remark(f"{shown.now} ({time.monotonic() - started:.0f} s)")


def spinner() -> str:
    """The name of one that stderr can show."""
    return "dots" if stderr().encoding.startswith("utf") else "line"
