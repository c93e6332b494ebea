"""Products in local memory with every tile, whichever the device at hand would choose."""

from __future__ import annotations

from typing import Any

import pytest

from clconv.cases import CASES, Case
from clconv.graph.reference import run_reference
from clconv.lowering.conv import implicit_gemm
from clconv.lowering.device import DeviceInfo
from clconv.lowering.gemm import local
from clconv.lowering.tiles import TILES, Tile
from clconv.runtime.check import relative_error
from tests.kernels.support import plan_for, run

# Ragged in every way, and more than a tile in every direction.
NAMES = {
    "Gemm-several_tiles": "local",
    "Gemm-several_tiles,_transposed": "local",
    "MatMul-several_tiles": "local",
    "Conv-several_tiles": "implicit_gemm",
}
TILED = [case for case in CASES if case.name in NAMES]


def test_the_cases_are_there() -> None:
    assert {case.name for case in TILED} == set(NAMES)


@pytest.mark.parametrize("splits", (1, 4))
@pytest.mark.parametrize("tile", TILES, ids=lambda t: f"{t.m}x{t.n}")
@pytest.mark.parametrize("case", TILED, ids=lambda case: case.name)
def test_every_tile_agrees_with_the_reference(
    case: Case, tile: Tile, splits: int, device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chosen(*sizes: Any) -> Tile:
        return tile

    if tile.local_bytes > device.local_memory or tile.items > device.largest_work_group:
        pytest.skip("the device has no room for the tile")
    for module in (implicit_gemm, local):
        monkeypatch.setattr(module, "choose_tile", chosen)
        monkeypatch.setattr(module, "choose_splits", lambda *sizes: splits)
    graph, feeds = case.build()
    plan = plan_for(graph, device, {case.op.lower(): NAMES[case.name]})
    items = {call.local_size for call in plan.calls if "split" not in call.kernel.entry}
    assert (tile.items, 1, 1) in items, "another tile ran"
    found = run(plan, feeds)
    for name, expected in run_reference(graph, feeds).items():
        assert relative_error(found[name], expected) <= case.tolerance
