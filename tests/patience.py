"""How long tests wait, and how they compare times, on machines of any speed that do other things besides.

No test asks for a number of seconds. What waits for another thread or process gives up only where nobody could be so
slow. What compares times measures both in turns, and one of many attempts may serve: whatever else the machine does
disturbs some of them, a fault all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

HANG = 300.0  # seconds after which something is known to hang


def until(true: Callable[[], object]) -> None:
    """Waits until a condition holds."""
    end = time.monotonic() + HANG
    while not true():
        assert time.monotonic() < end, "it hangs"
        time.sleep(0.005)


def holds_once(attempt: Callable[[], Result], times: int = 20) -> Result:
    """What an attempt returns. Fails only if an attempt fails so many times, by what the last of them says."""
    for left in reversed(range(times)):
        try:
            return attempt()
        except AssertionError:
            if not left:
                raise
    raise AssertionError("no attempt")


def growth(small: Callable[[], object], large: Callable[[], object], limit: float) -> None:
    """Holds that one takes at most so many times the processor time of the other, in one of some attempts."""

    def attempt() -> None:
        least, most = _used(small), _used(large)
        assert most < limit * least, f"{most:.3f} s against {least:.3f} s: more than {limit} times"

    holds_once(attempt, 5)


def _used(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before
