"""What forks and the end of the process mean for OpenCL: neither may find a thread of ours inside it."""

from __future__ import annotations

import _thread
import atexit
import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import NoReturn

from clconv.errors import ForkError

_POLL = 0.001  # seconds between two looks for threads that have not left yet
_SOON = 0.01  # seconds until an interrupt comes again
_PATIENCE = 2.0  # seconds for threads that were told to end: some catch whatever is raised


class Gate:
    """`with` this around calls into OpenCL that let other threads run, in any thread, also one inside another.

    Ends what cannot go well. After a fork a runtime's threads are gone, and whoever waits for one waits for ever:
    ForkError. And when the interpreter ends it stops its daemon threads wherever they come back to Python, which
    aborts the process if that is in a driver's C++ code: so the end waits until all have left, and whoever comes then
    is ended by SystemExit, which threads do not report.
    """

    def __init__(self) -> None:
        self._used = self._inherited = False
        self._ending: int | None = None  # the thread in which the interpreter ends
        self._begin()

    def _begin(self) -> None:
        self._depth: dict[int, int] = {}  # how often each thread is inside, by its identity
        self._leaving: set[int] = set()

    def check(self) -> None:
        """ForkError where OpenCL cannot be used any more. Before any lock is taken: a thread that is not here may
        hold it."""
        if self._inherited:
            raise ForkError(
                f"process {os.getpid()} was forked from one that had used OpenCL, which does not survive a fork: "
                "use multiprocessing.get_context('spawn') or 'forkserver', or fork before clconv finds devices or "
                "loads a model"
            )

    def __enter__(self) -> None:
        self.check()
        self._used = True
        thread = threading.get_ident()
        depth = self._depth.get(thread, 0)
        self._depth[thread] = depth + 1
        if self._is_over(thread) and (not depth or thread in self._leaving):
            self._end_thread(thread)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        thread = threading.get_ident()
        depth = self._depth.pop(thread, 1)
        if depth > 1:
            self._depth[thread] = depth - 1

    @contextlib.contextmanager
    def released(self) -> Iterator[None]:
        """`with` this around the end of what is on the device, which also ends in a child and never raises: freeing
        memory lets other threads run, too. Python drops what a finaliser raises: Ctrl-C comes again when it is over."""
        thread = threading.get_ident()
        depth = self._depth.get(thread, 0)
        self._depth[thread] = depth + 1
        if self._is_over(thread) and not depth:
            self._sleep_forever(thread)
        try:
            yield
        except KeyboardInterrupt:
            threading.Timer(_SOON, _thread.interrupt_main).start()
        finally:
            self.__exit__(None, None, None)

    def _is_over(self, thread: int) -> bool:
        return self._ending is not None and self._ending != thread

    def _end_thread(self, thread: int) -> None:
        if thread in self._leaving:
            self._sleep_forever(thread)
        self._leaving.add(thread)  # it counts as inside until it has let go of all it holds
        raise SystemExit

    def _sleep_forever(self, thread: int) -> NoReturn:
        """Where a thread can do no harm until the process is gone."""
        self._depth.pop(thread, None)
        while True:
            threading.Event().wait()

    def forked(self) -> None:
        """Called in the child of a fork, where only the thread that forked lives on."""
        self._begin()
        self._inherited = self._inherited or self._used

    def close(self) -> None:
        """Called when the interpreter ends: waits until no other thread is inside. Those that come later are ended."""
        self._ending = threading.get_ident()
        until = time.monotonic() + _PATIENCE
        while inside := (self._depth.keys() - {self._ending}) & sys._current_frames().keys():
            if not inside <= self._leaving:
                until = time.monotonic() + _PATIENCE
            elif time.monotonic() > until:
                break
            time.sleep(_POLL)


opencl = Gate()
atexit.register(opencl.close)
if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=opencl.forked)
