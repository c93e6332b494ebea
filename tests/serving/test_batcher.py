"""The queue: who runs with whom, when, and what becomes of requests at the end."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import CancelledError, Future

import numpy as np
import pytest

from clconv.serving.batcher import Arrays, Batcher, BatchRun
from clconv.serving.refused import Refused
from clconv.serving.sizes import rows_to_take, size_for, sizes_up_to
from tests.patience import HANG


class Engine:
    """Notes the batches that it gets, and holds the first until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.busy, self.free = threading.Event(), threading.Event()

    def __call__(self, items: Sequence[Arrays], kind: Hashable) -> list[Arrays | BaseException]:
        self.batches.append([int(item["id"][0]) for item in items])
        self.busy.set()
        assert self.free.wait(HANG)
        return [ValueError("bad") if item["id"][0] < 0 else {"y": item["id"] * 2} for item in items]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def batcher(engine: Engine) -> Iterator[Batcher]:
    made = Batcher([engine], lambda kind: sizes_up_to(4), delay=0)
    yield made
    engine.free.set()
    made.close()


def submit(batcher: Batcher, number: int, rows: int = 1, kind: str = "a") -> Future[Arrays]:
    return batcher.submit({"id": np.full(rows, number)}, rows, kind)


def block(batcher: Batcher, engine: Engine) -> Future[Arrays]:
    """A request that keeps the engine busy until engine.free."""
    first = submit(batcher, 100)
    assert engine.busy.wait(HANG)
    return first


def test_what_waits_runs_together(batcher: Batcher, engine: Engine) -> None:
    answers = [block(batcher, engine), *(submit(batcher, i) for i in range(6))]
    assert batcher.waiting == 6
    engine.free.set()
    assert [int(a.result(HANG)["y"][0]) for a in answers] == [200, 0, 2, 4, 6, 8, 10]
    assert engine.batches == [[100], [0, 1, 2, 3], [4, 5]]


def test_other_kinds_are_not_mixed_and_none_is_overtaken_for_long(
    batcher: Batcher, engine: Engine
) -> None:
    block(batcher, engine)
    answers = [submit(batcher, i, kind="ab"[i % 2]) for i in range(6)]
    engine.free.set()
    for answer in answers:
        answer.result(HANG)
    assert engine.batches[1] == [0, 2]  # three wait: two fill a size
    assert sorted(n for batch in engine.batches[1:] for n in batch) == list(range(6))
    assert all(len({n % 2 for n in batch}) == 1 for batch in engine.batches[1:])


def test_requests_of_several_rows(batcher: Batcher, engine: Engine) -> None:
    block(batcher, engine)
    answers = [submit(batcher, i, rows) for i, rows in enumerate((3, 2, 1, 9, 4))]
    engine.free.set()
    assert [len(a.result(HANG)["y"]) for a in answers] == [3, 2, 1, 9, 4]
    assert engine.batches[1:] == [[0, 2], [1], [3], [4]]


def test_an_error_is_one_requests_own(batcher: Batcher, engine: Engine) -> None:
    block(batcher, engine)
    answers = [submit(batcher, i) for i in (1, -1, 2)]
    engine.free.set()
    assert [int(a.result(HANG)["y"][0]) for a in (answers[0], answers[2])] == [2, 4]
    with pytest.raises(ValueError, match="bad"):
        answers[1].result(HANG)


def test_a_cancelled_request_does_not_run(batcher: Batcher, engine: Engine) -> None:
    block(batcher, engine)
    gone, stays = submit(batcher, 1), submit(batcher, 2)
    assert gone.cancel()
    engine.free.set()
    assert stays.result(HANG)["y"][0] == 4
    assert engine.batches == [[100], [2]]
    with pytest.raises(CancelledError):
        gone.result(HANG)


def test_who_is_alone_does_not_wait() -> None:
    engine = Engine()
    engine.free.set()
    batcher = Batcher([engine], lambda kind: (1, 2, 4), delay=10 * HANG)
    for i in range(3):
        submit(batcher, i).result(HANG)
    batcher.close()


def test_a_request_waits_for_those_that_are_expected() -> None:
    """Two clients overlapped: the second waits for the first to come back, however long that takes within the delay."""
    engine, told = Engine(), []
    batcher = Batcher([engine], lambda kind: (1, 2, 4), 10 * HANG, told.append)
    first = block(batcher, engine)
    second = submit(batcher, 1)
    engine.free.set()
    first.result(HANG)
    again = submit(batcher, 2)
    second.result(HANG), again.result(HANG)
    assert engine.batches == [[100], [1, 2]]
    submit(batcher, 3)
    submit(batcher, 4).result(HANG)
    assert engine.batches == [[100], [1, 2], [3, 4]]
    batcher.close()
    assert [ran.rows for ran in told] == [1, 2, 2] and isinstance(told[0], BatchRun)


def test_a_request_waits_no_longer_than_the_delay() -> None:
    """Those that are expected do not come back: the first waits for them, the next does not."""
    engine, told = Engine(), []
    batcher = Batcher([engine], lambda kind: (1, 2, 4), 0.2, told.append)
    first, second = block(batcher, engine), submit(batcher, 1)
    engine.free.set()
    first.result(HANG), second.result(HANG)
    batcher._delay = 10 * HANG  # whoever waits now waits for too long
    submit(batcher, 2).result(HANG)
    batcher.close()
    assert engine.batches == [[100], [1], [2]] and told[1].waited[0] >= 0.2


def test_close_runs_what_waits(engine: Engine, batcher: Batcher) -> None:
    answers = [block(batcher, engine), *(submit(batcher, i) for i in range(3))]
    threading.Timer(0.1, engine.free.set).start()
    batcher.close()
    assert all(a.done() for a in answers) and not batcher.works
    with pytest.raises(Refused, match="stops"):
        submit(batcher, 1)


def test_close_without_time_refuses_what_waits(engine: Engine, batcher: Batcher) -> None:
    first, waits = block(batcher, engine), submit(batcher, 1)
    batcher.close(finish=False)
    with pytest.raises(Refused, match="no time") as found:
        waits.result(HANG)
    assert found.value.status == 503
    engine.free.set()
    assert first.result(HANG)["y"][0] == 200


def test_a_failing_runner_is_an_answer_and_no_end() -> None:
    calls: list[int] = []

    def run(items: Sequence[Arrays], kind: Hashable) -> list[Arrays]:
        calls.append(len(items))
        if len(calls) == 1:
            raise RuntimeError("once")
        return [dict(item) for item in items]

    batcher = Batcher([run], lambda kind: (1,), 0)
    with pytest.raises(RuntimeError, match="once"):
        submit(batcher, 1).result(HANG)
    assert submit(batcher, 2).result(HANG)["id"][0] == 2 and batcher.works
    batcher.close()


def test_two_devices_share_a_queue() -> None:
    engines = [Engine(), Engine()]
    batcher = Batcher(engines, lambda kind: (1,), 0)
    answers = [submit(batcher, i) for i in range(4)]
    assert all(d.busy.wait(HANG) for d in engines)
    for engine in engines:
        engine.free.set()
    assert [int(a.result(HANG)["y"][0]) for a in answers] == [0, 2, 4, 6]
    batcher.close()


def test_sizes() -> None:
    assert sizes_up_to(1) == (1,)
    assert sizes_up_to(8) == (1, 2, 4, 8)
    assert sizes_up_to(12) == (1, 2, 4, 8, 12)
    sizes = sizes_up_to(12)
    assert [rows_to_take(sizes, n) for n in (1, 3, 7, 11, 12, 99)] == [1, 2, 4, 8, 12, 12]
    assert rows_to_take((4,), 2) == 4
    assert [size_for(sizes, n) for n in (1, 3, 9)] == [1, 4, 12]
