"""What is timed is told once somebody records, and adds up."""

from __future__ import annotations

import threading
import time

import pytest

from clconv.spans import recorded, span


def test_own_seconds_leave_out_what_is_inside() -> None:
    with recorded() as recording:
        with span("outer"):
            time.sleep(0.01)
            with span("inner"):
                time.sleep(0.02)
        with span("inner"):
            pass
    outer, inner, last = recording.spans
    assert [s.name for s in recording.spans] == ["outer", "inner", "inner"]
    assert (outer.inside, inner.inside, last.inside) == (-1, 0, -1)
    assert outer.begin <= inner.begin <= inner.end <= outer.end <= last.begin
    own = recording.own_seconds()
    assert own["inner"] == pytest.approx(inner.seconds + last.seconds)
    assert own["outer"] == pytest.approx(outer.seconds - inner.seconds)


def test_the_outermost_of_a_kind() -> None:
    with recorded() as recording:
        with span("plan"), span("host: a"), span("plan"), span("host: b"):
            pass
        with span("host: c"):
            pass
    assert [s.name for s in recording.outermost("host: ")] == ["host: a", "host: c"]


def test_nothing_is_recorded_without_a_recorder() -> None:
    with span("before"), recorded() as recording:
        pass
    with span("after"):
        pass
    assert recording.spans == []


def test_an_error_ends_a_span() -> None:
    with recorded() as recording:
        with pytest.raises(KeyError), span("failing"):
            raise KeyError
        with span("next"):
            pass
    assert [s.inside for s in recording.spans] == [-1, -1]
    assert recording.spans[0].end >= recording.spans[0].begin


def test_other_threads_are_not_recorded() -> None:
    def other() -> None:
        with span("other"):
            pass

    with recorded() as recording:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert recording.spans == []
