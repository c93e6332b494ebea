"""Launches without events: the same results, order and errors as pyopencl's."""

from __future__ import annotations

import dataclasses
import sys
import threading
import time
from typing import Any, NamedTuple

import numpy as np
import pyopencl as cl
import pytest

from clconv.device.info import DeviceInfo
from clconv.errors import DeviceError
from clconv.runtime.opencl import Device, Launch, Queue, open_device, set_arguments
from clconv.runtime.opencl import launches as module
from clconv.runtime.opencl.launches import Launches, enqueue_function

SOURCE = """
kernel void times(global uint *x, uint by, uint plus) {
    const size_t i = get_global_id(0) + get_global_size(0) * get_global_id(1);
    x[i] = x[i] * by + plus;
}
kernel void slow(global uint *x, uint count) {
    uint found = x[0];
    for (uint i = 0; i < count; i++)
        found = found * 1664525u + 1013904223u + get_local_id(0);
    x[0] = found;
}
"""
SIZE = 16


class Made(NamedTuple):
    device: Device
    queue: Queue
    program: Any


@pytest.fixture(params=["OpenCL's function", "pyopencl", "as on a CPU"])
def opened(
    device: DeviceInfo, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Made:
    """Each way to launch, on any device."""
    if request.param == "pyopencl":
        monkeypatch.setattr(module, "enqueue_function", lambda: None)
    kind = "cpu" if request.param == "as on a CPU" else "gpu"
    return made(open_device(device), kind)


@pytest.fixture
def direct(device: DeviceInfo) -> Made:
    """What launches by OpenCL's function."""
    if enqueue_function() is None:
        pytest.skip("pyopencl launches all here")
    return made(open_device(device), "gpu")


def made(device: Device, kind: str, given: Any = None) -> Made:
    queue = device.queue(given=given)
    queue.info = dataclasses.replace(queue.info, kind=kind)
    return Made(device, queue, cl.Program(device.context, SOURCE).build())


def buffer(context: Any) -> Any:
    flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
    return cl.Buffer(context, flags, hostbuf=np.zeros(SIZE, np.uint32))


def steps(program: Any, memory: Any, count: int) -> tuple[list[Launch], int]:
    """Launches whose order shows in what they compute, and what each element is behind them."""
    found: list[Launch] = []
    value = 0
    for i in range(count):
        kernel = cl.Kernel(program, "times")
        set_arguments(kernel, [memory, np.uint32(3), np.uint32(i + 1)])
        sizes = ((SIZE,), (SIZE // 2,)) if i % 2 else ((SIZE // 2, 2), None)
        found.append((kernel, *sizes))
        value = (value * 3 + i + 1) % 2**32
    return found, value


@pytest.mark.parametrize("count", [0, 1, 4, 5, 40])
def test_results_are_there_in_order(opened: Made, count: int) -> None:
    device, queue, program = opened
    memory, found = buffer(device.context), np.empty(SIZE, np.uint32)
    launches, value = steps(program, memory, count)
    ready = queue.ready(launches)
    queue.run(ready, waits=False)
    queue.read(found, memory, wait=True)
    assert (found == value).all()
    zeros = np.zeros(SIZE, np.uint32)
    queue.write(memory, zeros)
    queue.run(ready, waits=False)
    queue.read(found, memory)
    queue.finish()
    assert (found == value).all()


@pytest.mark.skipif(sys.platform != "linux", reason="how pyopencl is linked there is not known")
def test_linux_has_the_function() -> None:
    assert enqueue_function() is not None


def test_no_launch_goes_by_pyopencl(direct: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    device, queue, program = direct
    launches, value = steps(program, memory := buffer(device.context), 6)
    monkeypatch.setattr(cl, "enqueue_nd_range_kernel", None)
    queue.run(queue.ready(launches), waits=True)
    queue.read(found := np.empty(SIZE, np.uint32), memory, wait=True)
    assert (found == value).all()


WRONG = {
    "no divisor": ((SIZE,), (SIZE - 1,)),
    "too large a group": ((1 << 30,), (1 << 30,)),
    "two lengths": ((SIZE, 1), (SIZE,)),
    "no dimension": ((), None),
    "four dimensions": ((SIZE, 1, 1, 1), None),
    "below zero": ((-1,), None),
    "no type holds it": ((1 << 64,), None),
}


@pytest.mark.parametrize("sizes", WRONG.values(), ids=WRONG.keys())
def test_wrong_sizes_are_refused_in_the_same_words(opened: Made, sizes: Any) -> None:
    device, queue, program = opened
    launches, _ = steps(program, memory := buffer(device.context), 6)
    kernel, *_ = launches[5]
    try:
        cl.enqueue_nd_range_kernel(queue.raw, kernel, *sizes)
        pytest.skip("this runtime takes them")
    except (cl.Error, OverflowError) as reason:
        said = str(reason)
    except (TypeError, RuntimeError) as error:  # not of OpenCL
        with pytest.raises(type(error)):
            queue.run(queue.ready([*launches[:5], (kernel, *sizes)]), waits=True)
        return
    with pytest.raises(DeviceError) as raised:
        queue.run(queue.ready([*launches[:5], (kernel, *sizes)]), waits=True)
    queue.read(found := np.empty(SIZE, np.uint32), memory, wait=True)
    assert found.all()  # those before it ran
    assert str(raised.value) == f"{queue.info}: cannot run kernels: {said}"


def test_a_missing_argument_is_refused(opened: Made) -> None:
    _, queue, program = opened
    kernel = cl.Kernel(program, "times")
    with pytest.raises(DeviceError, match=r"cannot run kernels: .*INVALID_KERNEL_ARGS"):
        queue.run(queue.ready([(kernel, (SIZE,), None)]), waits=True)


def test_what_fails_once_is_tried_again(direct: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    function, failures = enqueue_function(), []

    def failing(*arguments: Any) -> int:
        if len(failures) < 2:
            failures.append(arguments)
            return int(cl.status_code.OUT_OF_RESOURCES)
        return int(function(*arguments))

    monkeypatch.setattr(module, "enqueue_function", lambda: failing)
    device, queue, program = direct
    launches, value = steps(program, memory := buffer(device.context), 7)
    queue.run(queue.ready(launches), waits=True)
    queue.read(found := np.empty(SIZE, np.uint32), memory, wait=True)
    assert len(failures) == 2 and (found == value).all()


def test_a_function_of_another_library_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    if enqueue_function() is None:
        pytest.skip("pyopencl launches all here")
    addresses = iter((1, 2))
    monkeypatch.setattr(module, "_address", lambda function: next(addresses))
    assert enqueue_function.__wrapped__() is None


def test_threads_share_a_queue(opened: Made) -> None:
    device, queue, program = opened
    memories = [buffer(device.context) for _ in range(4)]
    plans = [steps(program, memory, 20) for memory in memories]
    start = threading.Barrier(len(plans))

    def run(ready: Launches) -> None:
        start.wait()
        for _ in range(25):
            queue.run(ready, waits=False)
        queue.finish()

    ready = [queue.ready(launches) for launches, _ in plans]
    threads = [threading.Thread(target=run, args=(one,)) for one in ready]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = 0
    for _ in range(25):
        for i in range(20):
            expected = (expected * 3 + i + 1) % 2**32
    for memory in memories:
        queue.read(found := np.empty(SIZE, np.uint32), memory, wait=True)
        assert (found == expected).all()


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_a_callers_queue_keeps_its_order(device: DeviceInfo, kind: str) -> None:
    context = cl.Context([open_device(device).context.devices[0]])
    raw = cl.CommandQueue(context)
    _, queue, program = made(open_device(device, context), kind, raw)
    memory = buffer(context)
    launches, value = steps(program, memory, 6)
    cl.enqueue_fill_buffer(raw, memory, np.uint32(7), 0, SIZE * 4)  # comes before
    queue.run(queue.ready(launches), waits=False)
    found = np.empty(SIZE, np.uint32)
    cl.enqueue_copy(raw, found, memory, is_blocking=True)  # comes behind
    assert (found == (value + 7 * 3**6) % 2**32).all()


@pytest.mark.parametrize("copies", ["writes", "reads"])
def test_other_threads_run_while_a_copy_waits_for_kernels(opened: Made, copies: str) -> None:
    device, queue, program = opened
    memory, kernel = buffer(device.context), cl.Kernel(program, "slow")
    array = np.empty(SIZE, np.uint32)
    count = 1 << 20
    while True:  # until a launch takes long enough to see
        set_arguments(kernel, [memory, np.uint32(count)])
        ready = queue.ready([(kernel, (1,), (1,))])
        queue.run(ready, waits=True)
        begin = time.perf_counter()
        queue.run(ready, waits=True)
        if (seconds := time.perf_counter() - begin) > 0.2 or count >= 1 << 30:
            break
        count *= 2
    ended, ticks = threading.Event(), []

    def tick() -> None:
        while not ended.wait(seconds / 50):
            ticks.append(time.perf_counter())

    thread = threading.Thread(target=tick)
    thread.start()
    begin = time.perf_counter()
    queue.run(ready, waits=False)
    if copies == "writes":
        queue.write(buffer(device.context), array)
    else:
        queue.read(array, memory)
    queue.finish()
    end = time.perf_counter()
    ended.set()
    thread.join()
    assert end - begin > seconds / 4
    assert sum(begin < at < end for at in ticks) >= 5


def test_a_read_of_nothing_waits_as_well(opened: Made) -> None:
    device, queue, program = opened
    kernel = cl.Kernel(program, "slow")
    set_arguments(kernel, [memory := buffer(device.context), np.uint32(1 << 24)])
    event = queue.launch(kernel, (1,), (1,))
    queue.read(np.empty((0, 3), np.uint32), memory, wait=True)
    assert event.command_execution_status == cl.command_execution_status.COMPLETE
