"""A persistent launch gives bit for bit what a launch for each kernel gives, however its workers are run."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.lowering.model.call import Kernel
from clconv.planning import persistent
from clconv.runtime import opencl
from clconv.runtime.bound import BoundPlan
from clconv.runtime.opencl import Device, compiler, open_device
from clconv.session.session import Session
from tests.lowering.every_call import DEVICE_CASES, calls_of
from tests.patience import holds_once
from tests.planning.test_placement import Chain
from tests.runtime.support import counted, picture, residual


def separately(graph: object, device: DeviceInfo, patch: pytest.MonkeyPatch) -> Session:
    with patch.context() as inner:
        inner.setenv("CLCONV_ONE_LAUNCH", "0")
        return Session(graph, device)  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [1, 2, 3, 9])
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))]
)
def test_random_chains_do_not_change_a_bit(
    waking: DeviceInfo, seed: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More workers than threads run one after another: each must get by with what was done before it."""
    graph = Chain(seed, 2).whole(24)
    manned = dataclasses.replace(waking, compute_units=workers)
    joined, separated = Session(graph, manned), separately(graph, manned, monkeypatch)
    shapes = {name: graph.specs[name].shape for name in graph.inputs}
    plan = joined.prepare(shapes).plan
    assert len(plan.launches) == 1 < len(plan.calls)
    assert separated.prepare(shapes).plan.launches == separated.prepare(shapes).plan.calls
    for run in range(5):  # the counters are left as they were found
        feeds = {name: picture(*shapes[name], seed=run + i) for i, name in enumerate(graph.inputs)}
        found, expected = joined.run(feeds), separated.run(feeds)
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name])


def test_node_by_node_still_works(waking: DeviceInfo) -> None:
    session = Session(residual(), waking)
    feeds = {"x": picture(1, 3, 20, 24)}
    errors: list[float] = []
    found = session.check(feeds, lambda node, output, error, variant: errors.append(error))
    assert len(errors) == len(session.prepare({"x": (1, 3, 20, 24)}).plan.graph.nodes)
    assert max(errors) < 1e-5
    np.testing.assert_array_equal(found["result"], session.run(feeds)["result"])


def test_other_sizes_take_the_same_kernel(
    waking: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a size needs fewer kernels: those of a larger one are there."""
    session = Session(residual(), waking)
    session.run({"x": picture(1, 3, 40, 40)})
    with counted(monkeypatch, (opencl.Compiler, "_build"), (compiler, "program_source")) as calls:
        session.run({"x": picture(2, 3, 44, 36)})
    assert calls == []
    first = session.prepare({"x": (1, 3, 40, 40)}).plan
    part = persistent.persistent_call(
        first.calls[:2], [(), (0,)], waking, [launch.kernel for launch in first.launches]
    )
    assert part.kernel == first.launches[0].kernel


def test_a_plain_kernel_does_not_serve_for_many(waking: DeviceInfo) -> None:
    """Another plan of the session may have launched it alone; its arguments are others."""
    call = Session(residual(), waking).prepare({"x": (1, 3, 16, 16)}).plan.calls[0]
    joined = persistent.persistent_call([call, call], [(), (0,)], waking, [call.kernel])
    assert persistent.is_persistent(joined.kernel)
    assert persistent.kernels_of(joined.kernel) == (call.kernel,)


def test_calls_that_cannot_join_stay_apart(waking: DeviceInfo) -> None:
    plan = Session(residual(), waking).prepare({"x": (1, 3, 16, 16)}).plan
    call = plan.calls[0]
    grouped = dataclasses.replace(call, local_size=(4, *call.local_size[1:]))  # type: ignore[index]
    chosen = dataclasses.replace(call, local_size=None)
    assert persistent.groups([call, call, grouped, call, call, call]) == [
        range(2), range(2, 3), range(3, 6),
    ]  # fmt: skip
    assert persistent.groups([grouped, chosen, call]) == [range(1), range(1, 2), range(2, 3)]
    assert persistent.groups([]) == []


def test_a_program_has_a_bounded_number_of_kernels(
    waking: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistent, "MOST_KERNELS", 2)
    graph = Chain(1, 1).whole(24)
    joined = Session(graph, waking)
    shapes = {name: graph.specs[name].shape for name in graph.inputs}
    plan = joined.prepare(shapes).plan
    assert 1 < len(plan.launches) < len(plan.calls)
    assert all(len(persistent.kernels_of(launch.kernel)) <= 2 for launch in plan.launches)
    feeds = {name: picture(*shapes[name], seed=i) for i, name in enumerate(graph.inputs)}
    found, expected = joined.run(feeds), separately(graph, waking, monkeypatch).run(feeds)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


def test_every_template_can_be_an_operation(waking: DeviceInfo) -> None:
    """One kernel of each template that may join compiles as a function called from the persistent kernel."""
    chosen: dict[str, Kernel] = {}
    for case in DEVICE_CASES:
        for call in calls_of(case, waking):
            if persistent.can_join(call):
                chosen.setdefault(call.kernel.template, call.kernel)
    assert len(chosen) > 40
    kernel = persistent.persistent_kernel(chosen.values())
    open_device(waking).compiler.prepare([kernel])


def test_two_sessions_at_once_do_not_wait_for_each_other(waking: DeviceInfo) -> None:
    """Their workers share the threads: none may hold what the other needs."""
    from concurrent.futures import ThreadPoolExecutor

    sessions = [Session(residual(), waking) for _ in range(3)]
    feeds = {"x": picture(1, 3, 32, 32)}
    expected = sessions[0].run(feeds)["result"]

    def often(session: Session) -> bool:
        return all(np.array_equal(session.run(feeds)["result"], expected) for _ in range(40))

    def attempt() -> None:
        begin = time.perf_counter()
        assert all(map(often, sessions))
        alone = time.perf_counter() - begin
        with ThreadPoolExecutor(3) as pool:
            begin = time.perf_counter()
            assert all(pool.map(often, sessions))
            together = time.perf_counter() - begin
        assert together < 20 * alone

    holds_once(attempt, 5)


def test_addresses_are_where_the_buffers_are(waking: DeviceInfo) -> None:
    device: Device = open_device(waking)
    whole = device.allocate(4096)
    part = opencl.sub_buffer(whole, 1024, 512)
    begin, inside, again = device.addresses([whole, part, whole])
    assert begin == again and inside - begin == 1024


def test_a_run_enqueues_one_launch(waking: DeviceInfo) -> None:
    bound: BoundPlan = Session(residual(), waking).prepare({"x": (1, 3, 16, 16)})
    assert len(bound.plan.launches) == 1 and len(bound.launches) == len(bound.plan.calls) > 1
