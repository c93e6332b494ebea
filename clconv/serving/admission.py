"""Who may come in: how many requests are in the house, how many bytes they hold, and whether the server stops."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from clconv.serving.refused import TOO_LARGE, Refused, busy


@dataclasses.dataclass(frozen=True)
class Limits:
    """requests: that are read, wait or run at a time. body: most bytes of one request. bytes: of all requests together.
    seconds: in which a request's body must have come."""

    requests: int = 256
    body: int = 64 * 2**20
    bytes: int = 2**30
    seconds: float = 60.0

    @property
    def held(self) -> int:
        """Bytes of all requests together; the largest request must have room."""
        return max(self.bytes, self.body)


class Admission:
    """Counts requests from before their body is read until their answer is made. Used from one thread, the event loop's."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.requests = self.held = 0
        self.stopping = False
        self._tasks: set[asyncio.Task[Any]] = set()

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Around what a task does for a request, from which abandon() frees it by Refused."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if task in self._tasks:
                raise
            if hasattr(task, "uncancel"):  # Python 3.11 counts
                task.uncancel()
            raise busy("the server stops and had no time for this request") from None
        finally:
            self._tasks.discard(task)

    def abandon(self) -> int:
        """Ends all requests that are at work; how many those are."""
        tasks = list(self._tasks)
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        return len(tasks)

    @contextlib.contextmanager
    def admitted(self, length: int | None) -> Iterator[AdmittedRequest]:
        """A place for a request whose body has this length, None if it does not say. Raises Refused where there is none."""
        limits = self.limits
        if self.stopping:
            raise busy("the server stops; ask another one")
        if length is not None and length > limits.body:
            raise too_large(limits)
        if self.requests >= limits.requests:
            raise busy(
                f"{self.requests} requests are at work and more may not wait (--max-queue); try again"
            )
        slot = AdmittedRequest(self, length)
        self.requests += 1
        try:
            slot.hold(length or 0)
            yield slot
        finally:
            self.requests -= 1
            slot.free()


class AdmittedRequest:
    """A request that is in the house, with the bytes it holds."""

    def __init__(self, admission: Admission, announced: int | None) -> None:
        self._admission, self._announced = admission, announced
        self._held = self._came = 0

    def came(self, count: int) -> None:
        """More bytes of its body. Raises Refused where they are too many."""
        self._came += count
        if self._came > self._admission.limits.body:
            raise too_large(self._admission.limits)
        if self._announced is None:
            self.hold(count)

    def hold(self, count: int) -> None:
        owner = self._admission
        if owner.held + count > owner.limits.held:
            raise busy(
                "the requests that are at work hold all the memory there is for them; try again"
            )
        owner.held += count
        self._held += count

    def free(self) -> None:
        self._admission.held -= self._held
        self._held = 0


def too_large(limits: Limits) -> Refused:
    """What is said of a body beyond the limit."""
    return Refused(
        TOO_LARGE,
        f"the request is larger than {limits.body:,} bytes: send fewer rows, or start the server with a larger "
        "--max-request-size",
    )
