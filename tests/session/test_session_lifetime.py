"""What sessions share and for how long: threads, plans, memory, the end of the interpreter."""

from __future__ import annotations

import contextlib
import gc
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

import clconv
from clconv.api import load
from clconv.device.info import DeviceInfo
from clconv.errors import DeviceMemoryError, InputError
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.reference import run_reference
from clconv.runtime.opencl import Queue, host_memory
from clconv.session import stages
from clconv.session.session import Session
from clconv.session.stored_network import StoredNetwork
from tests.graph.graph_builder import Builder
from tests.lowering.support import made_up
from tests.patience import HANG
from tests.planning.support import make_plan
from tests.runtime.support import (
    assert_agrees,
    assert_runs_right,
    counted,
    picture,
    residual,
)

BOOL, FLOAT, INT64 = onnx.TensorProto.BOOL, onnx.TensorProto.FLOAT, onnx.TensorProto.INT64


def run_in_threads(sessions: list[Session], graph: Graph) -> None:
    """8 threads, 20 runs each, sizes and contents all different."""
    work = []
    for i in range(8):
        feeds = [
            {"x": picture(1 + i % 2, 3, 6 + (i + k) % 3, 7, seed=10 * i + k)} for k in range(2)
        ]
        work.append([(f, run_reference(graph, f)) for f in feeds])
    failures: list[BaseException] = []
    start = threading.Barrier(8)

    def many(i: int) -> None:
        try:
            start.wait()
            for run in range(20):
                feeds, expected = work[i][run % 2]
                assert_agrees(sessions[i % len(sessions)].run(feeds), expected)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=many, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]


@pytest.mark.parametrize("count", [1, 2])
def test_threads_may_share_sessions_and_sessions_a_device(count: int, device: DeviceInfo) -> None:
    graph = residual()
    run_in_threads([Session(graph, device) for _ in range(count)], graph)


def test_plans_not_used_for_long_are_freed(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "_PLANS_KEPT", 3)
    graph = residual()
    session = Session(graph, device)
    gc.disable()
    try:
        plans = [weakref.ref(session.prepare({"x": (1, 3, size, 8)})) for size in range(4, 9)]
        assert [ref() is not None for ref in plans] == [False, False, True, True, True]
        session.run({"x": picture(1, 3, 6, 8)})  # used: now the last to go
        session.prepare({"x": (1, 3, 20, 8)})
        assert [ref() is not None for ref in plans[2:]] == [True, False, True]
    finally:
        gc.enable()
    assert_runs_right(session, graph, {"x": picture(1, 3, 4, 8)})


def test_what_only_one_size_needs_goes_with_its_plan(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A constant made of the input's shape is on the device as long as the plan for that shape."""
    monkeypatch.setattr(stages, "_PLANS_KEPT", 2)
    b = Builder()
    x = b.input(1, 1, "h", "w")
    ones = b.node("ConstantOfShape", b.node("Shape", x), value=np.ones(1, np.float32))
    graph = b.graph(b.node("Concat", x, ones, out="y", axis=1))
    session = Session(graph, device)
    sizes = []
    for size in (32, 33, 34, 35, 36):
        assert_runs_right(session, graph, {"x": picture(1, 1, size, 32)})
        sizes.append(session._shared.prepared.constants.nbytes)
    assert sizes[-1] <= 2 * 36 * 32 * 4


@contextlib.contextmanager
def without_the_cycle_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextlib.contextmanager
def no_garbage_of_ours() -> Iterator[None]:
    """Nothing of clconv's or pyopencl's that is made within waits for the cycle collector. What was there before does not
    count: tests that ran earlier may let go of it at any time."""
    with without_the_cycle_collector():
        # Held, so that no new object takes a place of theirs.
        before = {id(one): one for one in gc.get_objects()}
        try:
            yield
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            left = {type(one) for one in gc.garbage if id(one) not in before}
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
    assert not [kind for kind in left if kind.__module__.startswith(("clconv", "pyopencl"))]


def control_flow_model() -> bytes:
    """A loop whose trips are fed, and a size that follows from what it gives."""
    value = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node
    body = onnx.helper.make_graph(
        [node("Add", ["carried", "x"], ["more"]), node("Identity", ["goes_on"], ["still"])],
        "body",
        [value("trip", INT64, []), value("goes_on", BOOL, []), value("carried", FLOAT, ["n"])],
        [value("still", BOOL, []), value("more", FLOAT, ["n"])],
    )
    graph = onnx.helper.make_graph(
        [
            node("Loop", ["trips", "", "x"], ["y"], body=body),
            node("NonZero", ["y"], ["places"]),
            node("Cast", ["places"], ["z"], to=FLOAT),
        ],
        "graph",
        [value("x", FLOAT, ["n"]), value("trips", INT64, [])],
        [value("z", FLOAT, None)],
    )
    opset = onnx.helper.make_opsetid("", 18)
    return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString()


@pytest.mark.parametrize("checked", [False, True])
def test_a_dropped_session_goes_at_once(
    device: DeviceInfo, checked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the garbage collector: what holds device memory and weights is in no circle."""
    if checked:
        monkeypatch.setenv("CLCONV_CHECK", "1")
    graph = residual()
    with without_the_cycle_collector():
        session = Session(graph, device)
        for size in (6, 9):
            assert_runs_right(session, graph, {"x": picture(1, 3, size, size)})
        with pytest.raises(InputError):
            session.run({"x": picture(1, 4, 5, 5)})
        bound = session.prepare({"x": (1, 3, 6, 6)})
        held = [
            session,
            bound,
            *bound._held,
            session._shared,
            session._shared.prepared.queue,
            session.graph,
        ]
        gone = [weakref.ref(one) for one in held]
        buffers = [memory for memory in map(host_memory, bound.arenas) if memory is not None]
        gone += [weakref.ref(memory) for memory in buffers]
        del session, bound, held, buffers
        assert [ref() for ref in gone] == [None] * len(gone)


def test_nothing_of_a_session_waits_for_the_cycle_collector(device: DeviceInfo) -> None:
    """Not a graph, nor any weights, that planning left behind."""
    model = control_flow_model()
    with no_garbage_of_ours():
        session = load(model, device)
        for size in (3, 4):
            session.run({"x": np.ones(size, np.float32), "trips": np.int64(size)})
        assert session._opened.bodies._stages, "the loop was written out"
        gone = weakref.ref(session)
        del session
        assert gone() is None


def test_a_compiled_network_goes_with_its_session(device: DeviceInfo, tmp_path: Path) -> None:
    """The programs that a device keeps hold no network that they were read from."""
    graph, path = residual(), tmp_path / "network.clconv"
    clconv.save(graph, tmp_path / "network.onnx")
    clconv.compile(tmp_path / "network.onnx", path, shapes={"x": (1, 3, 8, 8)}, device=device)
    known = {id(one) for one in gc.get_objects() if isinstance(one, StoredNetwork)}
    with no_garbage_of_ours():
        session = load(path, device)
        assert_runs_right(session, graph, {"x": picture(1, 3, 8, 8)})
        networks = [one for one in gc.get_objects() if isinstance(one, StoredNetwork)]
        gone = [weakref.ref(one) for one in networks if id(one) not in known]
        assert gone, "the network was built anew"
        del session, networks
        assert [ref() for ref in gone] == [None] * len(gone)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_run_is_over_before_the_next(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes on after an interrupt would write over the inputs of the next run."""
    session = Session(residual(), device)
    bound = session.prepare({"x": (1, 3, 8, 8)})
    with monkeypatch.context() as context, counted(context, (Queue, "finish")) as finished:
        context.setattr(bound, "outputs", lambda there: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            session.run({"x": picture(1, 3, 8, 8)})
        assert finished == ["finish"]
    assert_runs_right(session, session.graph, {"x": picture(1, 3, 8, 8, seed=1)})


def test_a_network_larger_than_the_device_is_refused_before_allocating(device: DeviceInfo) -> None:
    graph, spec = residual(), {"x": TensorSpec((1, 3, 64, 64))}
    small = made_up("small", kind="cpu", vector_width=8, largest_allocation=100_000)
    with pytest.raises(
        DeviceMemoryError, match=r"value '.*' .*needs [\d,]{7,} bytes.* at most 100,000"
    ):
        make_plan(graph, spec, small)
    small = made_up("small", kind="cpu", vector_width=8, global_memory=300_000)
    with pytest.raises(DeviceMemoryError, match="bytes at once, the device has"):
        make_plan(graph, spec, small)
    b = Builder()
    b.conv(b.input(1, 64, 1, 1), 512, 64, out="y")
    small = made_up("small", largest_allocation=100_000)
    with pytest.raises(DeviceMemoryError, match=r"'c0' .*131,072 bytes"):
        make_plan(b.graph("y"), {"x": TensorSpec((1, 64, 1, 1))}, small)
    session = Session(graph, device)
    side = int((device.global_memory // 64) ** 0.5)
    with pytest.raises(DeviceMemoryError):
        session.prepare({"x": (1, 3, 2 * side, 2 * side)})
    assert_runs_right(session, graph, {"x": picture(1, 3, 5, 5)})


_AT_EXIT = """
import sys
import numpy as np
from clconv.runtime.device import devices
from clconv.session.session import Session
from tests.runtime.support import picture, residual

device = next(d for d in devices() if d.index == int(sys.argv[1]))
kept = Session(residual(), device)
kept.run({"x": picture(1, 3, 8, 8)})
gone = Session(residual(), device)
gone.run({"x": picture(2, 3, 8, 8)})
del gone
cycle = [Session(residual(1, 8, 8), device)]
cycle.append(cycle)
print("ran")
"""


def test_the_interpreter_ends_in_peace(device: DeviceInfo) -> None:
    """Sessions kept to the end, dropped before it and caught in a cycle."""
    result = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", _AT_EXIT, str(device.index)],
        capture_output=True,
        text=True,
        timeout=HANG,
        cwd=Path(__file__).parents[2],
    )
    assert (result.returncode, result.stdout) == (0, "ran\n"), result.stderr
