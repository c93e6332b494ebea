"""Networks whose plans are made at this moment, by another process or thread: who loads one of these waits for it instead of
making the same once more, and is given the session that a thread has made."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions

if TYPE_CHECKING:
    from clconv.session.session import Session

Wait = Callable[[], object]

_coming: dict[str, list[Wait]] = {}  # by the model's path
_offered: dict[str, tuple[DeviceInfo, PlanOptions, Future[Session | None]]] = {}
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


def offer(
    path: str, device: DeviceInfo, options: PlanOptions, made: Future[Session | None]
) -> Callable[[], None]:
    """Says that a session comes, for the first who loads this model so, or None where it failed. What this returns takes it
    back."""
    with _lock:
        _offered[path] = offered = device, options, made

    def withdraw() -> None:
        with _lock:
            if _offered.get(path) is offered:
                del _offered[path]

    return withdraw


def take(source: object, device: DeviceInfo, options: PlanOptions) -> Session | None:
    """The session that a thread has made, or is about to make, of this model: for the first who asks, and not for the thread
    itself."""
    if not _offered or getattr(_own, "makes", False) or not isinstance(source, str | os.PathLike):
        return None
    path = os.path.abspath(source)
    with _lock:
        found = _offered.get(path)
        if found is None or found[:2] != (device, options):
            return None
        del _offered[path]
    return found[2].result()
