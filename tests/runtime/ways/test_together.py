"""Launches of which the thread that asks is a worker, bit for bit as launches do, and whatever goes wrong."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import numpy as np
import pyopencl as cl
import pytest

from clconv.device.info import DeviceInfo
from clconv.planning.persistent import is_wanted
from clconv.runtime.bound import BoundPlan
from clconv.runtime.ways.faster import Kind
from clconv.runtime.ways.together import Together, _Part
from clconv.session.session import Session
from tests.planning.test_placement import Chain
from tests.runtime.support import in_threads, picture, residual
from tests.runtime.ways.test_alone import SIZE, rounding_down, settled

FEEDS = {"x": picture(*SIZE)}


@pytest.fixture(params=[2, 9])
def waking(device: DeviceInfo, request: pytest.FixtureRequest) -> DeviceInfo:
    """With more workers than threads, too, which run one after another."""
    if not is_wanted(device):
        pytest.skip(f"{device} does not wake slowly: all its runs are launches")
    return dataclasses.replace(device, compute_units=request.param)


def way(bound: BoundPlan) -> Together:
    found = bound._ways.faster.way
    assert isinstance(found, Together)
    return found


def part_of(session: Session) -> _Part:
    (part,) = way(settled(session, Kind.TOGETHER, SIZE))._parts
    return part


@pytest.mark.parametrize("seed", range(3))
def test_each_bit_is_that_of_a_launch(waking: DeviceInfo, seed: int) -> None:
    """Also for values so small that a thread could be told to take them for 0, and where it was told to round down."""
    graph = Chain(seed, 2).whole(24)
    session = Session(graph, waking)
    shapes = [graph.specs[name].shape for name in graph.inputs]
    feeds = [
        {
            name: picture(*shape, seed=run + i) * np.float32(scale)
            for i, (name, shape) in enumerate(zip(graph.inputs, shapes, strict=True))
        }
        for run, scale in enumerate((1, 1e-39, 1, 1, 1))
    ]
    settled(session, Kind.LAUNCH, *shapes)
    expected = [session.run(given) for given in feeds]
    bound = settled(session, Kind.TOGETHER, *shapes)
    with rounding_down():
        found = [session.run(given) for given in feeds]
    assert way(bound)
    for own, launched in zip(found, expected, strict=True):
        for name in launched:
            np.testing.assert_array_equal(own[name].view(np.uint32), launched[name].view(np.uint32))


@pytest.mark.parametrize("place", ["before", "between", "behind"])
def test_an_error_leaves_all_as_it_was(
    waking: DeviceInfo, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as an interrupt before the others were launched, before this thread began, and before it was told the end."""
    session = Session(residual(), waking)
    expected = session.run(FEEDS)["result"]
    part = part_of(session)
    call, others = part.call, part.others

    class Failing:
        def enqueue(self) -> None:
            if place == "between":
                others.enqueue()
            raise KeyboardInterrupt

    def failing(where: int) -> None:
        call(where)
        raise KeyboardInterrupt

    if place == "behind":
        monkeypatch.setattr(part, "call", failing)
    else:
        monkeypatch.setattr(part, "others", Failing())
    with pytest.raises(KeyboardInterrupt):
        session.run(FEEDS)
    monkeypatch.undo()
    assert not part.counters.any()
    other = {"x": FEEDS["x"] + 1}
    assert not np.array_equal(session.run(other)["result"], expected)
    np.testing.assert_array_equal(session.run(FEEDS)["result"], expected)


def test_workers_that_come_late_are_waited_for(waking: DeviceInfo) -> None:
    """This thread has done all by then, and looked in vain."""
    session = Session(residual(), waking)
    expected = session.run(FEEDS)["result"]
    part, bound = part_of(session), settled(session, Kind.TOGETHER, SIZE)
    queue = bound.queue.raw
    for _ in range(2):
        gate = cl.UserEvent(queue.context)
        cl.enqueue_barrier(queue, wait_for=[gate])
        opened = threading.Timer(0.3, gate.set_status, [cl.command_execution_status.COMPLETE])
        opened.start()
        np.testing.assert_array_equal(session.run(FEEDS)["result"], expected)
        assert part.unfinished[0] and not part.counters.any()
        opened.join()
    np.testing.assert_array_equal(session.run(FEEDS)["result"], expected)


def test_threads_and_other_sizes_do_not_disturb_each_other(waking: DeviceInfo) -> None:
    sessions = [Session(residual(), waking) for _ in range(2)]
    sizes = [SIZE, (2, 3, 9, 7)]
    feeds = [{"x": picture(*size, seed=i)} for i, size in enumerate(sizes)]
    expected = [sessions[0].run(given)["result"] for given in feeds]
    for session in sessions:
        for size in sizes:
            settled(session, Kind.TOGETHER, size)
    wrong: list[str] = []

    def work(number: int) -> None:
        for turn in range(40):
            which = (number + turn) % 2
            found = sessions[turn % 3 == 0].run(feeds[which])["result"]
            if not np.array_equal(found, expected[which]):
                wrong.append(f"thread {number}, turn {turn}")

    in_threads(4, work)
    assert not wrong


def test_launches_between_take_the_same_counters(waking: DeviceInfo) -> None:
    session = Session(residual(), waking)
    expected: Any = session.run(FEEDS)["result"]
    for turn in range(6):
        settled(session, (Kind.TOGETHER, Kind.LAUNCH)[turn % 2], SIZE)
        np.testing.assert_array_equal(session.run(FEEDS)["result"], expected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLCONV_CHECK", "1")
        np.testing.assert_allclose(session.run(FEEDS)["result"], expected, rtol=1e-5, atol=1e-5)


def test_one_worker_has_nobody_to_be_together_with(waking: DeviceInfo) -> None:
    session = Session(residual(), dataclasses.replace(waking, compute_units=1))
    bound = session.prepare({"x": SIZE})
    for _ in range(30):
        session.run(FEEDS)
    assert Kind.TOGETHER not in bound._ways.faster.made
