"""The time that passed, shared out among what ran in it."""

from __future__ import annotations

import pytest

from clconv.profiling.elapsed import elapsed_by_call
from clconv.runtime.stamps import Ran


def ran(call: int, worker: int, ready: float, end: float) -> Ran:
    return Ran(call, worker, ready, ready, end)


def test_one_after_the_other() -> None:
    assert elapsed_by_call([ran(0, 0, 0, 2), ran(1, 0, 3, 4)]) == {0: 2, 1: 1}


def test_both_cores_on_one_call_count_once() -> None:
    assert elapsed_by_call([ran(0, 0, 0, 2), ran(0, 1, 1, 3)]) == {0: 3}


def test_calls_at_the_same_time_share_it() -> None:
    found = elapsed_by_call([ran(0, 0, 0, 4), ran(1, 1, 2, 4), ran(1, 2, 2, 4), ran(2, 1, 6, 6)])
    assert found == {0: pytest.approx(2 + 2 / 3), 1: pytest.approx(4 / 3), 2: 0}


def test_a_clock_that_goes_back_a_little_breaks_nothing() -> None:
    assert elapsed_by_call([ran(0, 0, 2, 1), ran(1, 0, 2, 3)]) == {0: 0, 1: 1}


def test_nothing_ran() -> None:
    assert elapsed_by_call([]) == {}
