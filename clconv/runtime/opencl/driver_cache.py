"""Programs that other processes build first: for drivers that build one after another in a process, whatever its threads, and keep on
the disk what they have built. This process then finds it there."""

from __future__ import annotations

from collections.abc import Sequence

from clconv.device.info import DeviceInfo
from clconv.runtime.opencl.beside import Others, spare_processes
from clconv.runtime.opencl.helper import Helper

QUIRK = "builds-one-at-a-time"
# Seconds of a build that the driver had not kept: one that it had takes a few milliseconds.
LONG = 0.05
_MOST = 8  # processes, each of which takes some hundred MB of a GPU's memory
_EACH = 3  # programs, at least: a process takes about as long to begin


class Elsewhere(Others[str]):
    """Sources that other processes build, as many as there are cores that nobody uses; this process has its share of them."""

    def __init__(self, sources: Sequence[str], device: DeviceInfo) -> None:
        most = min(_MOST, len(sources) // _EACH)
        processes = min(spare_processes(), most) if most else 0
        super().__init__({source: len(source) for source in sources}, processes, device)

    def _give(self, helper: Helper, source: str) -> int:
        return helper.give(_job(source))


def _job(source: str) -> dict[str, object]:
    """Of a helper: it builds, and launches nothing."""
    return {
        "sources": [source], "address": (None, ""), "launches": [], "buffers": [], "contents": [], "results": [],
        "rounds": 0,
    }  # fmt: skip
