"""A joined launch whose functions lie in several programs gives the same bits as one program."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import clconv
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import DeviceError
from clconv.frontend.onnx import export_onnx
from clconv.graph.ir import Graph
from clconv.lowering.model.arguments import FunctionAddress
from clconv.planning import parts, persistent
from clconv.planning.plan import Plan
from clconv.planning.planner import Planner
from clconv.runtime.opencl import Helper, beside, machine_code, open_device
from clconv.runtime.stored.stored_plan import StoredPlan
from clconv.runtime.trials.doubtful import try_apart
from clconv.session.session import Session
from tests.lowering.every_call import DEVICE_CASES, calls_of
from tests.planning.test_placement import Chain
from tests.runtime.support import compiled_beside, picture, residual

FEEDS = {"x": picture(1, 3, 20, 24)}


@pytest.fixture(params=["2", "3", "99"])
def count(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("CLCONV_PARTS", request.param)
    yield request.param


def planned(session: Session, feeds: dict[str, np.ndarray] = FEEDS) -> Plan:
    return session.prepare({name: array.shape for name, array in feeds.items()}).plan


def alone(graph: Graph, device: DeviceInfo, patch: pytest.MonkeyPatch) -> Session:
    with patch.context() as inner:
        inner.setenv("CLCONV_PARTS", "1")
        return Session(graph, device)


def same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


def test_parts_do_not_change_a_bit(
    waking: DeviceInfo, count: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = Chain(3, 2).whole(24)
    joined, expected = Session(graph, waking), alone(graph, waking, monkeypatch)
    feeds = {n: picture(*graph.specs[n].shape, seed=i) for i, n in enumerate(graph.inputs)}
    plan = planned(joined, feeds)
    assert 1 <= len(plan.parts) < int(count) and planned(expected, feeds).parts == ()
    for seed in range(4):  # launched, and then perhaps done by the thread that asks
        feeds = {n: picture(*a.shape, seed=seed + i) for i, (n, a) in enumerate(feeds.items())}
        same(joined.run(feeds), expected.run(feeds))


def test_each_kernel_is_in_one_program(waking: DeviceInfo, count: str) -> None:
    plan = planned(Session(residual(), waking))
    (launch,) = plan.launches
    own = dict(launch.kernel.parameters)["kernels"]
    groups = [own, *(dict(part.parameters)["kernels"] for part in plan.parts)]
    kernels = [kernel for group in groups for kernel in group]  # type: ignore[union-attr]
    assert all(groups) and len(kernels) == len(set(kernels))
    assert set(kernels) == set(persistent.kernels_of(launch.kernel))
    assert {call.kernel for call in plan.calls} <= set(kernels)


def test_a_run_in_the_callers_thread_calls_parts_too(
    waking: DeviceInfo, count: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clconv.runtime.ways.faster import Kind

    joined, expected = Session(residual(), waking), alone(residual(), waking, monkeypatch)
    bound = joined.prepare({"x": (1, 3, 20, 24)})
    bound._ways.faster.settle(Kind.ALONE)
    same(joined.run(FEEDS), expected.run(FEEDS))


def test_a_profile_of_parts(waking: DeviceInfo, count: str) -> None:
    plan = planned(Session(residual(), waking))
    (launch,) = plan.launches
    assert persistent.parts_of(persistent.stamped(launch).kernel) == plan.parts


def test_kept_and_compiled_networks_have_their_parts(
    waking: DeviceInfo, count: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path / "cache"))
    graph = Chain(3, 2).whole(24)
    export_onnx(graph, tmp_path / "x.onnx")
    feeds = {n: picture(*graph.specs[n].shape, seed=i) for i, n in enumerate(graph.inputs)}
    expected = clconv.load(tmp_path / "x.onnx", waking).run(feeds)
    again = clconv.load(tmp_path / "x.onnx", waking)
    clconv.compile(tmp_path / "x.onnx", tmp_path / "x.clconv", device=waking)
    for session in (again, clconv.load(tmp_path / "x.clconv", waking)):
        same(session.run(feeds), expected)
        specs = session.specs_of({name: array.shape for name, array in feeds.items()})
        plan = session._stage.ready(specs, {}, stored=True).bound.plan
        assert isinstance(plan, StoredPlan) and plan.parts


def test_other_sizes_take_the_same_parts(waking: DeviceInfo, count: str) -> None:
    session = Session(residual(), waking)
    first = planned(session)
    assert planned(session, {"x": picture(2, 3, 44, 36)}).parts == first.parts != ()


def test_a_trial_does_not_call_what_is_not_loaded(
    waking: DeviceInfo, count: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = Session(residual(), waking).prepare({"x": (1, 3, 20, 24)})
    device = bound.device
    monkeypatch.setattr(
        device.compiler,
        "untried",
        lambda calls: {device.compiler._source((c.kernel,)): (c.kernel,) for c in calls},
    )
    try_apart(bound.plan, bound.plan.memory, device, bound.constants)


def test_a_function_that_is_not_found_says_what_to_do(
    waking: DeviceInfo, count: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_code, "_MAPS", Path("nowhere"))
    with pytest.raises(DeviceError, match="CLCONV_PARTS=1"):
        Session(residual(), waking).run(FEEDS)


def test_a_function_is_found_where_another_process_replaced_its_file(
    waking: DeviceInfo, count: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Session(residual(), waking)  # stays, and with it what is loaded
    expected = first.run(FEEDS)
    lines = Path("/proc/self/maps").read_text().splitlines()
    replaced = [f"{line} (deleted)" if "/part_" in line else line for line in lines]
    assert replaced != lines
    (tmp_path / "maps").write_text("\n".join(replaced))
    monkeypatch.setattr(machine_code, "_MAPS", tmp_path / "maps")
    asked, loaded = [], machine_code._loaded
    monkeypatch.setattr(machine_code, "_loaded", lambda name: asked.append(name) or loaded(name))
    same(Session(residual(), waking).run(FEEDS), expected)
    assert asked


def test_long_programs_alone_are_cut(waking: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = tuple({call.kernel: None for call in planned(Session(residual(), waking)).calls})
    four = dataclasses.replace(waking, compute_units=4)
    assert parts.cut(kernels, four, None) == (kernels, ())
    monkeypatch.setattr(parts, "LEAST", 1)
    monkeypatch.setattr(parts, "HEAD_START", 0)
    monkeypatch.setattr(parts, "_FEW", 2)
    own, more = parts.cut(kernels, four, None)
    assert sorted(len(group) for group in (own, *more))[0] >= 1 and len(more) <= 3
    assert {*own, *(k for part in more for k in part)} == set(kernels)
    one = dataclasses.replace(waking, compute_units=1)
    assert parts.cut(kernels, one, None) == (kernels, ())


def test_texts_that_are_shared_stay_together(waking: DeviceInfo) -> None:
    """The products of Winograd's convolution: each program would have their sums again."""
    products = {
        call.kernel
        for case in DEVICE_CASES
        if case.op == "Conv"
        for call in calls_of(case, waking)
        if call.kernel.entry == "winograd_product"
    }
    others = {call.kernel for call in planned(Session(residual(), waking)).calls}
    assert len(products) > 1
    own, more = parts.cut((*products, *others), waking, 5)
    assert sum(bool(products & set(group)) for group in (own, *more)) == 1


def test_another_process_compiles_a_part(
    waking: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_PARTS", "2")
    monkeypatch.setattr(beside, "LEAST", 1)
    monkeypatch.setattr(beside, "_is_there", lambda *_: False)
    monkeypatch.setattr(beside, "_early", [])
    ended = compiled_beside(monkeypatch)
    beside.start_early(waking)  # what it is to compile is not known yet
    (early,) = beside._early
    plan = Planner(waking, PlanOptions.from_config()).plan(
        residual(), {"x": dataclasses.replace(residual().specs["x"], shape=(1, 3, 20, 24))}
    )
    compiler = open_device(waking).compiler
    programs = compiler.prepare([*plan.parts, *(call.kernel for call in plan.launches)])
    assert set(programs) == {*plan.parts, plan.launches[0].kernel}
    assert ended == [True] and early not in beside._early


def test_a_process_that_nothing_comes_for_ends(
    waking: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Helper(waking, 0.01) as helper:
        assert helper._process.wait()
        assert not helper.is_there
        assert not helper.wait(helper.give({}))  # which nobody reads any more


def test_words_say_where_functions_begin(waking: DeviceInfo, count: str) -> None:
    bound = Session(residual(), waking).prepare({"x": (1, 3, 20, 24)})
    words = dict(bound.plan.launches[0].arguments)["words"].arguments  # type: ignore[union-attr]
    addresses = [bound.argument(w) for w in words if isinstance(w, FunctionAddress)]
    assert len(addresses) == len(bound.plan.parts) > 0
    assert all(type(address) is int and address > 0 for address in addresses)
