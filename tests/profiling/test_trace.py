"""The trace is what Perfetto and chrome://tracing read: complete events with their lanes named."""

from __future__ import annotations

import json
from typing import Any

from clconv.profiling.trace import chrome_trace, trace_text
from tests.profiling.support import NASTY, planted


def validate(trace: Any) -> None:
    """As "Trace Event Format" asks of an object with traceEvents; asserts."""
    assert trace["displayTimeUnit"] in ("ms", "ns")
    assert isinstance(trace["otherData"], dict)
    named = set()
    for event in trace["traceEvents"]:
        assert isinstance(event["name"], str) and event["name"]
        assert all(isinstance(event[key], int) for key in ("pid", "tid"))
        assert isinstance(event["args"], dict)
        match event["ph"]:
            case "M":
                assert event["name"] in ("process_name", "thread_name")
                assert isinstance(event["args"]["name"], str)
                if event["name"] == "thread_name":
                    named.add((event["pid"], event["tid"]))
            case "X":
                assert all(isinstance(event[key], int | float) for key in ("ts", "dur"))
                assert event["ts"] >= 0 and event["dur"] >= 0
                assert isinstance(event["cat"], str)
                assert (event["pid"], event["tid"]) in named
            case other:
                raise AssertionError(f"an event of phase {other!r}")


def test_the_trace_is_valid() -> None:
    validate(json.loads(trace_text(planted())))


def test_the_run_stands_behind_the_load() -> None:
    events = [e for e in chrome_trace(planted())["traceEvents"] if e["ph"] == "X"]
    load = next(e for e in events if e["name"] == "import")
    assert (load["ts"], load["dur"], load["pid"]) == (0, 250_000, 1)
    written = next(e for e in events if e["name"] == "write inputs")
    assert (written["ts"], written["dur"], written["pid"]) == (250_000, 100, 2)
    nasty = next(e for e in events if e["name"] == NASTY)
    assert nasty["args"] == {"kernel": "winograd_product"} and nasty["ts"] == 250_100


def test_lanes_are_in_their_order() -> None:
    found = chrome_trace(planted())["traceEvents"]
    lanes = {e["args"]["name"]: e["tid"] for e in found if e["name"] == "thread_name"}
    assert sorted(lanes, key=lanes.__getitem__) == [
        "load", "host", "worker 0", "worker 9", "worker 10",
    ]  # fmt: skip


def test_a_session_that_was_there_has_no_load() -> None:
    profile = planted()
    without = profile.__class__(**{**vars(profile), "load": {}, "timeline": profile.timeline[1:]})
    validate(chrome_trace(without))
    assert {e["pid"] for e in chrome_trace(without)["traceEvents"]} == {2}
