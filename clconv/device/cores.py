"""How many cores this process may use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Those that it is not kept from; all where the system does not tell."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
