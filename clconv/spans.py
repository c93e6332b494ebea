"""Where time goes: what runs inside `with span(name)` is timed while somebody records it, and costs next to nothing
else."""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager

from clconv.records import record


@record(frozen=True)
class Span:
    """begin, end: seconds of time.perf_counter(). inside: index of the span around it, -1 for none."""

    name: str
    begin: float
    end: float
    inside: int = -1

    @property
    def seconds(self) -> float:
        return self.end - self.begin


class Recording:
    """The spans of one thread, in the order in which they began. One that has not ended yet ends where it began."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._current = -1

    @contextlib.contextmanager
    def span(self, name: str) -> Iterator[None]:
        around, index = self._current, len(self.spans)
        begin = time.perf_counter()
        self.spans.append(Span(name, begin, begin, around))
        self._current = index
        try:
            yield
        finally:
            self._current = around
            self.spans[index] = Span(name, begin, time.perf_counter(), around)

    def outermost(self, beginning: str) -> list[Span]:
        """The spans whose names begin so, but for those inside another one of them."""
        found = []
        covered: list[bool] = []  # whether a span is one of them, or inside one
        for span in self.spans:
            around = span.inside >= 0 and covered[span.inside]
            wanted = span.name.startswith(beginning)
            covered.append(around or wanted)
            if wanted and not around:
                found.append(span)
        return found

    def own_seconds(self) -> dict[str, float]:
        """Seconds by name, without those of the spans inside: they add up to what was recorded."""
        own = [span.seconds for span in self.spans]
        for span in self.spans:
            if span.inside >= 0:
                own[span.inside] -= span.seconds
        found: dict[str, float] = {}
        for span, seconds in zip(self.spans, own, strict=True):
            found[span.name] = found.get(span.name, 0.0) + seconds
        return found


_current: contextvars.ContextVar[Recording | None] = contextvars.ContextVar("spans", default=None)
_UNRECORDED = contextlib.nullcontext()


def span(name: str) -> AbstractContextManager[None]:
    """A block to be timed under a name, if this thread records."""
    recording = _current.get()
    return _UNRECORDED if recording is None else recording.span(name)


@contextlib.contextmanager
def recorded() -> Iterator[Recording]:
    """Records what this thread does in the block. The threads that it starts are not recorded."""
    recording = Recording()
    token = _current.set(recording)
    try:
        yield recording
    finally:
        _current.reset(token)
