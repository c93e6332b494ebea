"""Another process that works for threads of this one: PoCL compiles one program after another in a process, and may end it.
What it compiles is left in PoCL's folder, where this one finds it."""

from __future__ import annotations

import contextlib
import contextvars
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from clconv.device.info import DeviceInfo
from clconv.errors import ClosedError
from clconv.runtime.opencl import helper_process
from clconv.runtime.opencl.built import BUILD_OPTIONS, POCL_OPTIONS
from clconv.runtime.opencl.found import is_pocl
from clconv.runtime.opencl.library import REFUSED
from clconv.runtime.search_path import search_path


class Job(NamedTuple):
    """A program, and the launch that has its machine code made."""

    source: str
    symbol: str
    arguments: tuple[int | None, ...]
    items: int


# How many processes a thread may start besides those that it was given, None: as many as there are cores that nobody uses.
SPARE: contextvars.ContextVar[int | None] = contextvars.ContextVar("spare", default=None)

_given: contextvars.ContextVar[Callable[[Job], None] | None] = contextvars.ContextVar(
    "given", default=None
)
# It multiplies no matrices, and NumPy's threads for that would take the cores from those who compile.
_SURROUNDINGS = {"OPENBLAS_NUM_THREADS": "1"}
_DONE = helper_process.DONE.encode()
_BYTES = 4096  # of what it is launched on
_PIPE = 1 << 20  # bytes, the most that a pipe may hold
_NEARLY = 0.75  # of its patience
LIMIT = 900.0  # seconds that a job may take: a compiler that hangs is not waited for


class Helper:
    """A process that does jobs (helper_process.py) in the order in which they come; it opens the device and, of PoCL, reads the
    library at once. `with` ends it. Raises OSError if none can be started.

    patience: seconds that it waits for a job before it ends by itself, None: as long as this process lives."""

    def __init__(self, device: DeviceInfo, patience: float | None = None) -> None:
        import subprocess  # only now: most starts compile nothing

        self.index, self._own = device.index, os.getpid()
        self._patience, self._idle_since = patience, time.monotonic()
        self._lock, self._reading, self._over = threading.Lock(), threading.Lock(), False
        self._given, self._read, self._death = 0, 0, 0
        self._answers: dict[int, dict[str, Any]] = {}
        text = Path(helper_process.__file__).read_text(encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", text],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, **_SURROUNDINGS},
        )  # fmt: skip
        self._widen()
        options = (POCL_OPTIONS, REFUSED) if is_pocl(device.platform) else (BUILD_OPTIONS, "")
        place = dict(zip(("options", "refused"), options, strict=True))
        with contextlib.suppress(OSError):  # it ended: is_there tells
            self._tell(
                {**place, "path": search_path(), "device": device.index, "patience": patience}
            )

    def __enter__(self) -> Helper:
        return self

    def __exit__(self, *reason: object) -> None:
        self._over = True
        self._process.kill()
        with self._lock, self._reading:
            self._process.communicate()

    def compile(self, job: Job) -> None:
        """Returns when the programs of a job are compiled, or are not going to be: then they are compiled as any others.
        Raises ClosedError if nobody waits for them any more."""
        if not self._over:
            self.answer(self.give_program(job))
        if self._over:
            raise ClosedError("what was to be compiled is not needed any more")

    @property
    def is_there(self) -> bool:
        """Whether it still takes jobs, and is no process of one that forked this one."""
        return self._own == os.getpid() and not self._over and self._process.poll() is None

    @property
    def is_patient(self) -> bool:
        """Whether it will not have ended for want of jobs before it reads one that is given to it now."""
        waited = time.monotonic() - self._idle_since
        return self._patience is None or waited < self._patience * _NEARLY

    @property
    def death(self) -> int:
        """The exit status of a process that ended before it gave an answer, and was not ended by this one; else 0."""
        return self._death

    def give_program(self, job: Job) -> int:
        """Has the machine code of a program made, by a launch on zeros."""
        arguments = [
            ("buffer", 0, 0, _BYTES) if value is None else ("number", "<i4", value)
            for value in job.arguments
        ]
        launch = (0, job.symbol, arguments, (job.items,), (1,))
        return self.give(
            {
                "sources": [job.source],
                "address": (None, ""),
                "launches": [launch],
                "buffers": [_BYTES],
                "contents": [],
                "results": [],
                "rounds": 1,
            }
        )

    def give(self, job: Mapping[str, Any]) -> int:
        """Says what to do, and returns: answer() of this number tells when it is done."""
        with self._lock:
            self._given += 1
            if not self._over:
                with contextlib.suppress(OSError):  # it ended: its answer tells
                    self._tell(job)
            return self._given

    def _widen(self) -> None:
        """Lets the pipe take whole programs at once, as it is not read while the process begins or compiles."""
        with contextlib.suppress(ImportError, AttributeError, OSError):
            import fcntl  # Linux has it, and can do this

            assert self._process.stdin is not None
            fcntl.fcntl(self._process.stdin, fcntl.F_SETPIPE_SZ, _PIPE)

    def _tell(self, what: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        self._process.stdin.flush()

    def answer(self, number: int, limit: float = LIMIT) -> dict[str, Any] | None:
        """What came of a job, when it is done: with "refused", why OpenCL refused it. None if the process has ended, also because
        it took longer than `limit` seconds."""
        timer = threading.Timer(limit, self._end_late)
        timer.daemon = True
        timer.start()
        try:
            with self._reading:
                while number not in self._answers and self._read_one():
                    pass
                return self._answers.pop(number, None)
        finally:
            timer.cancel()

    def wait(self, number: int) -> bool:
        """Returns when a job is done: True; or is not going to be."""
        answer = self.answer(number)
        return answer is not None and "refused" not in answer

    def _read_one(self) -> bool:
        """Whether there was one more answer."""
        assert self._process.stdout is not None
        if self._process.stdout.closed:
            return False
        for line in iter(self._process.stdout.readline, b""):
            if line.startswith(_DONE):
                self._read += 1
                self._idle_since = time.monotonic()
                self._answers[self._read] = json.loads(line[len(_DONE) :])
                return True
        status = self._process.wait()
        self._death = 0 if self._over else status
        return False

    def _end_late(self) -> None:
        self._over = True
        self._process.kill()


@contextlib.contextmanager
def compiled_by(compile_it: Callable[[Job], None]) -> Iterator[None]:
    """Programs that this thread needs inside the block are given to compile_it() before they are built here, and to no other
    process."""
    before, spare = _given.set(compile_it), SPARE.set(0)
    try:
        yield
    finally:
        _given.reset(before)
        SPARE.reset(spare)


def given() -> Callable[[Job], None] | None:
    """What compiles for this thread."""
    return _given.get()
