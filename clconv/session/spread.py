"""Jobs spread over workers by measured speed, results in the order of the jobs."""

from __future__ import annotations

import collections
import dataclasses
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

# Jobs that were taken from the source and whose results nobody has yet: memory is bounded by it.
_MOST_AHEAD = 32
_NEW = 0.3  # weight of the latest time in a worker's time


def in_order(
    workers: Sequence[Callable[[Job], Result]], jobs: Iterable[Job]
) -> Iterator[tuple[Job, Result]]:
    """Each job with its result, in the order of the jobs; every worker runs in a thread of its own.

    Jobs are taken from the iterable in the thread of whoever asks for results, a few ahead, so that making a job and
    computing others overlap. An idle worker takes the next job, except where the others, by the times measured so far,
    would finish all that is left sooner, and except where it is so much slower than the fastest (32 times) that the
    others would wait for it. An exception of a worker or of the iterable is raised in its turn.
    """
    spread = _Spread(workers, iter(jobs))
    try:
        yield from spread.results()
    finally:
        spread.stop()


@dataclasses.dataclass
class _Task(Generic[Job, Result]):
    job: Job
    done: bool = False
    result: Result | None = None
    error: BaseException | None = None


@dataclasses.dataclass
class _Clock:
    """How long a worker takes for a job, in seconds; None before its first."""

    seconds: float | None = None
    runs: int = 0
    begun: float | None = None

    def ended(self) -> None:
        assert self.begun is not None
        took = time.perf_counter() - self.begun
        # The first run may compile kernels.
        if self.seconds is None or self.runs == 1:
            self.seconds = took
        else:
            self.seconds += _NEW * (took - self.seconds)
        self.runs += 1
        self.begun = None

    def left(self, now: float) -> float:
        """Seconds until it is free."""
        if self.begun is None or self.seconds is None:
            return 0.0
        return max(0.0, self.begun + self.seconds - now)


class _Spread(Generic[Job, Result]):
    def __init__(self, workers: Sequence[Callable[[Job], Result]], jobs: Iterator[Job]) -> None:
        self._jobs = jobs
        self._change = threading.Condition()
        self._waiting: collections.deque[_Task[Job, Result]] = collections.deque()
        self._ahead: collections.deque[_Task[Job, Result]] = collections.deque()
        self._exhausted = self._stopped = False
        self._error: BaseException | None = None
        self._clocks = [_Clock() for _ in workers]
        self._threads = [
            threading.Thread(target=self._work, args=(i, worker), daemon=True)
            for i, worker in enumerate(workers)
        ]
        for thread in self._threads:
            thread.start()

    def results(self) -> Iterator[tuple[Job, Result]]:
        while True:
            with self._change:
                while self._must_wait():
                    self._change.wait()
                ready = bool(self._ahead) and self._ahead[0].done
                task = self._ahead.popleft() if ready else None
            if task is not None:
                if task.error is not None:
                    raise task.error
                yield task.job, task.result  # type: ignore[misc]
            elif not self._exhausted:
                self._take()
            else:
                break
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Jobs that run are waited for, the others dropped."""
        with self._change:
            self._stopped = True
            self._waiting.clear()
            self._change.notify_all()
        for thread in self._threads:
            thread.join()

    def _must_wait(self) -> bool:
        if self._ahead and self._ahead[0].done:
            return False
        if self._exhausted:
            return bool(self._ahead)
        return len(self._ahead) >= self._most_ahead()

    def _most_ahead(self) -> int:
        """While the slowest has one job, the fastest must find enough of them."""
        count = len(self._clocks)
        known = [c.seconds for c in self._clocks if c.seconds]
        ratio = max(known) / min(known) if known else 1.0
        return min(max(2 * count + 1, math.ceil(ratio) + count + 1), _MOST_AHEAD + count)

    def _take(self) -> None:
        """One more job from the source, which may take its time."""
        try:
            task: _Task[Job, Result] | None = _Task(next(self._jobs))
        except StopIteration:
            task = None
        except BaseException as reason:
            if not isinstance(reason, Exception):
                raise
            task, self._error = None, reason
        with self._change:
            if task is None:
                self._exhausted = True
            else:
                self._waiting.append(task)
                self._ahead.append(task)
            self._change.notify_all()

    def _work(self, number: int, worker: Callable[[Job], Result]) -> None:
        clock = self._clocks[number]
        while True:
            with self._change:
                while not self._stopped and not self._takes(number):
                    if self._exhausted and not self._waiting:
                        return
                    self._change.wait()
                if self._stopped:
                    return
                task = self._waiting.popleft()
                clock.begun = time.perf_counter()
            try:
                task.result = worker(task.job)
            except BaseException as reason:
                task.error = reason
            with self._change:
                clock.ended()
                task.done = True
                self._change.notify_all()

    def _takes(self, number: int) -> bool:
        """Whether a worker that is idle should take the next job."""
        own = self._clocks[number].seconds
        if not self._waiting or own is None:
            return bool(self._waiting)
        others = [c for i, c in enumerate(self._clocks) if i != number and c.seconds]
        fastest = min((c.seconds or 0.0 for c in others), default=own)
        if own > _MOST_AHEAD * fastest:
            return False
        return not self._exhausted or not others or own <= self._without(others)

    def _without(self, others: list[_Clock]) -> float:
        """Seconds until these have done all that waits."""
        now = time.perf_counter()
        free = [c.left(now) for c in others]
        last = 0.0
        for _ in self._waiting:
            ends = [at + (c.seconds or 0.0) for at, c in zip(free, others, strict=True)]
            last = min(ends)
            free[ends.index(last)] = last
        return last
