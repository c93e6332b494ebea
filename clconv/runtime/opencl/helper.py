"""Another process that compiles programs for threads of this one: PoCL compiles one after another in a process. What it leaves
in PoCL's folder is found by this one."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from clconv.device.info import DeviceInfo
from clconv.errors import ClosedError
from clconv.runtime.opencl import trial_process
from clconv.runtime.opencl.built import POCL_OPTIONS
from clconv.runtime.opencl.library import REFUSED
from clconv.runtime.search_path import search_path

Job = Mapping[str, Any]
# What has PoCL read its library.
_FIRST: Job = {
    "options": POCL_OPTIONS, "refused": [REFUSED], "sources": [], "launches": [], "buffers": [], "contents": []
}  # fmt: skip
_given = threading.local()


class Helper:
    """A process that does the jobs of trial_process in the order in which they come; it opens the device and reads PoCL's library at once. `with` ends
    it. Raises OSError if none can be started."""

    def __init__(self, device: DeviceInfo) -> None:
        self._lock, self._over = threading.Lock(), False
        text = Path(trial_process.__file__).read_text(encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", text],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._unanswered = 0
        with contextlib.suppress(OSError):  # it ended: nobody has to know
            self._tell({"path": search_path(), "device": device.index, **_FIRST})

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
                self._tell(job)
                self._wait()
        if self._over:
            raise ClosedError("what was to be compiled is not needed any more")

    def _tell(self, job: Job) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()
        self._unanswered += 1

    def _wait(self) -> None:
        """Returns when all jobs are done, or the process has ended."""
        assert self._process.stdout is not None
        for line in iter(self._process.stdout.readline, b""):
            self._unanswered -= line.strip() == trial_process.DONE.encode()
            if not self._unanswered:
                break


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
