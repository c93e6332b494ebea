"""What a terminal shows while networks are loaded: a bar that goes once they are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from clconv.cli.console import stderr


class Steps:
    """A bar on stderr: say() names what goes on, compiling() is what load() takes as its progress."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None)

    def say(self, what: str) -> None:
        """Something of unknown length begins."""
        self._bar.reset(self._task, total=None, description=what)

    def compiling(self, done: int, total: int) -> None:
        self._bar.update(self._task, description="compiling kernels", completed=done, total=total)


@contextlib.contextmanager
def steps(first: str) -> Iterator[Steps]:
    """The bar for as long as the block lasts; nothing where stderr is no terminal."""
    console = stderr()
    columns = (
        SpinnerColumn(spinner()),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        shown = Steps(bar)
        shown.say(first)
        yield shown


def spinner() -> str:
    """The name of one that stderr can show."""
    return "dots" if stderr().encoding.startswith("utf") else "line"
