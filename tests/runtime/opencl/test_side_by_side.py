"""Compilers of GPUs work at several programs at a time, each of one kernel; errors and progress stay in their order."""

from __future__ import annotations

import dataclasses
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pyopencl as cl
import pytest

from clconv.cases.elementwise.elementwise import special
from clconv.device.info import DeviceInfo
from clconv.errors import KernelBuildError
from clconv.lowering.model.call import Kernel, StoredKernel, StoredProgram
from clconv.planning.planner import Planner
from clconv.runtime.opencl import BUILD_OPTIONS, Compiler, compiler, open_device
from clconv.runtime.opencl.built import built, side_by_side
from clconv.runtime.opencl.program import together

SOURCE = "kernel void {0}(global int *x) {{ x[0] += {1}; }}"


def compiler_of(device: DeviceInfo, **changes: Any) -> Compiler:
    """A Compiler of this device that takes it for another."""
    opened = open_device(device)
    return Compiler(
        dataclasses.replace(device, **changes), opened.context, opened.context.devices[0]
    )


@pytest.fixture
def gpus(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> Compiler:
    monkeypatch.setattr(compiler, "usable_cores", lambda: 2)
    return compiler_of(device, kind="gpu", platform="of a GPU")


def stored(name: str, body: str = "1") -> StoredKernel:
    source = SOURCE.format(name, body)
    return StoredKernel.in_program(name, "test.cl", 1, StoredProgram(source))


def test_results_are_in_order_and_tasks_overlap() -> None:
    meet = threading.Barrier(2, timeout=60)

    def task(i: int) -> Callable[[], int]:
        return lambda: meet.wait() * 0 + i

    assert [*side_by_side(map(task, range(6)), 2)] == [*range(6)]


def test_the_first_error_in_order_is_told_and_nothing_runs_behind_it() -> None:
    later_failed, begun, over = threading.Event(), [], []

    def task(i: int) -> Callable[[], int]:
        def do() -> int:
            begun.append(i)
            if i == 1:
                assert later_failed.wait(60)
                raise KeyError(1)
            if i == 2:
                later_failed.set()
                raise KeyError(2)
            over.append(i)
            return i

        return do

    found = side_by_side(map(task, range(500)), 2)
    assert next(found) == 0
    with pytest.raises(KeyError, match="1"):
        next(found)
    assert {*over} == {*begun} - {1, 2}  # nothing is at work
    now = len(begun)
    assert not [*found] and len(begun) == now


def test_without_threads_all_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> None:
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr("clconv.runtime.opencl.built.ThreadPoolExecutor.submit", refuse)
    assert [*side_by_side([threading.get_ident] * 3, 2)] == [threading.get_ident()] * 3


def test_programs_are_built_at_the_same_time(
    gpus: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet, threads = threading.Barrier(2, timeout=60), set()

    def meeting(*arguments: Any) -> Any:
        meet.wait()
        threads.add(threading.get_ident())
        return built(*arguments)

    monkeypatch.setattr(compiler, "built", meeting)
    kernels, told = [stored(f"k{i}", f"{i}") for i in range(4)], []
    filters = [*warnings.filters]
    programs = gpus.prepare(kernels, lambda done, total: told.append((done, total)))
    assert len(threads) == 2 and threading.get_ident() not in threads
    assert told == [(i, 4) for i in range(5)] and warnings.filters == filters
    queue = cl.CommandQueue(gpus.context)
    flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
    memory = cl.Buffer(gpus.context, flags, hostbuf=np.zeros(1, np.int32))
    for kernel in kernels:
        launched = programs[kernel].kernel(kernel)
        launched.set_arg(0, memory)
        cl.enqueue_nd_range_kernel(queue, launched, (1,), None)
    cl.enqueue_copy(queue, found := np.empty(1, np.int32), memory, is_blocking=True)
    assert found == [6]
    assert gpus.prepare(kernels, lambda done, total: told.append((done, total))) == programs
    assert len(told) == 5


def test_one_of_several_is_refused(gpus: Compiler) -> None:
    kernels = [stored("good"), stored("bad", "no_such_name"), stored("worse", "nor_this")]
    told = []
    with pytest.raises(KernelBuildError, match="kernel void bad") as raised:
        gpus.prepare(kernels, lambda done, total: told.append((done, total)))
    assert "no_such_name" in str(raised.value) and "worse" not in str(raised.value)
    assert told == [(0, 3), (1, 3)]
    assert len(gpus.prepare([kernels[0], stored("another")])) == 2


def test_an_error_of_who_is_told_ends_it(gpus: Compiler) -> None:
    def told(done: int, total: int) -> None:
        if done == 1:
            raise KeyError("enough")

    kernels = [stored(f"e{i}") for i in range(8)]
    with pytest.raises(KeyError, match="enough"):
        gpus.prepare(kernels, told)
    assert not [t for t in threading.enumerate() if t.name.startswith("clconv build")]
    assert len(gpus.prepare(kernels)) == 8


def test_a_gpus_programs_are_of_one_kernel_and_others_of_many(
    device: DeviceInfo, gpus: Compiler
) -> None:
    kernels = kernels_of(device)
    assert len(kernels) > 1
    programs = gpus.prepare(kernels)
    assert len({id(program) for program in programs.values()}) == len(kernels)
    others: tuple[dict[str, str], ...] = (
        {"kind": "cpu"},
        {"kind": "cpu", "platform": "of a CPU"},
        {"kind": "accelerator", "platform": "Oclgrind"},
    )
    for change in others:
        found = compiler_of(device, **change).prepare(kernels)
        assert len({id(program) for program in found.values()}) == len(together(kernels)) == 1


def kernels_of(device: DeviceInfo) -> list[Kernel]:
    """Kernels that stand for themselves, of any kind."""
    as_gpu = dataclasses.replace(device, kind="gpu")
    calls = [
        call
        for name in ("Relu", "Sigmoid", "Tanh")
        for call in Planner(as_gpu).plan_as_is(special(name).build()[0]).calls
    ]
    return [*dict.fromkeys(call.kernel for call in calls)]


def test_pyopencl_keeps_no_binary_of_its_own(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **named: Any) -> None:
        raise AssertionError("the cache was asked")

    monkeypatch.setattr(cl, "_PYOPENCL_NO_CACHE", False)  # pyopencl was imported first
    monkeypatch.setattr("pyopencl.characterize.has_src_build_cache", lambda device: None)
    monkeypatch.setattr("pyopencl.cache.create_built_program_from_source_cached", refuse)
    context = open_device(device).context
    with pytest.raises(AssertionError, match="cache"):
        cl.Program(context, SOURCE.format("k", 1)).build()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.CompilerWarning)
        program = built(context, context.devices[0], SOURCE.format("k", 1), BUILD_OPTIONS)
    assert program.num_kernels == 1
