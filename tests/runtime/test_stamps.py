"""A run with time stamps computes the same to the last bit, and tells of every call when it ran."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.planning.persistent import calls_in, is_persistent, stamped
from clconv.planning.plan import Plan
from clconv.profiling.recorder import Recorder
from clconv.runtime.stamps import ALONE, Stamper, hosts_lead
from clconv.session.session import Session
from tests.lowering.test_signatures import check
from tests.patience import holds_once
from tests.runtime.support import patient_clock, picture, residual
from tests.session.state_graphs import descent

SHAPE = (2, 3, 20, 24)


@pytest.fixture(scope="module")
def session(device: DeviceInfo) -> Session:
    return Session(residual(), device)


def is_joined(plan: Plan) -> bool:
    return any(is_persistent(launch.kernel) for launch in plan.launches)


@pytest.mark.parametrize("joined", [True, False])
def test_every_call_is_told_and_nothing_else_changes(session: Session, joined: bool) -> None:
    clock = patient_clock(session.device) if joined else None
    bound = session.prepare({"x": SHAPE})
    if joined and (clock is None or not is_joined(bound.plan)):
        pytest.skip(f"{session.device} joins no launches, or has no clock")
    stamper = Stamper(bound, clock)
    assert stamper.is_joined == joined
    seeds = itertools.count()

    def attempt() -> None:
        seed = next(seeds)
        feeds = {"x": picture(*SHAPE, seed=seed)}
        outputs, executed = stamper.run(feeds)
        np.testing.assert_array_equal(outputs["result"], session.run(feeds)["result"])
        assert executed.begin <= executed.written <= executed.computed <= executed.end
        assert {ran.call for ran in executed.ran} == set(range(len(bound.plan.calls)))
        near = 1e-3  # clocks agree to some 10 µs, a busy machine is worse
        for ran in executed.ran:
            assert ran.begin <= ran.ready <= ran.end
            assert executed.written - near < ran.ready and ran.end < executed.computed + near
            assert (ran.worker == ALONE) != joined
        firsts = [ran.ready for ran in executed.ran]
        if not joined:
            assert firsts == sorted(firsts)

    for _ in range(4):  # what is left of the last run does not show
        holds_once(attempt)


def test_a_stamped_launch_is_what_it_was_and_one_argument_more(device: DeviceInfo) -> None:
    plan = Session(residual(), device).prepare({"x": SHAPE}).plan
    if not is_joined(plan):
        pytest.skip(f"{device} gets a launch for each kernel")
    (launch,) = plan.launches
    assert is_persistent(launch.kernel) and calls_in(launch) == len(plan.calls) > 1
    assert calls_in(plan.calls[0]) == 1
    found = stamped(launch)
    check(found)
    assert found.arguments[:-1] == launch.arguments
    assert found.kernel.symbol != launch.kernel.symbol


@pytest.mark.parametrize(
    ("queued", "lead"),
    [
        ((1.0, 1.1), 99.0),
        ((0.0, 0.0), 99.1),  # of a driver that does not say: the last ended when the host knew
        ((1e6, 1e6), 99.1),  # by another clock
    ],
)
def test_the_devices_clock_is_set_by_the_hosts(queued: tuple[float, float], lead: float) -> None:
    enqueued = list(zip((100.0, 100.1), queued, strict=True))
    found = hosts_lead(enqueued, [(1.05, 1.2), (1.2, 1.5)], (99.99, 100.6))
    assert found == pytest.approx(lead)


@pytest.mark.parametrize("joined", [True, False])
def test_state_changes_once_a_run(device: DeviceInfo, joined: bool) -> None:
    rng = np.random.default_rng(3)
    graph = descent()
    initial = {name: rng.random(graph.specs[name].shape, np.float32) for name in graph.state}
    stamped_one, usual = (Session(graph, device, initial=initial) for _ in range(2))
    recorder = Recorder(patient_clock(device) if joined else None)
    for _ in range(3):
        feeds = {"x": rng.random((4, 37), np.float32)}
        found, expected = stamped_one.run_by(feeds, recorder), usual.run(feeds)
        np.testing.assert_array_equal(found["y"], expected["y"])
    for name in graph.state:
        np.testing.assert_array_equal(stamped_one.state.read(name), usual.state.read(name))
    assert len(recorder.taken()) == 3 and recorder.taken() == []
