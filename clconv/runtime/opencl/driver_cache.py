"""Programs that other processes build first: for drivers that build one after another in a process, whatever its threads, and keep on
the disk what they have built. This process then finds it there."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from clconv.device.cores import spare_cores
from clconv.device.info import DeviceInfo
from clconv.planning.sharing import shared_out
from clconv.runtime.opencl.helper import SPARE, Helper

QUIRK = "builds-one-at-a-time"
# Seconds of a build that the driver had not kept: one that it had takes a few milliseconds.
LONG = 0.05
_MOST = 8  # processes, each of which takes some hundred MB of a GPU's memory
_EACH = 3  # programs, at least: a process takes about as long to begin


class Elsewhere:
    """Sources that other processes of ours build, as many as there are cores that nobody uses; this process has its share of
    them. `with` ends processes that are not waited for."""

    def __init__(self, sources: Sequence[str], device: DeviceInfo) -> None:
        spare = SPARE.get()
        cores = spare_cores() if spare is None else spare
        count = min(cores, _MOST, len(sources) // _EACH)
        shares = shared_out([len(source) for source in sources], [0] * (1 + count))
        self._jobs: dict[str, tuple[Helper, int]] = {}
        self._helpers: list[Helper] = []
        with contextlib.suppress(OSError):  # then more is built here
            for places in shares[1:]:
                helper = Helper(device)
                self._helpers.append(helper)
                for place in places:
                    self._jobs[sources[place]] = helper, helper.give(_job(sources[place]))

    def __enter__(self) -> Elsewhere:
        return self

    def __exit__(self, *reason: object) -> None:
        for helper in self._helpers:
            helper.__exit__()

    def __contains__(self, source: str) -> bool:
        return source in self._jobs

    def __len__(self) -> int:
        return len(self._helpers)

    def wait(self, source: str) -> bool:
        """Returns when the driver has a program: True; or is not going to get it from another process."""
        if source not in self._jobs:
            return True
        helper, number = self._jobs.pop(source)
        return helper.wait(number)


def _job(source: str) -> dict[str, object]:
    """Of a helper: it builds, and launches nothing."""
    return {
        "sources": [source], "address": (None, ""), "launches": [], "buffers": [], "contents": [], "results": [],
        "rounds": 0,
    }  # fmt: skip
