"""Requests: several runs of a session in flight, for those who do not wait for one before they ask for the next."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from clconv.device.info import DeviceInfo
from clconv.errors import ClosedError
from clconv.runtime.process import opencl
from clconv.session.inputs import Feeds
from clconv.session.opened import Closable
from clconv.session.wanted import Outputs, Wanted

WORKERS = 3  # one prepares its inputs while the device computes for two others
MOST_WAITING = 8  # requests of submit() that are not done, until it waits itself

Results = dict[str, Any]


class _Pool:
    """The threads of a session's requests, started with the first of them."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(WORKERS, "clconv requests")
        self._room = threading.BoundedSemaphore(MOST_WAITING)

    def put(self, job: Callable[[], Results], bounded: bool) -> Future[Results]:
        """bounded: waits until fewer than MOST_WAITING such requests are not done, unless it is one of its own threads that
        asks, as callbacks of futures do: they make the room."""
        bounded = bounded and not self._is_own_thread()
        if bounded:
            self._room.acquire()
        try:
            future = self._executor.submit(job)
        except RuntimeError:
            if bounded:
                self._room.release()
            raise ClosedError("the session was closed meanwhile") from None
        if bounded:
            future.add_done_callback(lambda _: self._room.release())
        return future

    def end(self) -> None:
        """Waits for what runs, unless it is one of its own threads that asks."""
        self._executor.shutdown(wait=not self._is_own_thread())

    def _is_own_thread(self) -> bool:
        return threading.current_thread() in self._executor._threads


class Requests(Closable):
    """submit() and run_async() of a session."""

    device: DeviceInfo
    _pool: _Pool | None = None
    _pool_lock: threading.Lock

    def submit(
        self, feeds: Feeds, outputs: Outputs | None = None, *, wait_for: Any = ()
    ) -> Future[Results]:
        """Like run(), in another thread: a `concurrent.futures.Future` of what it returns or raises.

        Requests run in the order in which they came, and while the device computes for one, the inputs of the next are
        prepared. Eight may wait; with more this call waits until one of them is done, but not in a callback of such a
        future. `future.cancel()` takes one back that has not begun. The arrays of `feeds` must stay untouched until the future is done. close() waits for requests
        that have begun, the others raise ClosedError. Raises ClosedError after close().
        """
        return self._requests().put(lambda: self._served(feeds, outputs, wait_for), bounded=True)

    async def run_async(
        self, feeds: Feeds, outputs: Outputs | None = None, *, wait_for: Any = ()
    ) -> Results:
        """Like run(), to be awaited: `await session.run_async(x)`. The event loop goes on meanwhile. Requests are done as
        with submit(), any number may wait; a task that is cancelled takes its request back if it has not begun."""
        import asyncio  # only now: it loads much

        job = self._requests().put(lambda: self._served(feeds, outputs, wait_for), bounded=False)
        return await asyncio.wrap_future(job)

    def _served(self, feeds: Feeds, outputs: Outputs | None, wait_for: Any) -> Results:
        """A CPU has no time to spare while it computes: there a plain run costs less."""
        if self.device.kind == "cpu":
            return self.run(feeds, outputs, wait_for=wait_for)
        return self._requested(feeds, self._wanted(outputs), wait_for)

    def _wanted(self, outputs: Outputs | None) -> Wanted:
        return Wanted.of(outputs, self._network.face.returned)

    def run(self, feeds: Feeds, outputs: Outputs | None = None, *, wait_for: Any = ()) -> Results:
        raise NotImplementedError

    def _requested(self, feeds: Feeds, wanted: Wanted, wait_for: Any) -> Results:
        raise NotImplementedError

    def _requests(self) -> _Pool:
        self._opened  # noqa: B018 - raises if it is closed
        opencl.check()  # the threads of a process that was forked are not here
        with self._pool_lock:
            if self._pool is None:
                self._pool = _Pool()
            return self._pool

    def close(self) -> None:
        super().close()
        with self._pool_lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.end()
