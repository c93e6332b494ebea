"""A child process that does what may crash or never end: a driver's compiler, a kernel never run before."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from clconv.errors import ClconvError


class WorkerError(ClconvError):
    """The work did not come to an end: the process died of it, or it took longer than allowed."""


class WorkerTimeout(WorkerError):
    """The work took longer than allowed; the process was ended."""


class Failed(ClconvError):
    """The work raised an exception: its type and text. The process lives on."""


class Worker:
    """Runs functions of modules in a process of its own, one at a time; what they keep in their modules stays
    there from one call to the next. A process that died or was ended is replaced at the next call.

    preload: modules to import first, such as those that register further variants. quiet: what compilers and drivers
        print goes nowhere.
    """

    def __init__(self, preload: Sequence[str] = (), quiet: bool = False) -> None:
        self._preload, self._quiet = tuple(preload), quiet
        self._process: Any = None
        self._pipe: Connection | None = None

    def call(self, function: Callable[..., Any], *arguments: Any, limit: float) -> Any:
        """What the function returns. Raises Failed if it raised, WorkerError if it did not come back within
        `limit` seconds. Starting the process does not count."""
        pipe = self._started()
        try:
            pipe.send((function, arguments))
            if not pipe.poll(limit):
                self.close()
                raise WorkerTimeout(f"not done after {limit:g} s")
            done, result = pipe.recv()
        except (EOFError, OSError):
            raise WorkerError(self._exit_reason()) from None
        if not done:
            raise Failed(result)
        return result

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            assert self._pipe is not None
            self._pipe.close()
        self._process = self._pipe = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _started(self) -> Connection:
        if self._pipe is None:
            context = multiprocessing.get_context("spawn")  # OpenCL does not survive a fork
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(
                target=_serve, args=(theirs, self._preload, self._quiet), daemon=True
            )
            self._process.start()
            theirs.close()
            try:
                self._pipe.recv()  # it is ready
            except EOFError:
                raise WorkerError(self._exit_reason()) from None
        return self._pipe

    def _exit_reason(self) -> str:
        self._process.join(5)
        code = self._process.exitcode
        self.close()
        if code is not None and code < 0:
            return f"the process died of {signal.Signals(-code).name}"
        return f"the process ended with exit code {code}"


def _serve(pipe: Connection, preload: Sequence[str], quiet: bool) -> None:
    """The child's loop. Ends when the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    for module in preload:
        importlib.import_module(module)
    if quiet:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
    pipe.send(True)
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        try:
            reply = (True, function(*arguments))
        except Exception as reason:  # whatever it is, the parent hears of it
            reply = (False, f"{type(reason).__name__}: {reason}")
        pipe.send(reply)
