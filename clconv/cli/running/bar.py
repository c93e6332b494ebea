"""How far a run over many pictures is: a bar with rate and time left, or a line every few seconds."""

from __future__ import annotations

import collections
import time
from types import TracebackType

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from clconv.cli.console import remark
from clconv.cli.progress import Seldom, new_bar

_EVERY = 5.0  # seconds between lines
_WINDOW = 60.0  # seconds over which the rate is measured


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


class PictureBar:
    """`with PictureBar(total, done) as bar:`, then bar.at(number of pictures dealt with)."""

    def __init__(self, total: int, done: int) -> None:
        self._total, self._first = total, done
        self._progress = new_bar(
            TextColumn("pictures"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn(),
            TextColumn("left"),
        )  # fmt: skip
        if self._progress:
            self._task = self._progress.add_task("", total=total, completed=done)
        self._began, self._seldom = time.monotonic(), Seldom(_EVERY)
        self._past: collections.deque[tuple[float, int]] = collections.deque()

    def __enter__(self) -> PictureBar:
        if self._progress:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type | None, reason: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress:
            self._progress.stop()

    def at(self, done: int) -> None:
        if self._progress:
            self._progress.update(self._task, completed=done)
            return
        now = time.monotonic()
        if not self._past:  # the first had to wait for compilers: rates count from here
            self._past.append((now, done))
        if now == self._past[0][0] or not self._seldom.is_due():
            return
        self._past.append((now, done))
        while len(self._past) > 2 and now - self._past[0][0] > _WINDOW:
            self._past.popleft()
        began, before = self._past[0]
        rate = (done - before) / (now - began)
        left = f", {duration((self._total - done) / rate)} left" if rate else ""
        self.say(f"{done:,} of {self._total:,} pictures, {rate:.1f}/s{left}")

    def say(self, line: str) -> None:
        """A line above the bar."""
        if self._progress:
            self._progress.console.print(line, soft_wrap=True)
        else:
            remark(line)

    def summary(self, done: int) -> str:
        took, new = max(time.monotonic() - self._began, 1e-9), done - self._first
        what = "picture" if new == 1 else "pictures"
        return f"{new:,} {what} in {duration(took)} ({new / took:.1f}/s)"


def duration(seconds: float) -> str:
    """As a person says it: 0.4 s, 12 s, 3 min, 2 h 05 min."""
    if seconds < 1:
        return f"{seconds:.1g} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
