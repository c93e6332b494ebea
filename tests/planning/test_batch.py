"""A batch a few images at a time: the same results, and only where it takes less."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import ClconvWarning, ConfigError, DeviceMemoryError
from clconv.graph.ir import DType, Graph, TensorSpec
from clconv.graph.passes import run_passes
from clconv.graph.reference import run_reference
from clconv.planning.planner import Planner
from clconv.session.session import Session
from tests.graph.graph_builder import Builder
from tests.lowering.support import AVX2, NVIDIA
from tests.runtime.support import assert_agrees, assert_runs_right, picture, residual

CACHED = dataclasses.replace(AVX2, cache=4 << 20)


@pytest.mark.parametrize("count", ["1", "2", "3", "7"])
def test_results_are_those_of_the_batch(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch, count: str
) -> None:
    monkeypatch.setenv("CLCONV_IMAGES", count)
    graph = residual()
    session = Session(graph, device)
    for size in ((5, 3, 9, 12), (1, 3, 9, 12), (4, 3, 6, 6)):
        assert_runs_right(session, graph, {"x": picture(*size)})
    plan = session.prepare({"x": (5, 3, 9, 12)}).plan
    assert plan.graph.specs["x"].shape[0] == min(int(count), 5)
    assert session.output_specs({"x": (5, 3, 9, 12)}) == {"result": TensorSpec((5, 16, 9, 12))}


def test_results_are_checked_a_few_images_at_a_time(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_IMAGES", "2")
    graph, feeds = residual(), {"x": picture(4, 3, 8, 8)}
    errors: list[float] = []
    session = Session(graph, device)
    found = session.check(feeds, lambda node, output, error, variant: errors.append(error))
    nodes = session.prepare({"x": (4, 3, 8, 8)}).plan.graph.nodes
    assert len(errors) == 2 * len(nodes) and max(errors) < 1e-4
    assert_agrees(found, {"result": run_reference(graph, feeds)["result"]})


def mixing() -> Graph:
    b = Builder()
    return b.graph(b.node("Softmax", b.input("n", 3, 4, 4), axis=0, out="y"))


def test_a_count_for_images_that_meet_is_told_and_not_followed(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_IMAGES", "1")
    session = Session(mixing(), device)
    with pytest.warns(ClconvWarning, match="CLCONV_IMAGES=1"):
        assert_runs_right(session, mixing(), {"x": picture(3, 3, 4, 4)})


def test_a_count_that_is_none(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLCONV_IMAGES", "few")
    with pytest.raises(ConfigError, match="CLCONV_IMAGES"):
        Session(residual(2, 4, 4), device)


def planned(graph: Graph, device: DeviceInfo, batch: int, size: int) -> int | None:
    """How many images at a time, None for all."""
    specs = {"x": TensorSpec((batch, 3, size, size))}
    plan = Planner(device, PlanOptions.from_config()).plan(run_passes(graph), specs)
    split = plan.batch_split
    assert plan.graph.specs["x"].shape[0] == (batch if split is None else split.count)
    return None if split is None else split.count


def test_as_many_images_as_the_cache_holds() -> None:
    # An image of 64 x 64 takes 0.8 MB, one of 32 x 32 takes 0.3 MB.
    assert planned(residual(), CACHED, 2, 64) is None, "fits as a whole"
    assert planned(residual(), CACHED, 16, 64) == 4
    assert planned(residual(), CACHED, 18, 32) == 9, "11 would take four images twice"
    assert planned(residual(), CACHED, 20, 32) == 10
    assert planned(residual(), CACHED, 17, 32) == 9, "one image twice, in two runs instead of three"
    assert planned(residual(), CACHED, 4, 256) == 1


def test_no_fewer_images_where_that_costs_more() -> None:
    assert planned(residual(), dataclasses.replace(CACHED, cache=0), 16, 64) is None, "not known"
    assert planned(residual(), dataclasses.replace(NVIDIA, cache=1 << 20), 64, 64) is None
    assert planned(mixing(), CACHED, 64, 64) is None, "images that meet"
    b = Builder()
    wide = b.conv(b.conv(b.input("n", 3, "h", "w"), 512, 3), 512, 512, 3, pads=(1, 1, 1, 1))
    assert planned(b.graph(wide), CACHED, 16, 8) is None, "weights of 9 MB read anew each time"


def test_as_many_images_as_there_is_memory_for(device: DeviceInfo) -> None:
    """Five images of 64 x 64 take about 5 MB, eight 6.2."""
    small = dataclasses.replace(AVX2, global_memory=5_500_000)
    assert planned(residual(), small, 4, 64) is None
    assert planned(residual(), small, 64, 64) == 4
    assert planned(residual(), small, 19, 64) == 5
    assert planned(residual(), dataclasses.replace(small, largest_allocation=700_000), 8, 64) == 1
    with pytest.raises(DeviceMemoryError):
        planned(residual(), small, 1, 512)
    with pytest.raises(DeviceMemoryError):
        planned(mixing(), dataclasses.replace(small, global_memory=1 << 10), 64, 64)
    session = Session(residual(), dataclasses.replace(device, global_memory=1 << 20))
    assert_runs_right(session, residual(), {"x": picture(7, 3, 32, 32)})
    assert session.prepare({"x": (7, 3, 32, 32)}).plan.graph.specs["x"].shape[0] < 7


def test_a_count_that_does_not_fit_is_not_another(monkeypatch: pytest.MonkeyPatch) -> None:
    small = dataclasses.replace(AVX2, global_memory=7 << 20)
    monkeypatch.setenv("CLCONV_IMAGES", "3")
    assert planned(residual(), small, 64, 64) == 3
    for count in ("0", "32", "64"):
        monkeypatch.setenv("CLCONV_IMAGES", count)
        with pytest.raises(DeviceMemoryError):
            planned(residual(), small, 64, 64)


def test_inputs_may_be_any_views(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLCONV_IMAGES", "2")
    graph, session = residual(), Session(residual(), device)
    images = np.ascontiguousarray(picture(3, 5, 8, 8).transpose(1, 0, 2, 3)).transpose(1, 0, 2, 3)
    assert_runs_right(session, graph, {"x": images[:, :3].repeat(2, 0)})
    assert_runs_right(session, graph, {"x": np.asfortranarray(picture(4, 3, 8, 8))})


def test_halves_are_stored_as_for_the_batch(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    feeds, found = {"x": picture(4, 3, 9, 9)}, []
    for count in ("0", "2"):
        monkeypatch.setenv("CLCONV_IMAGES", count)
        session = Session(residual(), device, precision="float16")
        found.append(session.run(feeds)["result"])
        specs = session.prepare({"x": (4, 3, 9, 9)}).plan.graph.specs.values()
        assert any(spec.dtype is DType.FLOAT16 for spec in specs)
    assert_agrees({"y": found[0]}, {"y": found[1]})
