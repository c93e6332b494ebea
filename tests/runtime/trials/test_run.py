"""Another process runs a plan as this one does, and its death or delay is an error."""

from __future__ import annotations

import dataclasses
import signal

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import KernelBuildError
from clconv.layers import Conv2d, MaxPool2d, Relu, Sequential, Sigmoid
from clconv.planning.planner import Planner
from clconv.runtime.opencl import Helper, beside, give_back, taken
from clconv.runtime.prepared import PreparedDevice
from clconv.runtime.trials import run
from clconv.runtime.trials.run import PlanApart
from tests.runtime.support import picture

FEEDS = {"input": picture(1, 3, 12, 14)}


def _given(helper: Helper, device: DeviceInfo, joining: bool = True) -> PlanApart:
    graph = Sequential(Conv2d(9, 3), Relu(), MaxPool2d(2), Sigmoid()).build((3, 12, 14))
    options = PlanOptions(joining=joining, parts=1, images_at_once=0)
    plan = Planner(device, options).plan(graph, {n: graph.specs[n] for n in graph.inputs})
    return PlanApart(helper, plan, FEEDS, PreparedDevice(device))


@pytest.mark.parametrize("joining", [True, False], ids=["joined", "alone"])
def test_its_outputs_are_those_of_this_process(device: DeviceInfo, joining: bool) -> None:
    graph = Sequential(Conv2d(9, 3), Relu(), MaxPool2d(2), Sigmoid()).build((3, 12, 14))
    with Helper(device) as helper:
        apart = _given(helper, device, joining)
        again = _given(helper, device, joining)
        found, later = apart.outputs(), again.outputs()
    plan = Planner(device, PlanOptions(joining=joining, images_at_once=0)).plan(
        graph, {n: graph.specs[n] for n in graph.inputs}
    )
    expected = PreparedDevice(device).bind(plan).run(FEEDS)
    assert found.keys() == later.keys() == expected.keys()
    for name, one in expected.items():
        assert one.any() and np.array_equal(found[name], one) and np.array_equal(later[name], one)


def test_its_death_and_a_refusal_are_errors(device: DeviceInfo) -> None:
    with Helper(device) as helper:
        apart = _given(helper, device)
        helper._process.send_signal(signal.SIGABRT)
        with pytest.raises(KernelBuildError, match="ended with -6"):
            apart.outputs()
    with Helper(device) as helper:
        job = {"sources": ["kernel void x("]}
        answer = helper.answer(helper.give(job))
        assert answer is not None and answer["refused"]
        assert not helper.wait(helper.give(job))
        assert _given(helper, device).outputs()  # it goes on


def test_what_takes_too_long_is_given_up(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "LIMIT", 0.01)
    with Helper(device) as helper:
        helper._process.send_signal(signal.SIGSTOP)
        apart = _given(helper, device)
        with pytest.raises(KernelBuildError, match="took longer than"):
            apart.outputs()
        assert not helper.is_there


def test_a_free_process_serves_the_next(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "_early", [])
    helper = taken(device)
    give_back(helper)
    wider = dataclasses.replace(device, vector_width=2 * device.vector_width)
    assert taken(wider) is helper  # whatever is known of the device
    give_back(helper)
    monkeypatch.setattr(helper, "_idle_since", helper._idle_since - 0.8 * beside._PATIENCE)
    last = taken(device)  # rather than one that is about to end
    assert last is not helper
    last.__exit__()
    helper.__exit__()
    give_back(helper)
    other = taken(device)
    assert other is not helper
    other.__exit__()
