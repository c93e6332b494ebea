"""Networks whose plans are made at this moment, by another process or thread: who loads one of these waits for it instead of
making the same once more."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

Wait = Callable[[], object]

_coming: dict[str, list[Wait]] = {}  # by the model's path
_lock = threading.Lock()
_own = threading.local()


def announce(path: str, wait: Wait) -> Callable[[], None]:
    """Says that the plans of a model's file come. wait: returns when they are kept, or are not going to be. What this
    returns takes it back."""
    with _lock:
        _coming.setdefault(path, []).append(wait)

    def withdraw() -> None:
        with _lock:
            left = [other for other in _coming.pop(path, ()) if other is not wait]
            if left:
                _coming[path] = left

    return withdraw


def is_maker() -> None:
    """This thread makes plans that others wait for, and itself waits for none."""
    _own.makes = True


def wait_for(path: str | os.PathLike[str]) -> None:
    """Returns once nothing is made for this model any more."""
    if not _coming or getattr(_own, "makes", False):
        return
    with _lock:
        waiting = list(_coming.get(os.path.abspath(path), ()))
    for wait in waiting:
        wait()
