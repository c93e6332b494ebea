"""The simulated work queue: what can be worked out by hand."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks.scaling.__main__ import ALONE, run_of
from benchmarks.scaling.measured import Launch, Measured
from benchmarks.scaling.queue_model import Costs, Operation, simulate

FREE = Costs(0.0, 0.0, 0.0, 0.0)


def chain(count: int, items: int, chunk: int = 1) -> list[Operation]:
    """Operations of 1 ms an item, each of which awaits the one before."""
    return [
        Operation(f"op{i}", items, chunk, 1e-3, 1e6, (i - 1,) if i else ()) for i in range(count)
    ]


@pytest.mark.parametrize("workers", [1, 2, 4, 8])
def test_work_that_divides_evenly_scales_without_loss(workers: int) -> None:
    found = simulate(chain(3, 64), workers, workers, FREE)
    assert found.seconds == pytest.approx(3 * 64e-3 / workers)
    assert found.computing == pytest.approx(3 * 64e-3)
    assert found.waiting == pytest.approx(0, abs=1e-9)


def test_more_workers_than_items_wait() -> None:
    found = simulate(chain(5, 2), 8, 8, FREE)
    assert found.seconds == pytest.approx(5e-3)
    assert found.computing == pytest.approx(10e-3)
    assert sum(found.late) == found.waiting


def test_a_chunk_is_what_one_worker_does() -> None:
    assert simulate(chain(1, 64, chunk=32), 8, 2, FREE).seconds == pytest.approx(32e-3)


def test_operations_that_do_not_await_each_other_overlap() -> None:
    one = Operation("one", 1, 1, 1e-3, 0.0, ())
    assert simulate([one, one, one], 3, 3, FREE).seconds == pytest.approx(1e-3)
    behind = dataclasses.replace(one, awaited=(0, 1))
    found = simulate([one, one, behind], 3, 3, FREE)
    assert found.seconds == pytest.approx(2e-3) and found.late[2] == pytest.approx(1e-3)


def test_what_the_queue_costs() -> None:
    """One worker looks at its segment again before it leaves it, which costs nothing: the counter is its own."""
    found = simulate(chain(2, 4), 1, 1, Costs(look=1e-3, take=2e-3, hand_over=9e-3, wake=0.0))
    assert found.taking == pytest.approx(2 * 1e-3 + 8 * 2e-3)
    assert found.seconds == pytest.approx(8e-3 + found.taking)
    waited = simulate(chain(2, 1), 2, 2, dataclasses.replace(FREE, hand_over=5e-3))
    assert waited.seconds in (pytest.approx(2e-3), pytest.approx(7e-3))


def test_memory_is_shared() -> None:
    """An item moves 1 MB: at 4 GB/s four workers need a millisecond each for it, eight need two."""
    bounded = dataclasses.replace(FREE, bandwidth=4e9)
    times = [simulate(chain(1, 64), n, n, bounded).seconds for n in (1, 4, 8)]
    assert times == [pytest.approx(s) for s in (64e-3, 16e-3, 16e-3)]


def test_an_operation_awaits_earlier_ones_only() -> None:
    with pytest.raises(ValueError, match="operation 0 awaits"):
        simulate([dataclasses.replace(chain(1, 1)[0], awaited=(0,))], 1, 1)


def test_launches_follow_each_other_and_go_through_text() -> None:
    alone = Launch((Operation("alone", 10, 1, 1e-3, 0.0, ()),), 0)
    measured = Measured((Launch(tuple(chain(2, 8)), 4), alone), 1.0)
    assert Measured.parse(measured.text()) == measured
    found = run_of(measured, 4, FREE)
    assert found.seconds == pytest.approx(4e-3 + 3e-3 + ALONE)
    assert len(found.late) == 3
