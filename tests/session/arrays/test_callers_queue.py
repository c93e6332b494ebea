"""Sessions in a context and a queue of the caller's: kernels of theirs before and behind a network, and events."""

from __future__ import annotations

import copy
import threading
import warnings
from typing import Any

import numpy as np
import pyopencl as cl
import pyopencl.array
import pytest

import clconv
from clconv.device.info import DeviceInfo
from clconv.errors import DeviceError, InputError
from clconv.runtime.device import devices
from clconv.runtime.transfers import Transfers, counted
from clconv.session.session import Session
from tests.patience import HANG
from tests.runtime.support import residual
from tests.session.arrays.foreign_kernels import (
    SOURCE,
    another_context,
    before,
    behind,
    copies_counted,
)

SHAPE = (1, 3, 16, 16)
RESULT = (1, 16, 16, 16)


@pytest.fixture(scope="module")
def queue(device: DeviceInfo) -> cl.CommandQueue:
    return cl.CommandQueue(another_context(device))


@pytest.fixture(scope="module")
def session(queue: cl.CommandQueue) -> Session:
    return clconv.load(residual(), queue=queue)


class _Kernels:
    """Two kernels of somebody else's."""

    def __init__(self, context: cl.Context) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cl.CompilerWarning)  # some log successful builds
            program = cl.Program(context, SOURCE).build()
        self.scaled = cl.Kernel(program, "scaled")
        self.thresholded = cl.Kernel(program, "thresholded")


@pytest.fixture(scope="module")
def kernels(queue: cl.CommandQueue) -> _Kernels:
    return _Kernels(queue.context)


def _bytes(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, SHAPE).astype(np.uint8)


def test_the_session_is_in_the_queue(session: Session, queue: cl.CommandQueue) -> None:
    assert session.queue == queue and session.context == queue.context
    x = before(_bytes())
    elsewhere = clconv.load(residual(), session.device)
    assert elsewhere.context != queue.context
    np.testing.assert_array_equal(session.run(x)["result"], elsewhere.run(x)["result"])


def test_kernel_network_kernel_without_a_copy(
    session: Session, queue: cl.CommandQueue, kernels: _Kernels
) -> None:
    """A kernel writes what the network reads, and one reads what it writes; only the queue orders them."""
    count, size = int(np.prod(SHAPE)), int(np.prod(RESULT))
    mask = cl.array.zeros(queue, RESULT, np.uint8)
    x = cl.array.empty(queue, SHAPE, np.float32)
    scaled, thresholded = kernels.scaled, kernels.thresholded
    session.run(x, outputs="device")  # plans, compiles
    for seed in range(4):
        image = cl.array.to_device(queue, _bytes(seed))
        with counted() as found, copies_counted() as seen:
            scaled(queue, (count,), None, image.data, x.data)
            y = session.run(x, outputs="device")["result"]
            thresholded(queue, (size,), None, y.buffer, mask.data)
        assert (found, seen) == (Transfers(), [])
        expected = behind(session.run(before(_bytes(seed)))["result"])
        # Kernels of theirs may round otherwise: where a value lies at the threshold, and nowhere else.
        assert np.mean(mask.get() != expected) < 0.01
        np.testing.assert_allclose(x.get(), before(_bytes(seed)), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(mask.get(), behind(y.get()))


def test_events_order_queues(session: Session, kernels: _Kernels) -> None:
    """A kernel in another queue, which waits for an event of the caller's: the run waits for it, and theirs for the run."""
    other = cl.CommandQueue(session.context)
    image = cl.array.to_device(other, _bytes())
    x = cl.array.zeros(other, SHAPE, np.float32)
    mask = cl.array.zeros(other, RESULT, np.uint8)
    other.finish()
    start = cl.UserEvent(session.context)
    args = (image.data, x.data)
    written = kernels.scaled(other, (x.size,), None, *args, wait_for=[start])
    other.flush()
    given = clconv.DeviceArray(x.data, SHAPE, np.float32)
    y = session.run(given, "device", wait_for=written)["result"]
    size = int(np.prod(RESULT))
    third = cl.CommandQueue(session.context)
    kernels.thresholded(third, (size,), None, y.buffer, mask.data, wait_for=y.events)
    third.flush()
    waiting = y.events[0].command_execution_status
    threading.Timer(0.05, lambda: start.set_status(cl.command_execution_status.COMPLETE)).start()
    third.finish()
    assert waiting != cl.command_execution_status.COMPLETE
    expected = session.run(x.get())["result"]
    np.testing.assert_array_equal(y.get(), expected)
    np.testing.assert_array_equal(mask.get(), behind(expected))
    np.testing.assert_allclose(x.get(), before(_bytes()), rtol=1e-5, atol=1e-6)


def test_memory_that_a_kernel_in_flight_reads_is_not_used_again(
    session: Session, kernels: _Kernels
) -> None:
    """The caller drops a result that a kernel of theirs, not begun yet, will read; more runs follow."""
    other = cl.CommandQueue(session.context)
    mask = cl.array.zeros(other, RESULT, np.uint8)
    given = [session.to_device(before(_bytes(seed))) for seed in range(6)]
    expected = behind(session.run(given[0])["result"])
    start = cl.UserEvent(session.context)
    y = session.run(given[0], outputs="device")["result"].wait()
    kernels.thresholded(other, (mask.size,), None, y.buffer, mask.data, wait_for=[start])
    other.flush()
    del y
    for x in given[1:]:
        session.run(x, outputs="device")["result"].wait()
    start.set_status(cl.command_execution_status.COMPLETE)
    other.finish()
    np.testing.assert_array_equal(mask.get(), expected)


def test_events_of_pyopencls_arrays_are_waited_for(session: Session) -> None:
    other = cl.CommandQueue(session.context)
    x = cl.array.to_device(other, before(_bytes()))
    expected = session.run(x.get())["result"]
    start = cl.UserEvent(session.context)
    zeros = cl.array.zeros(other, SHAPE, np.float32)
    x.add_event(cl.enqueue_copy(other, zeros.data, x.data, wait_for=[start]))
    other.flush()
    y = session.run(x, outputs="pyopencl")["result"]
    waiting = y.events[-1].command_execution_status
    start.set_status(cl.command_execution_status.COMPLETE)
    assert waiting != cl.command_execution_status.COMPLETE
    np.testing.assert_array_equal(y.get(), expected)


@pytest.mark.filterwarnings("ignore::pyopencl.CompilerWarning")  # some log successful builds
def test_operations_of_pyopencl_go_on_with_a_result(session: Session) -> None:
    x = before(_bytes())
    y = session.run(x, outputs="pyopencl")["result"]
    np.testing.assert_allclose((y * 2 + 1).get(), session.run(x)["result"] * 2 + 1, rtol=1e-6)


def test_a_host_run_waits_for_events_too(session: Session) -> None:
    start = cl.UserEvent(session.context)
    done: list[Any] = []
    x = before(_bytes())
    thread = threading.Thread(target=lambda: done.append(session.run(x, wait_for=[start])))
    thread.start()
    thread.join(0.1)
    was_done = bool(done)
    start.set_status(cl.command_execution_status.COMPLETE)
    thread.join(HANG)
    assert not was_done
    np.testing.assert_array_equal(done[0]["result"], session.run(x)["result"])


def test_a_context_alone_gets_a_queue(queue: cl.CommandQueue) -> None:
    session = clconv.load(residual(), context=queue.context)
    assert session.context == queue.context and session.queue != queue
    x = cl.array.to_device(queue, before(_bytes()))
    np.testing.assert_array_equal(
        session.run(x, outputs="device")["result"].get(), session.run(x.get())["result"]
    )


def test_a_copied_session_is_in_a_context_of_its_own(session: Session) -> None:
    again = copy.copy(session)
    x = before(_bytes())
    assert again.context != session.context
    np.testing.assert_array_equal(again.run(x)["result"], session.run(x)["result"])


def test_places_that_cannot_be_are_refused(
    queue: cl.CommandQueue, device: DeviceInfo, session: Session
) -> None:
    graph, context = residual(), queue.context
    with pytest.raises(InputError, match=r"pyopencl\.CommandQueue, not int"):
        clconv.load(graph, queue=3)
    with pytest.raises(InputError, match=r"pyopencl\.Context, not CommandQueue"):
        clconv.load(graph, context=queue)
    with pytest.raises(InputError, match="leave context= away"):
        clconv.load(graph, context=another_context(device), queue=queue)
    others = [d for d in devices() if d.index != device.index]
    for other in others:
        with pytest.raises((InputError, DeviceError), match="leave device= away"):
            clconv.load(graph, other, queue=queue)
    out_of_order = cl.command_queue_properties.OUT_OF_ORDER_EXEC_MODE_ENABLE
    if queue.device.queue_properties & out_of_order:
        with pytest.raises(InputError, match="out of order"):
            clconv.load(graph, queue=cl.CommandQueue(context, properties=out_of_order))
    with pytest.raises(InputError, match="wait_for takes events"):
        session.run(before(_bytes()), wait_for=[3])
    with pytest.raises(InputError, match="another context"):
        event = cl.enqueue_marker(cl.CommandQueue(another_context(device)))
        session.run(before(_bytes()), wait_for=[event])
