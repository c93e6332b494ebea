"""A profile's timeline as Chrome's Trace Event Format, for ui.perfetto.dev and chrome://tracing.

Source of the format: "Trace Event Format", Google, the section on complete events ("ph": "X").
"""

from __future__ import annotations

import json
from typing import Any

from clconv.profiling.profile import METHODS, Event, Profile

_LOAD, _RUN = 1, 2  # processes of the trace


def chrome_trace(profile: Profile) -> dict[str, Any]:
    """Loading as one process, a run as another, behind it; times in microseconds."""
    loaded = max((e.end for e in profile.timeline if e.lane == "load"), default=0.0)
    lanes = list(dict.fromkeys(_ordered(e.lane for e in profile.timeline)))
    number = {lane: i for i, lane in enumerate(lanes)}
    events: list[dict[str, Any]] = []
    if "load" in number:
        events += _names(_LOAD, f"loading {profile.model}", [("load", number["load"])])
    events += _names(
        _RUN,
        f"a run of {profile.model} on {profile.device}",
        [(lane, number[lane]) for lane in lanes if lane != "load"],
    )
    for event in profile.timeline:
        is_load = event.lane == "load"
        events.append(
            _complete(
                event, _LOAD if is_load else _RUN, number[event.lane], 0.0 if is_load else loaded
            )
        )
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {
            "model": profile.model,
            "device": profile.device,
            "method": METHODS[profile.method],
            "clconv": profile.clconv,
        },
    }


def trace_text(profile: Profile) -> str:
    """The trace as JSON."""
    return json.dumps(chrome_trace(profile), allow_nan=False)


def _ordered(lanes: Any) -> list[str]:
    """The host first, then workers by number."""

    def key(lane: str) -> tuple[int, int, str]:
        name, _, number = lane.partition(" ")
        return (
            ("load", "host").index(name) if name in ("load", "host") else 2,
            int(number or 0),
            name,
        )

    return sorted(set(lanes), key=key)


def _names(process: int, name: str, threads: list[tuple[str, int]]) -> list[dict[str, Any]]:
    found = [{"ph": "M", "name": "process_name", "pid": process, "tid": 0, "args": {"name": name}}]
    for lane, thread in threads:
        found.append(
            {
                "ph": "M",
                "name": "thread_name",
                "pid": process,
                "tid": thread,
                "args": {"name": lane},
            }
        )
    return found


def _complete(event: Event, process: int, thread: int, later: float) -> dict[str, Any]:
    return {
        "ph": "X",
        "name": event.name,
        "cat": event.lane.split()[0],
        "pid": process,
        "tid": thread,
        "ts": round((event.begin + later) * 1e6, 3),
        "dur": round(max(event.seconds, 0.0) * 1e6, 3),
        "args": {"kernel": event.detail} if event.detail else {},
    }
