"""Jobs over workers of different speed: all done once, in order, by whoever is fast."""

from __future__ import annotations

import collections
import itertools
import threading
import time
from collections.abc import Callable

import pytest

from clconv.session.spread import in_order


def worker(name: str, seconds: float, done: list[tuple[str, int]]) -> Callable[[int], int]:
    def run(job: int) -> int:
        time.sleep(seconds)
        done.append((name, job))
        return job * job

    return run


def test_in_order_and_by_speed() -> None:
    done: list[tuple[str, int]] = []
    workers = [worker("fast", 0.002, done), worker("slow", 0.016, done)]
    found = list(in_order(workers, range(200)))
    assert found == [(n, n * n) for n in range(200)]
    assert sorted(job for _, job in done) == list(range(200))
    by = collections.Counter(name for name, _ in done)
    assert by["fast"] > 2 * by["slow"] > 0, by


def test_the_slow_one_does_not_take_the_last() -> None:
    """Once nothing more comes, the fast one does what is left sooner."""
    done: list[tuple[str, int]] = []
    workers = [worker("fast", 0.005, done), worker("slow", 0.3, done)]
    list(in_order(workers, range(100)))
    assert sum(name == "slow" for name, _ in done) <= 2  # it began when no time was known
    assert {job for name, job in done[-5:] if name == "fast"} == {95, 96, 97, 98, 99}


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
    """Each takes 10 ms: 20 of both need little more than 20 of one."""

    def jobs() -> collections.abc.Iterator[int]:
        for job in range(20):
            time.sleep(0.01)
            yield job

    begun = time.perf_counter()
    assert len(list(in_order([worker("one", 0.01, [])], jobs()))) == 20
    assert time.perf_counter() - begun < 0.36
