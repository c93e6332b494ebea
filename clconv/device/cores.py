"""How many cores this process may use, and how many of them nobody uses."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_NOW = Path("/proc/loadavg")
_OWN = Path("/proc/self/task")


def usable_cores() -> int:
    """Those that it is not kept from; all where the system does not tell."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def spare_cores() -> int:
    """Those beside its own where nothing runs at this moment; by the last minute's load where the system does not tell."""
    spare = usable_cores() - 1
    with contextlib.suppress(AttributeError, OSError):  # some systems tell neither
        others = _others_running()
        busy = os.getloadavg()[0] if others is None else others + 1
        spare = min(spare, round((os.cpu_count() or 1) - busy))
    return max(0, spare)


def _others_running() -> int | None:
    """Threads of other processes that run or wait for a core; None where the system does not tell."""
    try:
        running = int(_NOW.read_text().split()[3].partition("/")[0])
        return max(0, running - sum(map(_runs, _OWN.iterdir())))
    except (OSError, ValueError, IndexError):
        return None


def _runs(thread: Path) -> bool:
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0] == "R"
    except (FileNotFoundError, ProcessLookupError):  # it ended
        return False
