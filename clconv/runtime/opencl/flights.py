"""Flights: work that is enqueued and may not be over yet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

import pyopencl as cl

from clconv.errors import DeviceError
from clconv.runtime.opencl.refusals import refused
from clconv.runtime.process import opencl


class Flight:
    """Work that is enqueued, and what must be kept until it is over."""

    def __init__(self, event: Any, kept: Iterable[Any] = ()) -> None:
        self.event, self._kept = event, list(kept)

    @property
    def is_over(self) -> bool:
        """Whether nothing is kept for it any more."""
        if (
            self._kept
            and self.event.command_execution_status <= cl.command_execution_status.COMPLETE
        ):
            self._kept.clear()
        return not self._kept

    def wait(self) -> None:
        """Returns when it is over. Raises DeviceError if it failed."""
        try:
            wait_for([self.event])
        finally:
            if self.event.command_execution_status <= cl.command_execution_status.COMPLETE:
                self._kept.clear()

    def ended(self) -> None:
        """wait() for those whom its failure does not concern."""
        with contextlib.suppress(DeviceError):
            self.wait()


@refused("wait for events")
def wait_for(events: Sequence[Any]) -> None:
    """Returns when these are over."""
    if events:
        with opencl:
            cl.wait_for_events(list(events))
