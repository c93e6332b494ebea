"""Jobs over workers of different speed: all done once, in order, by whoever is fast."""

from __future__ import annotations

import collections
import itertools
import threading
import time
from collections.abc import Callable

import pytest

from clconv.session.spread import in_order
from tests.patience import HANG, holds_once

Done = list[tuple[str, int]]


def worker(name: str, seconds: float, done: Done) -> Callable[[int], int]:
    def run(job: int) -> int:
        time.sleep(seconds)
        done.append((name, job))
        return job * job

    return run


def test_in_order_and_by_speed() -> None:
    def attempt() -> None:
        done: Done = []
        workers = [worker("fast", 0.002, done), worker("slow", 0.016, done)]
        found = list(in_order(workers, range(100)))
        assert found == [(n, n * n) for n in range(100)]
        assert sorted(job for _, job in done) == list(range(100))
        by = collections.Counter(name for name, _ in done)
        assert by["fast"] > 2 * by["slow"] > 0, by

    holds_once(attempt)


def test_the_slow_one_does_not_take_the_last() -> None:
    """Once nothing more comes, the fast one does what is left sooner."""

    def attempt() -> None:
        done: Done = []
        workers = [worker("fast", 0.005, done), worker("slow", 0.3, done)]
        list(in_order(workers, range(100)))
        assert sum(name == "slow" for name, _ in done) <= 2  # it began when no time was known
        assert {job for name, job in done[-5:] if name == "fast"} == {95, 96, 97, 98, 99}

    holds_once(attempt)


def test_an_error_in_its_turn_and_the_threads_end() -> None:
    def fails(job: int) -> int:
        if job == 5:
            raise ValueError("five")
        return job

    before = threading.active_count()
    found = in_order([fails, fails], itertools.count())
    assert [job for job, _ in itertools.islice(found, 5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="five"):
        next(found)
    assert threading.active_count() == before
    dropped = in_order([fails], itertools.count())
    next(dropped)
    dropped.close()
    assert threading.active_count() == before


def test_making_jobs_overlaps_with_running_them() -> None:
    """The first job ends only once the second is made."""
    made = threading.Event()

    def jobs() -> collections.abc.Iterator[int]:
        yield 0
        yield 1
        made.set()

    def run(job: int) -> int:
        assert made.wait(HANG)
        return job

    assert list(in_order([run], jobs())) == [(0, 0), (1, 1)]
