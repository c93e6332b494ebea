"""How a search decides: by a script in the place of a device."""

from __future__ import annotations

import math
from typing import Any

import pytest

from clconv.runtime.worker import Failed, WorkerTimeout
from clconv.tuning import trial
from clconv.tuning.search import Search, Step, is_faster
from clconv.tuning.trial import Candidate, time_together
from tests.lowering.support import AVX2
from tests.tuning.support import (
    Scripted,
    best_of,
    own_findings,  # noqa: F401
    task_of,
)


def test_the_fastest_variant_and_parameters_are_found() -> None:
    def seconds(candidate: Candidate) -> float:
        variant, given = candidate[0], dict(candidate[1])
        at_best = (variant == "direct") + (given.get("vectors") == 1) + (given.get("pixels") == 4)
        return 1.0 - 0.2 * at_best

    entry, _ = best_of(Scripted(seconds))
    assert entry.variant == "direct" and dict(entry.parameters) == {"pixels": 4, "vectors": 1}
    assert entry.seconds == pytest.approx(0.4) and entry.default_seconds == 1.0
    assert not entry.is_default and entry.error == 1e-6


def test_what_is_wrong_is_rejected_before_it_is_timed() -> None:
    def error(candidate: Candidate) -> float:
        return 1e-6 if candidate[0] == "winograd4" else math.nan if candidate[1] else 1e-3

    scripted = Scripted(lambda c: 0.1 if c[0] == "direct" else 1.0, error)
    entry, search = best_of(scripted)
    assert entry.is_default and entry.variant == "winograd4"
    assert {c[0] for c in scripted.timed} == {"winograd4"}
    assert any("direct: error 0.001, allowed 2e-05" in line for line in search.rejected)


def test_the_usual_error_is_allowed_and_no_more() -> None:
    fast = Scripted(lambda c: 0.5 if c[0] == "direct" else 1.0, lambda c: 1e-4)
    assert best_of(fast)[0].variant == "direct"
    fast.error = lambda c: 1e-4 if c[0] == "winograd4" else 1.01e-4
    assert best_of(fast)[0].is_default


def test_what_takes_too_long_or_dies_is_abandoned() -> None:
    def error(candidate: Candidate) -> float:
        if candidate[0] == "direct":
            raise WorkerTimeout("not done after 60 s")
        if candidate == ("winograd2", ()):
            raise Failed("KernelBuildError: no")
        return 1e-6

    entry, search = best_of(Scripted(lambda c: 1.0 if c[0] == "winograd4" else 0.1, error))
    assert entry.is_default
    assert any("direct: not done after 60 s" in line for line in search.rejected)
    assert any("winograd2: KernelBuildError" in line for line in search.rejected)

    def never(candidate: Candidate) -> float:
        raise Failed("no")

    assert best_of(Scripted(lambda c: 1.0, never))[0] is None


def test_trials_of_two_searches_are_never_taken_for_each_other() -> None:
    numbers = []

    class Listening(Scripted):
        def call(self, function: Any, *arguments: Any, limit: float) -> Any:
            numbers.append(arguments[0].number)
            return super().call(function, *arguments, limit=limit)

    one = Listening(lambda c: 1.0)
    for _ in range(2):  # one worker, as a session of several commands would have it
        best_of(one)
    assert len(set(numbers)) == 2


def test_who_watches_is_told_what_is_tried_and_gained() -> None:
    steps: list[Step] = []
    scripted = Scripted(lambda c: 0.5 if c[0] == "direct" else 1.0)
    Search(AVX2, scripted, on_step=steps.append).run(task_of())  # type: ignore[arg-type]
    assert "direct" in [step.what for step in steps]
    assert steps[0].gain == 1.0 and steps[-1].gain == pytest.approx(2.0)


def test_candidates_take_turns_and_those_far_behind_are_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Warm: each has run before the first sample that counts; in turns: no round times one of them twice in a row."""
    names: list[Candidate] = [("a", ()), ("b", ()), ("slow", ())]
    seconds = dict(zip(names, (1e-3, 1.1e-3, 9e-3), strict=True))
    ran: list[Candidate] = []
    sampled: list[tuple[Candidate, int]] = []

    class Bound:
        def __init__(self, candidate: Candidate) -> None:
            self.candidate = candidate

        def run(self, feeds: object) -> None:
            ran.append(self.candidate)

    class Bench:
        feeds: object = None

        def keep_only(self, candidates: object) -> None:
            pass

        def bound(self, candidate: Candidate) -> Bound:
            return Bound(candidate)

        def sample(self, candidate: Candidate, repeats: int) -> float:
            assert candidate in ran
            sampled.append((candidate, repeats))
            return seconds[candidate]

    monkeypatch.setattr(trial, "_bench_of", lambda *arguments: Bench())
    times = time_together(None, AVX2, names, 7)  # type: ignore[arg-type]
    assert ran == names and [len(t) for t in times] == [7, 7, 3]
    counted = [candidate for candidate, _ in sampled[2 * len(names) :]]
    assert {repeats for _, repeats in sampled[2 * len(names) :]} == {2}  # as many launches each
    for start in (0, 3, 6):
        assert set(counted[start : start + 3]) == set(names)
    assert counted[9:11] != [names[0]] * 2 and set(counted[9:11]) == set(names[:2])


def test_a_small_gain_is_no_gain() -> None:
    assert best_of(Scripted(lambda c: 1.0 if c[0] == "winograd4" else 0.98))[0].is_default
    assert not best_of(Scripted(lambda c: 1.0 if c[0] == "winograd4" else 0.96))[0].is_default


def test_a_gain_must_show_in_most_rounds() -> None:
    assert is_faster([1.0] * 10, [0.9] * 10)
    assert is_faster([1.0] * 10, [0.9] * 8 + [5.0] * 2)
    assert not is_faster([1.0] * 10, [0.5] * 7 + [1.1] * 3)
    assert not is_faster([1.0, 3.0] * 5, [0.98, 2.95] * 5)
    assert not is_faster([9.0] * 7 + [1.0] * 3, [0.99] * 10)  # disturbed, else as fast
    assert not is_faster([1.0] * 10, [0.1] * 3)  # given up
    assert not is_faster([math.inf], [math.inf])
