"""Watches over a worker: what takes too long is killed, what died is started again, and each is said of its mutant."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tests.fuzz.attempt import ANSWERED, FAULT, Outcome

SECONDS = 30.0  # of processor time that a mutant may take
WALL = 600.0  # and by the clock: the machine may be busy with other things
WORKER = ("-m", "tests.fuzz.worker")
_MUTANTS = 200  # that a worker tries before a new one takes over


class Watch:
    """One worker process at a time. Use as a context. paper: without a device."""

    def __init__(self, paper: bool = False) -> None:
        self._options = ["--paper"] if paper else []
        self._process: subprocess.Popen[str] | None = None
        self._done = 0

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *reason: object) -> None:
        self._stop()

    def attempt(self, number: int) -> Outcome:
        """What became of a mutant, whatever it does to the worker."""
        if self._process is None or self._done >= _MUTANTS:
            self._stop()
            self._start()
        self._done += 1
        process = self._process
        assert process is not None and process.stdin is not None
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
        stage, history = "clconv", "made"
        began, used = time.monotonic(), self._processor_time()
        while True:
            answer = self._line(0.5)
            took = self._processor_time() - used
            if answer is not None and "status" in answer:
                if took > SECONDS and answer["status"] != FAULT:
                    return Outcome(FAULT, f"took {took:.0f} s", history)
                return Outcome(answer["status"], answer["detail"], answer["history"])
            if answer is not None and "stage" in answer:
                stage, history = answer["stage"], answer["history"]
            died = process.poll() is not None and answer is None
            late = took > SECONDS + 5 or time.monotonic() - began > WALL
            if died or late:
                what = (
                    f"died with {process.returncode}" if died else f"still runs after {took:.0f} s"
                )
                what += f": {self._exit_reason()}" if died else ""
                self._stop()
                if stage != "clconv":
                    return Outcome(ANSWERED, f"{stage} {what}", history)
                return Outcome(FAULT, what, history)

    def _start(self) -> None:
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115  as long as the worker
        self._process = subprocess.Popen(
            [sys.executable, *WORKER, *self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )
        self._done = 0
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(
            target=_forward, args=(self._process.stdout, self._lines), daemon=True
        ).start()
        deadline = time.monotonic() + 300
        while self._line(1.0) is None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the worker does not start: {self._exit_reason()}")

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._errors.close()
            self._process = None

    def _line(self, seconds: float) -> dict[str, Any] | None:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            return None
        return None if line is None else json.loads(line)

    def _exit_reason(self) -> str:
        self._errors.seek(0)
        return self._errors.read()[-300:].strip()

    def _processor_time(self) -> float:
        """Seconds of processor that the worker has used; 0 where the system does not say."""
        assert self._process is not None
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _forward(stream: Any, lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)
