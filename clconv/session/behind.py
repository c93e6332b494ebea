"""Work that nobody waits for: what is kept for the next start is written behind the first answer."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from clconv.debug import LOGGER

_NICE = 10  # so that runs come first
_lock = threading.Lock()
_pools: dict[int, ThreadPoolExecutor] = {}  # one, by the process


class Behind:
    """Work that a thread does as soon as it can, one after another; the end of the interpreter waits for it."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._own, self._done = os.getpid(), _submitted(work)

    def wait(self) -> None:
        """Returns once it is done. In a process that was forked meanwhile, which has no such thread, at once."""
        if self._own == os.getpid():
            wait([self._done])

    def then(self, call: Callable[[], None]) -> None:
        """Calls that once it is done."""
        self._done.add_done_callback(lambda _: call())


def _submitted(work: Callable[[], object]) -> Future[None]:
    try:
        return _pool().submit(_done, work)
    except RuntimeError:  # the interpreter ends, and takes no more
        done: Future[None] = Future()
        _done(work)
        done.set_result(None)
        return done


def _pool() -> ThreadPoolExecutor:
    with _lock:
        if os.getpid() not in _pools:
            _pools.clear()
            _pools[os.getpid()] = ThreadPoolExecutor(1, "clconv behind", _step_back)
        return _pools[os.getpid()]


def _step_back() -> None:
    if sys.platform == "linux":  # elsewhere it would be the whole process
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def _done(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception as reason:  # there is nobody to whom it could be told
        LOGGER.warning(
            "what was to be done behind the first answer failed: %r", reason, exc_info=True
        )
