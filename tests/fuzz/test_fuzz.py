"""Every mutant ends in an answer or in an error of clconv, within the time and memory that the worker has; where
onnxruntime has an answer, too, it is the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import clconv
from tests.fuzz.attempt import FAULT, Outcome, attempt, mutant
from tests.fuzz.compare import difference
from tests.fuzz.hand_made import HAND_MADE
from tests.fuzz.mutators import MUTATORS
from tests.fuzz.seeds import seed, seed_count
from tests.fuzz.watch import Watch


def wrong(first: int, last: int, paper: bool) -> list[tuple[int, Outcome]]:
    with Watch(paper) as watch:
        outcomes = [(number, watch.attempt(number)) for number in range(first, last)]
    return [(number, outcome) for number, outcome in outcomes if not outcome.is_right]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_mutants_without_a_device(how_many: Callable[[int, int], int]) -> None:
    assert not wrong(0, how_many(150, 400), paper=True)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_mutants_on_a_device(how_many: Callable[[int, int], int]) -> None:
    assert not wrong(400, how_many(440, 480), paper=False)


def test_a_mutant_is_the_same_every_time() -> None:
    for number in range(20):
        assert mutant(number)[1:3] == mutant(number)[1:3]


def test_every_mutator_changes_something() -> None:
    """Of the hand-made seeds, in a few tries."""
    for change in set(MUTATORS):
        changed = False
        for index in range(len(HAND_MADE)):
            sound = seed(index)
            assert sound is not None
            for number in range(4):
                made = sound.copy()
                try:
                    change(made, np.random.default_rng(number))
                except (ValueError, TypeError, OverflowError):
                    continue
                same = made.model == sound.model and made.files == sound.files
                changed = changed or not same
        assert changed, change.__name__


def test_seeds_are_sound() -> None:
    """What is mutated is a model that works: else every mutant would be refused."""
    assert seed_count() > 500
    for name in ("network", "loop", "quantised"):
        model, feeds, *_ = HAND_MADE[name]()
        data = model.SerializeToString()
        assert not difference(data, feeds, clconv.load(data).run(feeds))


def test_every_seed_can_be_made() -> None:
    """Or is one that ONNX cannot say."""
    made = [seed(index) for index in range(seed_count())]
    assert sum(one is not None for one in made) > len(made) // 2


class _Answer:
    """A session that gives what it is told to."""

    def __init__(self, answer: object) -> None:
        self.inputs: dict[str, object] = {}
        self.answer = answer

    def run(self, feeds: object) -> object:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_what_is_no_error_of_clconv_is_a_fault() -> None:
    for reason in (KeyError("x"), clconv.errors.InternalError("x"), ZeroDivisionError()):
        outcome = attempt(1, load=lambda source, reason=reason: _Answer(reason))
        assert outcome.status == FAULT and type(reason).__name__ in outcome.detail
    outcome = attempt(1, load=lambda source: _Answer(clconv.errors.ShapeError("x")))
    assert outcome.is_right


def test_a_worker_that_dies_or_hangs_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch says which mutant it was and goes on with the next."""
    monkeypatch.setattr("tests.fuzz.watch.WORKER", ("-m", "tests.fuzz.bad_worker"))
    with Watch() as watch:
        assert watch.attempt(0).is_right
        died = watch.attempt(1)
        with monkeypatch.context() as patch:
            patch.setattr("tests.fuzz.watch.WALL", 1.0)
            hung = watch.attempt(2)
        again = watch.attempt(0)
    assert died.status == FAULT and "died with" in died.detail
    assert hung.status == FAULT and "still runs" in hung.detail
    assert again.is_right
