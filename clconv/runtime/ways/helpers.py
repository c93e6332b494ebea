"""Threads of clconv's own that do a launch together with the thread that asks for it. See kernels/together.mako."""

from __future__ import annotations

import atexit
import os
import threading

import numpy as np

from clconv.debug import say
from clconv.planning.persistent import HELPER, LINE, TOGETHER
from clconv.runtime.opencl import Function

_LINES = 3  # of shared memory
_MOST = 200  # the gate counts to 255
# Looks for the next run before a helper sleeps, each some 40 ns: some tens of microseconds, in which a program that runs a
# network again and again comes back. Who runs one now and then pays no more than this for each run.
_LOOKS = 1000
_PATIENCE = 2.0  # seconds for helpers that were told to end


def table_of(*words: int) -> np.ndarray:
    """Words of 64 bits, from the beginning of a cache line on."""
    memory = np.zeros(len(words) + 8, np.uint64)
    begin = -memory.ctypes.data % 64 // 8
    table = memory[begin : begin + len(words)]
    table[:] = words
    return table


class Helpers:
    """Threads that wait for launches, without Python's lock. symbol: of any persistent launch, whose function they run.
    Raises NoFunction.

    lock: held by whoever lets them work. place: where their shared memory is. are_gone: whether they were ended.
    """

    def __init__(self, symbol: str, count: int) -> None:
        self.lock, self.are_gone = threading.Lock(), False
        self._function = Function(symbol, f"{symbol}_{HELPER}")
        self._wake = Function(symbol, f"{symbol}_{TOGETHER}")
        self._shared = table_of(*[0] * (_LINES * LINE // 2))
        self._numbers = self._shared.view(np.int32)
        self._numbers[0], self._numbers[3] = 256, _LOOKS  # closed
        self.place, self._process = self._shared.ctypes.data, os.getpid()
        self._threads = [
            threading.Thread(
                target=self._function.call,
                args=(self.place,),
                daemon=True,
                name=f"clconv helper {i}",
            )
            for i in range(min(count, _MOST))
        ]
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        return len(self._threads)

    def end(self) -> None:
        """Ends the threads, for good, once they have done what they are at."""
        self.are_gone = True
        if self._process != os.getpid() or not self.lock.acquire(timeout=_PATIENCE):
            return
        try:
            self._numbers[2] = 1
            counter = table_of(0)
            nothing = table_of(0, 0, 0, 0, counter.ctypes.data, 1, self.place, self._wake.address)
            self._wake.call(nothing.ctypes.data)
        finally:
            self.lock.release()
        for thread in self._threads:
            thread.join(_PATIENCE)


_lock = threading.Lock()
_helpers: Helpers | None = None


def helpers_for(symbol: str, count: int) -> Helpers:
    """The threads of this process; the first who asks says how many. Raises NoFunction."""
    global _helpers
    with _lock:
        if _helpers is None:
            _helpers = Helpers(symbol, count)
            atexit.register(_helpers.end)
            say(2, f"{count} threads wait for launches")
        return _helpers


def _forked() -> None:
    """In a child there are no such threads; who had the lock may not be there either."""
    global _lock, _helpers
    _lock, _helpers = threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
