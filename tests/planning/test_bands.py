"""Chains of layers in bands of rows give bit for bit what whole images give, and only values of theirs are in bands."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph
from clconv.lowering.choice import bands
from clconv.planning.plan import Plan
from clconv.planning.planner import Planner
from clconv.runtime.bound import BoundPlan
from clconv.runtime.constants import DeviceConstants
from clconv.runtime.opencl import open_device
from clconv.session.session import Session
from tests.graph.graph_builder import Builder
from tests.lowering.support import AVX2, AVX512, NVIDIA
from tests.planning.support import make_plan
from tests.runtime.support import picture


class Blocks(Builder):
    """A first layer, so that all that is looked at lies in channel blocks, and then what a test adds."""

    def __init__(self, channels: int, height: int, width: int, batch: int = 1) -> None:
        super().__init__()
        self.last = self.input(batch, 3, height, width)
        self.channels = 3
        self.pointwise(channels, "Relu")

    def pointwise(self, filters: int, activation: str = "", group: int = 1) -> Blocks:
        return self._conv(filters, 1, activation, group=group)

    def depthwise(self, window: int = 3, activation: str = "Sigmoid", **attrs: object) -> Blocks:
        attrs = {"pads": (window // 2,) * 4, **attrs}
        return self._conv(self.channels, window, activation, group=self.channels, **attrs)

    def _conv(self, filters: int, window: int, activation: str, **attrs: object) -> Blocks:
        self.last = self.conv(self.last, filters, self.channels, window, **attrs)
        self.channels = filters
        if activation:
            self.last = self.node(activation, self.last)
        return self

    def made(self, *more: str) -> Graph:
        return self.graph(self.last, *more)


def inverted(*args: int, filters: int = 24, **attrs: object) -> Graph:
    return Blocks(*args).pointwise(40, "HardSwish").depthwise(**attrs).pointwise(filters).made()


def residual() -> Graph:
    b = Blocks(20, 23, 15)
    x = b.last
    b.pointwise(50, "Relu").depthwise(5).pointwise(20)
    b.last = b.node("Relu", b.node("Add", b.last, x))
    return b.made()


def squeezed() -> Graph:
    """As in EfficientNet: the depthwise result is read twice, and stays whole."""
    b = Blocks(16, 20, 12).pointwise(33, "Relu").depthwise()
    b.last = b.node("Mul", b.last, b.node("Sigmoid", b.node("GlobalAveragePool", b.last)))
    return b.pointwise(8).made()


BANDED = {
    "stride 1": inverted(16, 21, 10),
    "stride 2": inverted(16, 30, 16, strides=(2, 2)),
    "two images": inverted(7, 18, 14, 2),
    "pads on one side": inverted(16, 19, 16, pads=(0, 2, 3, 0)),
    "no padding": inverted(16, 19, 17, pads=(0, 0, 0, 0)),
    "dilated": inverted(16, 26, 14, dilations=(2, 3), pads=(2, 3, 2, 3)),
    "more filters than pixels": inverted(16, 23, 14, filters=300),
    "residual": residual(),
    "squeezed": squeezed(),
    "separable": Blocks(24, 25, 9).depthwise().pointwise(40, "Relu").depthwise().pointwise(9, "Relu").made(),
    "groups": Blocks(32, 20, 15).pointwise(32, "Relu", group=2).depthwise().pointwise(16).made(),
}  # fmt: skip


def narrow(patch: pytest.MonkeyPatch) -> None:
    """Bands for images as small as those here, on two cores."""
    patch.setattr(bands, "_CORE_BYTES", 8000)
    patch.setattr(bands, "_MOST_TWICE", 9.0)


def with_two(device: DeviceInfo) -> DeviceInfo:
    return dataclasses.replace(device, compute_units=2)


def planned(graph: Graph, device: DeviceInfo) -> tuple[Plan, Plan]:
    """With whole images, and in bands."""
    whole = make_plan(graph, {n: graph.specs[n] for n in graph.inputs}, device)
    return whole, Planner(device).banded(whole)


def outputs(plan: Plan, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    opened = open_device(plan.device)
    queue = opened.queue()
    return BoundPlan(plan, opened, queue, DeviceConstants(opened, queue)).run(feeds)


QUICK = ("stride 2", "residual", "separable", "two images")


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in BANDED]
)
def test_bands_do_not_change_a_bit(
    device: DeviceInfo, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = BANDED[name]
    if not device.is_cpu:
        pytest.skip("bands are for caches of CPUs")
    narrow(monkeypatch)
    whole, banded = planned(graph, with_two(device))
    assert len(banded.calls) >= len(whole.calls) + 2
    assert {call.kernel for call in banded.calls} == {call.kernel for call in whole.calls}
    feeds = {name: picture(*graph.specs[name].shape) for name in graph.inputs}
    found, expected = outputs(banded, feeds), outputs(whole, feeds)
    for output in graph.outputs:
        np.testing.assert_array_equal(found[output], expected[output])


def test_a_session_runs_and_checks_bands(
    waking: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = BANDED["stride 2"]
    plain = Session(graph, waking)
    narrow(monkeypatch)
    session = Session(graph, with_two(waking))
    feeds = {"x": picture(*graph.specs["x"].shape)}
    plan = session.prepare({"x": graph.specs["x"].shape}).plan
    assert plan.lowered.late and len(plan.launches) == 1
    seen: dict[str, float] = {}
    session.check(feeds, lambda node, output, error, variant: seen.update({output: error}))
    assert set(seen) == {n for node in plan.graph.nodes for n in node.outputs} - plan.lowered.late
    assert max(seen.values()) < 1e-5
    found, expected = session.run(feeds), plain.run(feeds)
    for output in graph.outputs:
        np.testing.assert_array_equal(found[output], expected[output])


def test_only_what_large_layers_keep_to_themselves_is_in_bands() -> None:
    """On a made-up device with two cores: 2 MiB between layers are in bands, less is whole."""

    def late(graph: Graph, device: DeviceInfo = AVX2) -> int:
        whole, banded = planned(graph, device)
        assert (len(banded.calls) > len(whole.calls)) == (banded is not whole)
        assert banded.memory.total <= whole.memory.total
        return len(banded.lowered.late)

    def block(height: int = 112, **attrs: object) -> Blocks:
        return Blocks(16, height, 112).pointwise(96, "Relu").depthwise(**attrs)

    assert late(block(strides=(2, 2)).pointwise(24).made()) == 2
    assert late(block(32).pointwise(24).made()) == 2
    assert late(block(16).pointwise(24).made()) == 0
    assert late(block(pad_mode="reflect").pointwise(24).made()) == 0
    read_twice = block()
    expanded = read_twice.nodes[-3].outputs[0]
    assert late(read_twice.pointwise(24).made(expanded)) == 1  # what depthwise makes
    assert late(block().made(), AVX512) == 0  # 64 cores have caches for it
    assert late(block().made(), NVIDIA) == 0
