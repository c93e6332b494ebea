"""Dynamic batching: requests that wait for the device at the same time, and are alike, run as one batch."""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future

import numpy as np

from clconv.debug import LOGGER
from clconv.serving.refused import busy
from clconv.serving.sizes import rows_to_take

# Of which something is remembered; requests may come in any number of shapes.
MOST_KINDS = 1000

Arrays = dict[str, np.ndarray]
Answer = Arrays | BaseException
# Runs requests of one kind; one answer to each.
RunBatch = Callable[[Sequence[Arrays], Hashable], Sequence[Answer]]


@dataclasses.dataclass(frozen=True)
class BatchRun:
    """What a batch was, for the metrics. Times in seconds; waited: of each request, from its arrival to the run."""

    rows: int
    seconds: float
    waited: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class _Waiting:
    feeds: Arrays
    rows: int
    kind: Hashable
    answer: Future[Arrays]
    arrived: float


class Batcher:
    """A queue of requests with a thread for each device, which runs the oldest with all that may join it.

    runs: for each device what runs a batch. sizes(kind): how many rows of requests of this kind may run at once, in
    rising order; (1,) for those that run alone. delay: the most seconds that a request waits for others, from its arrival;
    one that has waited so long while the device was busy runs at once. on_batch: called after each batch.

    A request waits only as long as others are expected: as many rows as there were when the last batch ended, those that
    ran and those that waited, because clients come back when they have their answer. So a client that is alone never
    waits, and four that are as many as a batch holds a quarter of do not wait for the other three quarters.
    """

    def __init__(
        self,
        runs: Sequence[RunBatch],
        sizes: Callable[[Hashable], Sequence[int]],
        delay: float,
        on_batch: Callable[[BatchRun], None] = lambda ran: None,
    ) -> None:
        self._sizes, self._delay, self._on_batch = sizes, delay, on_batch
        self._change = threading.Condition()
        self._waiting: collections.deque[_Waiting] = collections.deque()
        self._expected: dict[Hashable, int] = {}
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, args=(run,), daemon=True, name=f"batches {i}")
            for i, run in enumerate(runs)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, feeds: Arrays, rows: int, kind: Hashable) -> Future[Arrays]:
        """The answer to come: outputs by name, or the error of this request. cancel() takes it out of the queue, unless
        it runs. kind: requests of the same kind may be joined along axis 0. Raises Refused after close()."""
        answer: Future[Arrays] = Future()
        with self._change:
            if self._closed:
                raise busy("the server stops")
            self._waiting.append(_Waiting(feeds, rows, kind, answer, time.monotonic()))
            self._change.notify_all()
        return answer

    @property
    def waiting(self) -> int:
        """Requests that no device has taken yet."""
        return len(self._waiting)

    @property
    def works(self) -> bool:
        """Whether requests are taken and run."""
        return not self._closed and all(thread.is_alive() for thread in self._threads)

    def close(self, finish: bool = True) -> None:
        """Takes no more requests and waits for the threads. finish: whether those that wait are run first; otherwise they
        get Refused for an answer."""
        with self._change:
            self._closed = True
            dropped = () if finish else tuple(self._waiting)
            if not finish:
                self._waiting.clear()
            self._change.notify_all()
        for one in dropped:
            if one.answer.set_running_or_notify_cancel():
                one.answer.set_exception(busy("the server stops and had no time for this request"))
        if finish:
            for thread in self._threads:
                thread.join()

    def _work(self, run: RunBatch) -> None:
        while True:
            batch = self._next()
            if batch is None:
                return
            taken = [one for one in batch if one.answer.set_running_or_notify_cancel()]
            if taken:
                self._answer(run, taken)

    def _next(self) -> list[_Waiting] | None:
        """The oldest request with those that join it, out of the queue; None at the end."""
        with self._change:
            while True:
                while not self._waiting:
                    if self._closed:
                        return None
                    self._change.wait()
                first = self._waiting[0]
                sizes = self._sizes(first.kind)
                alike = self._alike(first, sizes[-1])
                rows = sum(one.rows for one in alike)
                left = first.arrived + self._delay - time.monotonic()
                enough = min(sizes[-1], self._expected.get(first.kind, 1))
                if rows >= enough or left <= 0 or self._closed:
                    return self._taken(alike, rows_to_take(sizes, rows))
                self._change.wait(left)

    def _alike(self, first: _Waiting, most: int) -> list[_Waiting]:
        """The first and those that may join it, in the order of their arrival, as far as `most` rows hold them."""
        found, rows = [first], first.rows
        for one in self._waiting:
            if rows >= most:
                break
            if one is not first and one.kind == first.kind and rows + one.rows <= most:
                found.append(one)
                rows += one.rows
        return found

    def _taken(self, alike: list[_Waiting], rows: int) -> list[_Waiting]:
        """The first of them, and of the others as many as the rows hold; they leave the queue."""
        batch, held = [alike[0]], alike[0].rows
        for one in alike[1:]:
            if held + one.rows <= rows:
                batch.append(one)
                held += one.rows
        gone = set(map(id, batch))
        self._waiting = collections.deque(one for one in self._waiting if id(one) not in gone)
        self._change.notify_all()  # another device may take what is left
        return batch

    def _answer(self, run: RunBatch, batch: list[_Waiting]) -> None:
        began = time.monotonic()
        answers: Sequence[Answer]
        try:
            answers = run([one.feeds for one in batch], batch[0].kind)
            assert len(answers) == len(batch)
        except BaseException as reason:
            LOGGER.exception("a batch failed")
            answers = [reason] * len(batch)
        rows = sum(one.rows for one in batch)
        self._expect(batch[0].kind, rows)
        for one, answer in zip(batch, answers, strict=True):
            if isinstance(answer, BaseException):
                one.answer.set_exception(answer)
            else:
                one.answer.set_result(answer)
        seconds = time.monotonic() - began
        self._on_batch(BatchRun(rows, seconds, tuple(began - one.arrived for one in batch)))

    def _expect(self, kind: Hashable, ran: int) -> None:
        """A batch of so many rows has ended, and nobody has its answer yet."""
        with self._change:
            if len(self._expected) >= MOST_KINDS:
                self._expected.clear()
            waiting = sum(one.rows for one in self._waiting if one.kind == kind)
            self._expected[kind] = ran + waiting
