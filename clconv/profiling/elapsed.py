"""How much of the time that passed belongs to each call, where several run at once."""

from __future__ import annotations

from collections.abc import Sequence

from clconv.runtime.stamps import Ran


def elapsed_by_call(ran: Sequence[Ran]) -> dict[int, float]:
    """Seconds by call. Each moment counts once: those who work in it share it. So the sum is the time in which anybody
    worked, and a call on one of two cores while the other has nothing to do counts whole."""
    marks = sorted(
        [(r.ready, 1, r.call) for r in ran] + [(max(r.end, r.ready), -1, r.call) for r in ran],
        key=lambda mark: mark[0],
    )
    found = {r.call: 0.0 for r in ran}
    working: dict[int, int] = {}  # by call: how many workers are at it
    before = 0.0
    for at, change, call in marks:
        everybody = sum(working.values())
        for other, workers in working.items():
            found[other] += (at - before) * workers / everybody
        working[call] = working.get(call, 0) + change
        if not working[call]:
            del working[call]
        before = at
    return found
