"""Winograd's weight gradient: tiles and filters dealt out in every way, and what a large value costs."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.cases import Case
from clconv.cases.conv.weight_gradient import ONE, weight_gradient
from clconv.device.info import DeviceInfo
from clconv.errors import VariantError
from clconv.graph.reference import run_reference
from clconv.lowering.ops.conv.weight_gradient import winograd
from clconv.planning.plan import Plan
from clconv.runtime.check import relative_error
from tests.kernels.support import plan_for, run

FORCED = {"convweightgradient": "winograd4"}
DEALT = weight_gradient("dealt out", (5, 37, 11, 9), 83, (3, 3), pads=ONE)
OUTLIER = weight_gradient("outlier", (1, 16, 20, 20), 8, (3, 3), pads=ONE)


def planned(case: Case, device: DeviceInfo) -> Plan:
    try:
        return plan_for(case.build()[0], device, FORCED)
    except VariantError as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize(
    "tiles, filters, panel, items",
    [(1, 256, 1 << 20, 1), (4, 16, 1, 2), (7, 256, 1, 3), (128, 32, 1 << 15, 4)],
)
def test_however_work_is_dealt_out(
    tiles: int,
    filters: int,
    panel: int,
    items: int,
    device: DeviceInfo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (
        ("_LEAST_TILES", tiles), ("_MOST_TILES", tiles), ("_LEAST_FILTERS", filters), ("_PANEL_BYTES", panel),
        ("_ITEMS_A_CORE", items),
    ):  # fmt: skip
        monkeypatch.setattr(winograd, name, value)
    graph, feeds = DEALT.build()
    found = run(planned(DEALT, device), feeds)
    for name, expected in run_reference(graph, feeds).items():
        assert relative_error(found[name], expected) <= DEALT.tolerance


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
def test_padding(mode: str, device: DeviceInfo) -> None:
    case = weight_gradient(mode, (2, 17, 7, 10), 18, (3, 3), pads=(2, 1, 0, 2), pad_mode=mode)
    graph, feeds = case.build()
    found = run(planned(case, device), feeds)
    for name, expected in run_reference(graph, feeds).items():
        assert relative_error(found[name], expected) <= case.tolerance


def test_strict_refuses_it(device: DeviceInfo) -> None:
    graph = OUTLIER.build()[0]
    planned(OUTLIER, device)
    with pytest.raises(VariantError, match="mix the pixels of a tile, which precision 'strict'"):
        plan_for(graph, device, FORCED, "strict")


@pytest.mark.parametrize("value", [1e4, 1e6])
def test_an_outlier_without_gradients_costs_no_more_than_is_stated(
    value: float, device: DeviceInfo
) -> None:
    graph, feeds = OUTLIER.build()
    x, dy = feeds["in0"].copy(), feeds["in1"].copy()
    x[0, 5, 9, 10] = value
    dy[..., 8:11, 9:12] = 0  # all that multiply the outlier
    plan, hostile = planned(OUTLIER, device), {"in0": x, "in1": dy}
    found, expected = run(plan, hostile)["out0"], run_reference(graph, hostile)["out0"]
    error = np.abs(found - expected)
    assert error[:, 5].max() <= 50 * 2**-24 * value * np.abs(dy).max()  # see docs/tuning.md
    others = np.arange(16) != 5
    same = run(plan, {"in0": feeds["in0"], "in1": dy})["out0"]
    assert np.array_equal(found[:, others], same[:, others])


def test_non_finite_values_stay_with_their_channel_and_filter(device: DeviceInfo) -> None:
    feeds = OUTLIER.build()[1]
    plan, x, dy = planned(OUTLIER, device), feeds["in0"].copy(), feeds["in1"].copy()
    x[0, 5, 9, 10], dy[0, 3, 2, 2] = np.inf, np.nan
    found, clean = run(plan, {"in0": x, "in1": dy})["out0"], run(plan, feeds)["out0"]
    read = np.zeros(found.shape, bool)
    read[3], read[:, 5] = True, True
    assert np.array_equal(found[~read], clean[~read])
    assert not np.isfinite(found[read]).any()
