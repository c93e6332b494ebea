"""What onnxruntime writes where `enable_profiling` is set: when the model was loaded and run, for chrome://tracing."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from clconv.store.files import write


class Profile:
    """Times what is done `with profile.event(name)` until it ends."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.begin = time.time_ns()
        self._begin = time.perf_counter_ns()
        self._events: list[dict[str, object]] | None = []

    @contextlib.contextmanager
    def event(self, name: str) -> Iterator[None]:
        begin = time.perf_counter_ns()
        try:
            yield
        finally:
            event: dict[str, object] = {
                "cat": "Session",
                "pid": os.getpid(),
                "tid": threading.get_native_id(),
                "dur": (time.perf_counter_ns() - begin) // 1000,
                "ts": (begin - self._begin) // 1000,
                "ph": "X",
                "name": name,
                "args": {},
            }
            if self._events is not None:
                self._events.append(event)

    def end(self) -> str:
        """Writes the file and returns its name; "" if it is written already. Raises OSError."""
        events, self._events = self._events, None
        if events is None:
            return ""
        name = f"{self._prefix}{time.strftime('%Y-%m-%d_%H-%M-%S')}.json"
        write(Path(name), json.dumps(events))
        return name
