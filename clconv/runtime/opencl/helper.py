"""Another process that compiles programs for threads of this one: PoCL compiles one after another in a process. What it leaves
in PoCL's folder is found by this one."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from clconv.device.info import DeviceInfo
from clconv.errors import ClosedError
from clconv.runtime.opencl import helper_process
from clconv.runtime.opencl.built import POCL_OPTIONS
from clconv.runtime.opencl.library import REFUSED
from clconv.runtime.search_path import search_path


class Job(NamedTuple):
    """A program, and the launch that has its machine code made: see helper_process."""

    source: str
    symbol: str
    arguments: tuple[int | None, ...]
    items: int


_given = threading.local()
_PIPE = 1 << 20  # bytes, the most that a pipe may hold


class Helper:
    """A process that compiles in the order in which jobs come; it opens the device and reads PoCL's library at once. `with` ends
    it. Raises OSError if none can be started.

    patience: seconds that it waits for the first job before it ends by itself, None: as long as this process lives."""

    def __init__(self, device: DeviceInfo, patience: float | None = None) -> None:
        import subprocess  # only now: most starts compile nothing

        self.device, self._own = device, os.getpid()
        self._lock, self._over = threading.Lock(), False
        text = Path(helper_process.__file__).read_text(encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", text],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._widen()
        place = {"path": search_path(), "device": device.index, "options": POCL_OPTIONS}
        self.give({**place, "refused": REFUSED, "patience": patience})

    def __enter__(self) -> Helper:
        return self

    def __exit__(self, *reason: object) -> None:
        self._over = True
        self._process.kill()
        with self._lock:
            self._process.communicate()

    def compile(self, job: Job) -> None:
        """Returns when the programs of a job are compiled, or are not going to be: then they are compiled as any others.
        Raises ClosedError if nobody waits for them any more."""
        with self._lock, contextlib.suppress(OSError):
            if not self._over:
                self._tell(job._asdict())
                self.wait()
        if self._over:
            raise ClosedError("what was to be compiled is not needed any more")

    @property
    def is_there(self) -> bool:
        """Whether it still takes jobs, and is no process of one that forked this one."""
        return self._own == os.getpid() and self._process.poll() is None

    def give(self, what: Mapping[str, Any]) -> None:
        """Says what to do, and returns: wait() tells when it is done."""
        with contextlib.suppress(OSError):  # it ended: nobody has to know
            self._tell(what)

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

    def wait(self) -> bool:
        """Returns when a job is done: True; or when the process has ended."""
        assert self._process.stdout is not None
        for line in iter(self._process.stdout.readline, b""):
            if line.strip() == helper_process.DONE.encode():
                return True
        return False


@contextlib.contextmanager
def compiled_by(compile_it: Callable[[Job], None]) -> Iterator[None]:
    """Programs that this thread needs inside the block are given to compile_it() before they are built here."""
    _given.compile_it = compile_it
    try:
        yield
    finally:
        del _given.compile_it


def given() -> Callable[[Job], None] | None:
    """What compiles for this thread."""
    return getattr(_given, "compile_it", None)
