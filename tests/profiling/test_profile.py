"""What a profile says adds up, names each layer as the model does, and says how it was measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import clconv
from clconv.device.info import DeviceInfo
from clconv.errors import ConfigError, DeviceError, InputError
from clconv.graph.evaluate import node_cost
from clconv.planning.persistent import is_persistent
from clconv.profiling import measure
from clconv.profiling.ceilings import Ceilings
from clconv.profiling.profile import Profile
from clconv.session.session import Session
from tests.graph.graph_builder import Builder
from tests.patience import holds_once
from tests.profiling.support import NASTY, growing_loop, network, planted
from tests.runtime.control_flow import IMAGE
from tests.runtime.support import patient_clock

SHAPES = {"x": (2, 3, 16, 16)}


@pytest.fixture(autouse=True)
def known_ceilings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring a device takes a while, and is tested elsewhere."""
    monkeypatch.setattr(
        measure, "ceilings_of", lambda device, afresh: Ceilings(1e11, 1e10, "today")
    )


def assert_sound(found: Profile, session: Session) -> None:
    plan = session.prepare(SHAPES).plan
    assert [row.layer for row in found.launches] == [call.node for call in plan.calls]
    nodes = {node.name for node in session.graph.nodes}
    assert {row.layer for row in found.layers() if row.operator != "(conversion)"} == nodes
    assert all(row.seconds > 0 and row.launches == 1 for row in found.launches)
    for rows in (found.layers(), found.kernels(), found.slowest()):
        assert sum(row.seconds for row in rows) == pytest.approx(found.in_kernels)
        whole = sum(node_cost(node, plan.graph).flops for node in plan.graph.nodes)
        assert sum(row.flops for row in rows) == pytest.approx(whole, abs=len(plan.calls))
        assert [row.seconds for row in rows] == sorted((r.seconds for r in rows), reverse=True)
    assert found.outside["host nodes"] == 0
    assert all(seconds > -1e-4 for name, seconds in found.outside.items())
    assert found.whole == pytest.approx(found.profiled, rel=1)
    json.dumps(found.as_dict(), allow_nan=False)


@pytest.mark.parametrize("joined", [True, False])
def test_a_session(device: DeviceInfo, joined: bool) -> None:
    session = Session(network(), device)
    clock = patient_clock(device)

    def attempt() -> Profile:
        found = clconv.profile(session, shapes=SHAPES, runs=3, joined=joined)
        assert_sound(found, session)
        return found

    found = holds_once(attempt)
    assert found.load == {} and found.runs == 3
    launches = session.prepare(SHAPES).plan.launches
    can = clock is not None and any(is_persistent(launch.kernel) for launch in launches)
    assert found.method == ("joined" if joined and can else "separate")
    lanes = {event.lane for event in found.timeline}
    workers = {lane for lane in lanes if lane.startswith("worker")}
    assert "host" in lanes and (bool(workers) == (found.method == "joined"))
    assert len(workers) <= device.compute_units


def test_a_load_is_told_in_parts(device: DeviceInfo) -> None:
    found = clconv.profile(network(1), device=device, runs=1)
    assert set(found.load) == {
        "import", "passes", "plan", "device", "build", "pack", "first run", "other",
    }  # fmt: skip
    assert found.load["import"] == 0  # it is a graph
    assert min(found.load.values()) > -1e-4
    for stage in ("passes", "plan", "pack", "first run"):
        assert found.load[stage] > 0, stage
    spans = {event.name: event for event in found.timeline if event.lane == "load"}
    assert spans["pack"].end <= spans["first run"].begin


def test_images_that_go_a_few_at_a_time_are_added(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_IMAGES", "1")
    found = clconv.profile(network(), device=device, shapes={"x": (3, 3, 16, 16)}, runs=1)
    assert {row.launches for row in found.launches} == {3}


def test_the_work_of_a_layer_of_several_launches_counts_once(device: DeviceInfo) -> None:
    b = Builder()
    b.conv(b.input(1, 32, 24, 24), 32, 32, 3, pads=(1, 1, 1, 1), out="y")
    session = Session(b.graph("y"), device)
    plan = session.prepare({"x": (1, 32, 24, 24)}).plan
    found = clconv.profile(session, runs=1)
    (layer,) = (row for row in found.layers() if row.layer == "Conv0")
    work = node_cost(plan.graph.nodes[0], plan.graph)
    assert layer.flops == pytest.approx(work.flops, rel=1e-6)
    assert layer.bytes == pytest.approx(work.bytes, rel=1e-3)
    several = [row for row in found.launches if row.layer == "Conv0"]
    for row in several:
        assert row.gflops == pytest.approx(layer.gflops, rel=1e-2)


def test_control_flow_on_the_host_is_in_the_timeline(device: DeviceInfo) -> None:
    feeds = {"x": IMAGE, "m": np.array(3), "limit": np.array(9e9, np.float32)}

    def attempt() -> Profile:
        found = clconv.profile(growing_loop(), feeds, device=device, runs=1)
        assert found.outside["host nodes"] > 0 and found.outside["around"] > -1e-4
        return found

    found = holds_once(attempt)
    assert any(event.name == "host: Loop the loop" for event in found.timeline)
    assert {row.launches for row in found.launches if row.operator == "Conv"} == {3}


def test_feeds_are_taken_as_they_are(device: DeviceInfo) -> None:
    session = Session(network(), device)
    x = np.zeros((1, 3, 16, 16), np.float32)
    for feeds in ({"x": x}, x, lambda graph: {"x": x}):
        found = clconv.profile(session, feeds, runs=1)
        assert found.inputs == {"x": "float32[1x3x16x16]"}


def test_wrong_uses(device: DeviceInfo) -> None:
    session = Session(network(), device)
    feeds = {"x": np.zeros((1, 3, 16, 16), np.float32)}
    with pytest.raises(ConfigError, match="runs=0"):
        clconv.profile(session, runs=0)
    with pytest.raises(ConfigError, match="has its device"):
        clconv.profile(session, device="cpu")
    with pytest.raises(InputError, match="leave `shapes` out"):
        clconv.profile(session, feeds, shapes=SHAPES)
    with pytest.raises(InputError, match="unknown"):
        clconv.profile(session, shapes={"y": (1,)})
    with pytest.raises(DeviceError, match="voodoo"):
        clconv.profile(network(), device="voodoo")


def test_grouped_rows_and_shares() -> None:
    found = planted()
    assert [row.layer for row in found.layers()] == [NASTY, "pool"]
    assert found.layers()[0].kernel == "winograd_input, winograd_product"
    assert [row.kernel for row in found.kernels()] == [
        "winograd_product", "pool_blocked", "winograd_input",
    ]  # fmt: skip
    assert found.whole == pytest.approx(10e-3)
    pool = next(row for row in found.as_dict()["layers"] if row["layer"] == "pool")
    assert pool["share"] == pytest.approx(0.2)
    assert pool["gbytes"] == pytest.approx(1.0) and pool["of_bandwidth"] == pytest.approx(0.5)
    product = found.as_dict()["kernels"][0]
    assert product["gflops"] == pytest.approx(2) and product["of_arithmetic"] == pytest.approx(0.5)


def test_files_are_written(tmp_path: Path) -> None:
    planted().write_trace(tmp_path / "trace.json")
    planted().write_html(tmp_path / "page.html")
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")
