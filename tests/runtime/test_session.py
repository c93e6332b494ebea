"""Sessions: sizes, outputs, threads, memory, and that run() only runs."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

from clconv.errors import DeviceMemoryError, InputError, ShapeError, VariantError
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.reference import run_reference
from clconv.lowering.device import DeviceInfo
from clconv.runtime import bound as bound_module
from clconv.runtime import opencl
from clconv.runtime import session as session_module
from clconv.runtime.plan import make_plan
from clconv.runtime.session import Session
from tests.graph.graph_builder import Builder
from tests.lowering.support import made_up
from tests.runtime.support import (
    SAME,
    assert_agrees,
    assert_runs_right,
    counted,
    picture,
    residual,
    session_for,
)

SIZES = [(1, 3, 8, 8), (2, 3, 11, 7), (1, 3, 1, 1), (3, 3, 17, 30), (1, 3, 8, 8)]


def test_sizes_may_change_from_run_to_run(device: DeviceInfo) -> None:
    graph = residual()
    session = session_for(graph, device)
    for i, size in enumerate(SIZES):
        assert_runs_right(session, graph, {"x": picture(*size, seed=i)})


def test_a_new_size_compiles_renders_and_uploads_nothing(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = residual()
    session = Session(graph, device)
    session.run({"x": picture(1, 3, 24, 24)})
    uploaded = session._constants.nbytes
    with counted(monkeypatch, (opencl.Device, "_build"), (opencl, "program_source")) as calls:
        for size in ((1, 3, 20, 28), (2, 3, 24, 24), (1, 3, 48, 40)):
            assert_runs_right(session, graph, {"x": picture(*size)})
    assert calls == []
    assert session._constants.nbytes == uploaded > 0


def test_a_run_only_runs(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = residual()
    session = Session(graph, device)
    session.prepare({"x": (1, 3, 9, 9)})
    made = (
        (opencl.Device, "allocate"),
        (opencl.Device, "prepare"),
        (opencl.Device, "kernel"),
        (opencl, "program_source"),
        (bound_module, "set_arguments"),
        (bound_module, "sub_buffer"),
        (session_module, "make_plan"),
        (session_module, "run_passes"),
    )
    with counted(monkeypatch, *made) as calls:
        first = session.run({"x": picture(1, 3, 9, 9)})
        again = session.run({"x": picture(1, 3, 9, 9)})
    assert calls == []
    assert np.array_equal(first["result"], again["result"])


def test_a_network_of_known_sizes_is_ready_when_loaded(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = residual(1, 8, 8)
    told: list[tuple[int, int]] = []
    session = Session(graph, device, progress=lambda done, total: told.append((done, total)))
    if told:  # nothing is told if another test has compiled the same
        steps = [done for done, _ in told]
        assert steps == sorted(set(steps)) and steps[0] == 0
        assert {total for _, total in told} == {steps[-1]}
    with counted(monkeypatch, (session_module, "make_plan")) as calls:
        assert_runs_right(session, graph, {"x": picture(1, 3, 8, 8)})
    assert calls == []


def branches() -> Graph:
    b = Builder()
    x = b.input("n", 8, "h", "w")
    y = b.conv(x, 16, 8, out="first")
    b.conv(y, 8, 16, out="second")
    b.node("Sigmoid", y, out="third")
    return b.graph("third", "first", "second")


def test_outputs_come_in_the_order_asked_for(device: DeviceInfo) -> None:
    graph = branches()
    session = session_for(graph, device)
    feeds = {"x": picture(1, 8, 5, 6)}
    assert list(session.run(feeds)) == ["third", "first", "second"]
    some = session.run(feeds, outputs=["second", "first"])
    assert list(some) == ["second", "first"]
    assert_agrees(some, {n: v for n, v in run_reference(graph, feeds).items() if n != "third"})
    assert session.run(feeds, outputs=[]) == {}
    with pytest.raises(InputError, match=r"no outputs \['fourth'\]; the model has"):
        session.run(feeds, outputs=["first", "fourth"])


def test_results_belong_to_the_caller(device: DeviceInfo) -> None:
    session = session_for(residual(), device)
    feeds = {"x": picture(1, 3, 6, 6)}
    first = session.run(feeds)["result"]
    kept = first.copy()
    first[...] = 7
    assert first.flags.writeable
    assert np.array_equal(session.run(feeds)["result"], kept)


def test_inputs_and_constants_may_be_outputs(device: DeviceInfo) -> None:
    b = Builder()
    x, unused = b.input("n", 8, 4, 4), b.input("n", 2, name="unused")
    c = b.random(3, 2)
    y = b.conv(x, 8, 8, out="y")
    graph = b.graph(x, c, y, unused, y)
    session = session_for(graph, device)
    feeds = {"x": picture(2, 8, 4, 4), "unused": picture(2, 2)}
    for _ in range(2):
        assert_runs_right(session, graph, feeds)
    found = session.run(feeds)
    found[c][...] = 0  # a copy: the model's constant stays
    assert_runs_right(session, graph, feeds)


def test_a_graph_without_nodes_runs(device: DeviceInfo) -> None:
    b = Builder()
    x = b.input("n", 5)
    graph = b.graph(x, b.constant([1.0, 2.0]))
    assert_runs_right(session_for(graph, device), graph, {"x": picture(3, 5)})


def test_scalars_go_in_and_out(device: DeviceInfo) -> None:
    b = Builder()
    graph = b.graph(b.node("Exp", b.input(), out="y"))
    assert_runs_right(session_for(graph, device), graph, {"x": np.array(0.5, np.float32)})
    assert_runs_right(session_for(graph, device), graph, {"x": np.float32(0.25)})


def test_tensors_without_elements(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = residual()
    session = session_for(graph, device)
    for check in ("0", "1"):
        monkeypatch.setenv("CLCONV_CHECK", check)
        found = session.run({"x": np.zeros((0, 3, 8, 8), np.float32)})["result"]
        assert found.shape == (0, 16, 8, 8) and found.dtype == np.float32
    with pytest.raises(ShapeError, match=r"'Conv0'.*0 pixels"):
        session.run({"x": np.zeros((1, 3, 0, 8), np.float32)})
    assert_runs_right(session, graph, {"x": picture(1, 3, 8, 8)})


def test_something_may_come_of_nothing(device: DeviceInfo) -> None:
    b = Builder()
    x, y = b.input("n", 8, 4, 4), b.input("m", 8, 4, 4, name="y")
    both = b.node("Concat", b.node("Relu", x), y, axis=0)
    graph = b.graph(b.node("Sigmoid", both, out="z"))
    session = session_for(graph, device)
    for n, m in ((0, 2), (2, 0), (1, 1), (0, 0)):
        assert_runs_right(session, graph, {"x": picture(n, 8, 4, 4), "y": picture(m, 8, 4, 4)})


def test_forced_by_the_environment(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = residual()
    monkeypatch.setenv("CLCONV_VARIANT", "Conv:simple")
    session = session_for(graph, device)
    plan = session.prepare({"x": (1, 3, 8, 8)}).plan
    assert {c.variant.name for c in plan.lowered.choices.values()} == {"simple"}
    assert_runs_right(session, graph, {"x": picture(1, 3, 8, 8)})
    monkeypatch.setenv("CLCONV_VARIANT", "conv:depthwise")
    with pytest.raises(VariantError, match="variant 'depthwise' cannot apply"):
        Session(graph, device).run({"x": picture(1, 3, 8, 8)})


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
    monkeypatch.setattr(session_module, "_PLANS_KEPT", 3)
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
    monkeypatch.setattr(session_module, "_PLANS_KEPT", 2)
    b = Builder()
    x = b.input(1, 1, "h", "w")
    ones = b.node("ConstantOfShape", b.node("Shape", x), value=np.ones(1, np.float32))
    graph = b.graph(b.node("Concat", x, ones, out="y", axis=1))
    session = Session(graph, device)
    sizes = []
    for size in (32, 33, 34, 35, 36):
        assert_runs_right(session, graph, {"x": picture(1, 1, size, 32)})
        sizes.append(session._constants.nbytes)
    assert sizes[-1] <= 2 * 36 * 32 * 4


def test_a_network_larger_than_the_device_is_refused_before_allocating(device: DeviceInfo) -> None:
    graph, spec = residual(), {"x": TensorSpec((1, 3, 64, 64))}
    small = made_up("small", kind="cpu", vector_width=8, largest_allocation=100_000)
    with pytest.raises(
        DeviceMemoryError, match=r"value '.*' needs [\d,]{7,} bytes.* at most 100,000"
    ):
        make_plan(graph, spec, small)
    small = made_up("small", kind="cpu", vector_width=8, global_memory=300_000)
    with pytest.raises(DeviceMemoryError, match="bytes at once, the device has"):
        make_plan(graph, spec, small)
    b = Builder()
    b.conv(b.input(1, 64, 1, 1), 512, 64, out="y")
    small = made_up("small", largest_allocation=100_000)
    with pytest.raises(DeviceMemoryError, match=r"constant 'c0' has 131,072 bytes"):
        make_plan(b.graph("y"), {"x": TensorSpec((1, 64, 1, 1))}, small)
    session = Session(graph, device)
    side = int((device.global_memory // 64) ** 0.5)
    with pytest.raises(DeviceMemoryError):
        session.prepare({"x": (1, 3, 2 * side, 2 * side)})
    assert_runs_right(session, graph, {"x": picture(1, 3, 5, 5)})


def test_two_nodes_may_have_one_name(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    b = Builder()
    y = b.conv(b.input(1, 8, 9, 9), 16, 8, 3, **SAME)
    graph = b.graph(b.conv(y, 16, 16, 3, out="y", **SAME))
    nodes = tuple(type(n)("Conv", "same", n.inputs, n.outputs, n.attrs) for n in graph.nodes)
    graph = graph.replace(nodes=nodes)
    for check in ("0", "1"):
        monkeypatch.setenv("CLCONV_CHECK", check)
        assert_runs_right(session_for(graph, device), graph, {"x": picture(1, 8, 9, 9)})


def test_declared_specs_can_be_asked_for(device: DeviceInfo) -> None:
    graph = residual().replace(
        metadata={"output_specs": {"result": TensorSpec(("n", 16, None, 4))}}
    )
    session = Session(graph, device)
    assert session.inputs == {"x": TensorSpec(("n", 3, "h", "w"))}
    assert session.outputs == {"result": TensorSpec(("n", 16, None, 4))}
    assert Session(residual(), device).outputs == {"result": None}


_AT_EXIT = """
import sys
import numpy as np
from clconv.runtime.device import devices
from clconv.runtime.session import Session
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
        timeout=120,
        cwd=Path(__file__).parents[2],
    )
    assert (result.returncode, result.stdout) == (0, "ran\n"), result.stderr
