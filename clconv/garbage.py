"""Rests Python's collector of cycles while modules, models and plans are made, of which nothing is garbage: looking for it
takes a tenth of the time."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
from collections.abc import Iterator


class _Rest:
    """Blocks of all threads in which nothing is collected."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks = 0
        self._was_on = False  # before the first of them

    def begin(self) -> None:
        with self._lock:
            if not self._blocks:
                self._was_on = gc.isenabled()
                gc.disable()
            self._blocks += 1

    def end(self) -> None:
        with self._lock:
            self._blocks -= 1
            if not self._blocks and self._was_on:
                gc.enable()

    def forked(self) -> None:
        """In a child, where the threads of the blocks are gone."""
        if self._blocks and self._was_on:
            gc.enable()


_rest = _Rest()


def _begin_anew() -> None:
    global _rest
    _rest.forked()
    _rest = _Rest()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """No collection begins by itself before the last such block of all threads ends; then it is as it was before the
    first. Also one inside another."""
    rest = _rest
    rest.begin()
    try:
        yield
    finally:
        rest.end()
