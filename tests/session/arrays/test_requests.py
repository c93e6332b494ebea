"""Requests: several runs in flight, futures and coroutines, and how they end."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
import weakref

import numpy as np
import pyopencl as cl
import pytest

from clconv.device.info import DeviceInfo
from clconv.errors import ClosedError, InputError
from clconv.session.requests import MOST_WAITING, WORKERS
from clconv.session.session import Session
from tests.graph.graph_builder import Builder
from tests.patience import HANG, until
from tests.runtime.support import in_threads, picture, residual
from tests.session import state_graphs

SHAPE = (1, 3, 16, 16)


@pytest.fixture
def session(device: DeviceInfo) -> Session:
    return Session(residual(), device)


def test_futures_hold_what_run_returns(session: Session) -> None:
    pictures = [picture(*SHAPE, seed=i) for i in range(20)]
    expected = [session.run(x)["result"] for x in pictures]
    futures = [session.submit(x) for x in pictures]
    for future, reference in zip(futures, expected, strict=True):
        assert isinstance(future, concurrent.futures.Future)
        np.testing.assert_array_equal(future.result(HANG)["result"], reference)


def test_results_of_requests_may_stay_on_the_device(session: Session) -> None:
    x = session.to_device(picture(*SHAPE))
    expected = session.run(x)["result"]
    futures = [session.submit(x, "device") for _ in range(6)]
    for future in futures:
        np.testing.assert_array_equal(future.result(HANG)["result"].get(), expected)


def test_sizes_may_change_between_requests(session: Session) -> None:
    pictures = [picture(1, 3, 8 + i % 3, 16, seed=i) for i in range(9)]
    futures = [session.submit({"x": x}) for x in pictures]
    for x, future in zip(pictures, futures, strict=True):
        np.testing.assert_array_equal(future.result(HANG)["result"], session.run(x)["result"])


def test_a_wrong_request_fails_alone(session: Session) -> None:
    x = picture(*SHAPE)
    good, bad, behind = session.submit(x), session.submit(x[:, :2]), session.submit(x)
    with pytest.raises(InputError, match="takes float32"):
        bad.result(HANG)
    for future in (good, behind):
        np.testing.assert_array_equal(future.result(HANG)["result"], session.run(x)["result"])


def test_requests_can_be_awaited(session: Session) -> None:
    pictures = [picture(*SHAPE, seed=i) for i in range(3 * MOST_WAITING)]

    async def all_of_them() -> list[np.ndarray]:
        first = await asyncio.wrap_future(session.submit(pictures[0]))
        rest = await asyncio.gather(*(session.run_async(x) for x in pictures[1:]))
        return [found["result"] for found in (first, *rest)]

    for x, found in zip(pictures, asyncio.run(all_of_them()), strict=True):
        np.testing.assert_array_equal(found, session.run(x)["result"])


def test_an_awaited_request_may_fail(session: Session) -> None:
    with pytest.raises(InputError):
        asyncio.run(session.run_async(picture(1, 2, 3, 4)))


class _Held:
    """Keeps the device from going on until release()."""

    def __init__(self, session: Session) -> None:
        self.event = cl.UserEvent(session.context)

    def release(self) -> None:
        self.event.set_status(cl.command_execution_status.COMPLETE)


def test_submit_waits_while_many_requests_are_not_done(session: Session) -> None:
    x = picture(*SHAPE)
    session.run(x)
    held = _Held(session)
    futures = [session.submit(x, wait_for=held.event) for _ in range(MOST_WAITING)]
    more: list[concurrent.futures.Future] = []
    thread = threading.Thread(target=lambda: more.append(session.submit(x)))
    thread.start()
    thread.join(0.2)
    waited = not more
    held.release()
    thread.join(HANG)
    assert waited and more
    for future in (*futures, *more):
        assert future.result(HANG)["result"].shape == (1, 16, 16, 16)


def test_a_request_that_has_not_begun_can_be_taken_back(session: Session) -> None:
    x = picture(*SHAPE)
    session.run(x)
    held = _Held(session)
    futures = [session.submit(x, wait_for=held.event) for _ in range(WORKERS + 2)]
    cancelled = futures[-1].cancel()
    held.release()
    assert cancelled
    for future in futures[:-1]:
        future.result(HANG)
    with pytest.raises(concurrent.futures.CancelledError):
        futures[-1].result(HANG)


def test_close_ends_requests_cleanly(session: Session) -> None:
    x = picture(*SHAPE)
    expected = session.run(x)["result"]
    held = _Held(session)
    futures = [session.submit(x, wait_for=held.event) for _ in range(MOST_WAITING)]
    threading.Timer(0.1, held.release).start()
    session.close()
    ends = {type(future.exception(HANG)) for future in futures}
    assert ends <= {type(None), ClosedError}
    for future in futures:
        if future.exception() is None:
            np.testing.assert_array_equal(future.result()["result"], expected)
    with pytest.raises(ClosedError):
        session.submit(x)
    with pytest.raises(ClosedError):
        asyncio.run(session.run_async(x))


def test_a_request_may_close_its_session(session: Session) -> None:
    ended = threading.Event()

    def close(future: concurrent.futures.Future) -> None:
        session.close()
        ended.set()

    session.submit(picture(*SHAPE)).add_done_callback(close)
    assert ended.wait(HANG)
    assert session.closed


def test_callbacks_may_ask_for_more_than_may_wait(session: Session) -> None:
    """They are called by the threads that make room."""
    x = picture(*SHAPE)
    expected = session.run(x)["result"]
    asked: list[concurrent.futures.Future] = []
    held = _Held(session)
    for _ in range(MOST_WAITING):
        session.submit(x, wait_for=held.event).add_done_callback(
            lambda _: asked.extend(session.submit(x) for _ in range(2))
        )
    held.release()
    until(lambda: len(asked) == 2 * MOST_WAITING)
    for future in asked:
        np.testing.assert_array_equal(future.result(HANG)["result"], expected)


def test_the_last_reference_frees_a_session_with_requests(device: DeviceInfo) -> None:
    session = Session(residual(), device)
    future = session.submit(picture(*SHAPE))
    shared = weakref.ref(session._shared)
    future.result(HANG)
    del session
    until(lambda: shared() is None)  # a thread lets go of its last job a moment after the result
    gc.collect()


def test_state_counts_every_request(device: DeviceInfo) -> None:
    b = state_graphs.Builder({"x": (4, 5), "count": (4, 5)})
    b.node("Add", "count", "x", out="more")
    y = b.node("Mul", "more", b.number(2.0), out="y")
    session = Session(b.graph([y, "more"], {"count": "more"}), device)
    one = np.ones((4, 5), np.float32)
    futures = [session.submit({"x": one}, outputs="device") for _ in range(7)]
    found = sorted(float(future.result(HANG)["y"].get()[0, 0]) for future in futures)
    assert found == [2, 4, 6, 8, 10, 12, 14]
    np.testing.assert_array_equal(session.state.read("count"), 7 * one)


def test_many_threads_run_on_the_device_at_once(device: DeviceInfo) -> None:
    b = Builder()
    x = b.input("n", 3, 8, 8)
    session = Session(b.graph(b.node("Relu", b.conv(x, 8, 3, 3), out="y")), device)
    pictures = [picture(1 + i % 2, 3, 8, 8, seed=i) for i in range(8)]
    expected = [session.run(p)["y"] for p in pictures]
    wrong: list[int] = []

    def work(i: int) -> None:
        given = session.to_device(pictures[i])
        for k in range(25):
            found = session.run(given if k % 3 else pictures[i], "device" if k % 2 else None)["y"]
            if not np.array_equal(np.asarray(found), expected[i]):
                wrong.append(i)

    in_threads(len(pictures), work)
    assert not wrong
