"""Sessions: sizes, outputs, and that run() only runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.errors import InputError, ShapeError, VariantError
from clconv.graph import passes
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.reference import run_reference
from clconv.planning.planner import Planner
from clconv.runtime import bound as bound_module
from clconv.runtime import opencl
from clconv.runtime.bound import BoundPlan
from clconv.runtime.opencl import compiler
from clconv.runtime.prepared import PreparedDevice
from clconv.session.session import Session
from tests.graph.graph_builder import Builder
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
    uploaded = session._shared.prepared.constants.nbytes
    with counted(monkeypatch, (opencl.Compiler, "_build"), (compiler, "program_source")) as calls:
        for size in ((1, 3, 20, 28), (2, 3, 24, 24), (1, 3, 48, 40)):
            assert_runs_right(session, graph, {"x": picture(*size)})
    assert calls == []
    assert session._shared.prepared.constants.nbytes == uploaded > 0


def test_a_first_run_without_images_binds_no_later_one(device: DeviceInfo) -> None:
    """What is taken where nothing is computed says nothing of other sizes, which keep to what the first took."""
    graph, size = residual(), (2, 3, 24, 24)
    session, fresh = Session(graph, device), Session(graph, device)
    (empty,) = session.run({"x": picture(0, 3, 24, 24)}).values()
    assert empty.shape[0] == 0
    assert not session._stage._known
    assert_runs_right(session, graph, {"x": picture(*size)})
    fresh.prepare({"x": size})
    assert session._stage._known == fresh._stage._known != {}


def test_a_run_only_runs(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = residual()
    session = Session(graph, device)
    session.prepare({"x": (1, 3, 9, 9)})
    made = (
        (opencl.Device, "allocate"),
        (opencl.Compiler, "prepare"),
        (opencl.Program, "kernel"),
        (compiler, "program_source"),
        (bound_module, "set_arguments"),
        (bound_module, "sub_buffer"),
        (Planner, "plan"),
        (passes, "run_passes"),
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
    steps_seen: list[tuple[int, int]] = []
    session = Session(graph, device, progress=lambda done, total: steps_seen.append((done, total)))
    if steps_seen:  # nothing is told if another test has compiled the same
        steps = [done for done, _ in steps_seen]
        assert steps == sorted(set(steps)) and steps[0] == 0
        assert {total for _, total in steps_seen} == {steps[-1]}
    with counted(monkeypatch, (Planner, "plan")) as calls:
        assert_runs_right(session, graph, {"x": picture(1, 3, 8, 8)})
    assert calls == []


def test_progress_may_run_what_is_planned_and_nothing_else(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sizes without a plan, asked for while another is made, are an error and no deadlock."""
    graph, made = residual(), PreparedDevice.bind
    session, planned, unplanned = Session(graph, device), picture(1, 3, 8, 8), picture(1, 3, 10, 10)
    expected, ran = session.run(planned)["result"], []

    def bind(*given: Any, **named: Any) -> BoundPlan:
        """Where progress() is called, if there is something to compile."""
        ran.append(session.run(planned)["result"])
        with pytest.raises(InputError, match=r"called by progress\(\)"):
            session.run(unplanned)
        return made(*given, **named)

    with monkeypatch.context() as context:
        context.setattr(PreparedDevice, "bind", bind)
        assert_runs_right(session, graph, {"x": picture(1, 3, 9, 9)})
    np.testing.assert_array_equal(ran, [expected])
    assert_runs_right(session, graph, {"x": unplanned})


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
    for wrong in (5, [["first"]], b"first"):
        with pytest.raises(InputError, match="outputs"):
            session.run(feeds, outputs=wrong)  # type: ignore[arg-type]


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
