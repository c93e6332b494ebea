"""clconv doctor on joined launches: networks of all kinds agree, and where they do not, sessions launch one by one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from clconv import errors
from clconv.device.findings import NOTHING_FOUND, Findings
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.diagnosis import joined
from clconv.diagnosis.doctor import Examiner, find_culprits, new_quarantine
from clconv.diagnosis.joined import NETWORKS, examine_joined, examine_network, network
from clconv.planning.joining import JOINED, are_joined, join_launches, may_join
from clconv.runtime.bound import BoundPlan
from clconv.runtime.quarantine import write_quarantine
from clconv.runtime.worker import Worker
from clconv.session.session import Session
from tests.lowering.support import AVX2
from tests.patience import HANG
from tests.planning.support import make_plan
from tests.runtime.support import assert_agrees, picture, residual


@pytest.fixture(autouse=True)
def own_findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(errors, "_warned", set())


@pytest.fixture
def waking(device: DeviceInfo) -> DeviceInfo:
    if not may_join(device, PlanOptions.from_config()):
        pytest.skip(f"{device} does not wake slowly: it gets a launch for each kernel")
    return device


def break_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Joined launches leave their last row out, now and then."""
    runs = iter(range(10**6))

    def run(self: BoundPlan, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = honest(self, feeds)
        if self.plan.launches is not self.plan.calls and next(runs) % 20 == 19:
            found = {
                name: np.where(array == array.max(), 0, array) for name, array in found.items()
            }
        return found

    honest = BoundPlan.run
    monkeypatch.setattr(BoundPlan, "run", run)


class Here(Worker):
    """Works in this process, so that it sees what a test has patched."""

    def call(self, function, *arguments, limit):  # type: ignore[no-untyped-def]
        return function(*arguments)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (i > 0)) for i, n in enumerate(NETWORKS)]
)
def test_each_network_is_right(waking: DeviceInfo, name: str) -> None:
    result = examine_network(name, waking)
    assert result.passed and (result.op, result.variant) == JOINED and 0 <= result.error < 1e-5


def test_the_networks_reach_what_matters() -> None:
    """Of a device that is made up: nothing runs."""
    variants: set[str] = set()
    parts = 0
    for name in NETWORKS:
        graph = network(name)
        plan = make_plan(graph, {n: graph.specs[n] for n in graph.inputs}, AVX2)
        plan = join_launches(plan)
        assert len(plan.calls) >= 5
        assert len(plan.launches) == 1, name
        parts += len(plan.lowered.placed_inside)
        variants |= {f"{n.op}:{plan.lowered.choices[n.name].name}" for n in plan.graph.nodes}
    assert parts >= 3
    kinds = " ".join(sorted(variants))
    for wanted in (
        "winograd",
        "depthwise",
        "Gemm",
        "MaxPool",
        "ConvTranspose",
        "Softmax",
        "Resize",
    ):
        assert wanted in kinds, f"no {wanted} in {kinds}"


@pytest.mark.slow
def test_a_race_quarantines_the_joining_and_sessions_launch_one_by_one(
    waking: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, feeds = residual(), {"x": picture(1, 3, 16, 16)}
    shapes = {"x": (1, 3, 16, 16)}
    expected = Session(graph, waking).run(feeds)
    assert len(Session(graph, waking).prepare(shapes).plan.launches) == 1
    with monkeypatch.context() as patch:
        break_joined(patch)
        results = list(examine_joined(waking, Here()))
    assert [r.case for r in results] == list(NETWORKS)
    assert all("with a launch for each kernel" in r.failure for r in results if not r.passed)
    culprits = find_culprits(Examiner(waking), {}, results)
    assert set(culprits) == {JOINED} and "error" in culprits[JOINED]
    write_quarantine(waking, new_quarantine({}, culprits, results))
    session = Session(graph, waking)
    plan = session.prepare(shapes).plan
    assert plan.launches == plan.calls and len(plan.calls) > 1
    assert_agrees(session.run(feeds), expected)
    # The next doctor that finds nothing releases it.
    again = [examine_network(NETWORKS[0], waking)]
    write_quarantine(waking, new_quarantine(culprits, {}, again))
    assert len(Session(graph, waking).prepare(shapes).plan.launches) == 1


@pytest.mark.slow
def test_a_launch_that_never_ends_or_kills_is_a_failure(
    waking: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joined, "_SECONDS", 0.5)
    monkeypatch.setattr(joined, "examine_network", _sleep)
    with Worker() as worker:
        (first, *_) = examine_joined(waking, worker)
        assert not first.passed and "not done after 0.5 s" in first.failure
        monkeypatch.setattr(joined, "_SECONDS", HANG)
        monkeypatch.setattr(joined, "examine_network", _die)
        (first, *_) = examine_joined(waking, worker)
        assert not first.passed and "exit code 3" in first.failure


def _sleep(*_: object) -> None:
    time.sleep(1000)


def _die(*_: object) -> None:
    os._exit(3)


def test_elsewhere_and_where_forbidden_nothing_is_examined(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_ONE_LAUNCH", "0")
    assert list(examine_joined(device, Here())) == []
    assert not are_joined(device, PlanOptions.from_config(), NOTHING_FOUND)


def test_a_quarantine_is_honoured(waking: DeviceInfo) -> None:
    assert are_joined(waking, PlanOptions(), NOTHING_FOUND)
    assert not are_joined(waking, PlanOptions(), Findings(frozenset({JOINED})))
