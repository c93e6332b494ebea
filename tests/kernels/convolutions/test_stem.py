"""First layers for GPUs, on whatever device there is: each tile, with images that no tile divides."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from clconv.cases.base import Case
from clconv.cases.conv.conv import conv
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.graph.reference import run_reference
from clconv.lowering.choice.select import select
from clconv.lowering.lower import problem_of
from clconv.lowering.ops.conv import stem
from clconv.runtime.check import relative_error
from tests.kernels.support import plan_for, run

SEVEN: dict[str, Any] = {"strides": (2, 2), "pads": (3, 3, 3, 3)}
CASES = (
    conv("7x7 stride 2", (2, 3, 37, 45), (70, 3, 7, 7), **SEVEN),
    conv("3x3 stride 2 of four", (1, 4, 33, 38), (33, 4, 3, 3), strides=(2, 2), pads=(0, 1, 1, 0), bias=False),
    conv("dilated", (1, 1, 24, 41), (7, 1, 3, 2), dilations=(2, 3), strides=(1, 2), pads=(1, 2, 1, 0)),
    conv("wrap", (2, 2, 5, 6), (9, 2, 5, 5), pads=(5, 2, 4, 6), pad_mode="wrap"),
    conv("row", (3, 2, 77), (5, 2, 8), pads=(3, 4), strides=(3,)),
)  # fmt: skip


def launched(case: Case, device: DeviceInfo) -> tuple[dict[str, np.ndarray], stem.StemTile]:
    graph, feeds = case.build()
    gpu = dataclasses.replace(device, kind="gpu")
    plan = plan_for(graph, gpu, {"conv": "stem"})
    (call,) = (c for c in plan.calls if c.kernel.entry == "conv_stem")
    tile = dict(call.kernel.parameters)["tile"]
    assert isinstance(tile, stem.StemTile)
    return run(plan, feeds), tile


# One tile of each kind is quick: the others render the same text with other sizes.
def with_slow(tiles: tuple[stem.StemTile, ...], *more: Any) -> list[Any]:
    def name(tile: stem.StemTile) -> str:
        return f"{tile.filters}x{tile.rows}x{tile.width}-{tile.item_filters}x{tile.pixels}"

    return [
        pytest.param(
            *more,
            tile,
            marks=[pytest.mark.slow] * (tile != tiles[-2]),
            id="-".join([*more, name(tile)]),
        )
        for tile in tiles
    ]


@pytest.mark.parametrize("tile", with_slow(stem._TILES))
def test_every_tile(
    tile: stem.StemTile, device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    if device.largest_work_group < tile.items:
        pytest.skip(f"the device has no groups of {tile.items} items")
    monkeypatch.setattr(stem, "_TILES", (tile,))
    for case in CASES:
        graph, feeds = case.build()
        found, taken = launched(case, device)
        assert taken == tile
        for name, expected in run_reference(graph, feeds).items():
            assert relative_error(found[name], expected) <= case.tolerance, case.name


def test_halves_and_what_is_not_finite(device: DeviceInfo) -> None:
    halved = CASES[0].halved()
    graph, feeds = halved.build()
    (found,), (expected,) = (
        launched(halved, device)[0].values(),
        run_reference(graph, feeds).values(),
    )
    assert relative_error(found, expected) <= 2.0**-10
    graph, feeds = CASES[0].build()
    (name,) = feeds
    feeds[name][0, 1, 20, 20] = np.inf
    feeds[name][1, 2, 0, 44] = np.nan
    gpu = dataclasses.replace(device, kind="gpu")
    (found,) = run(plan_for(graph, gpu, {"conv": "stem"}, precision="strict"), feeds).values()
    (expected,) = run_reference(graph, feeds).values()
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))
    assert np.isfinite(expected).any() and not np.isfinite(expected).all()


@pytest.mark.parametrize(
    ("instruction", "tile"),
    [*with_slow(stem._TILES, "f16 pairs"), *with_slow(stem._HALF_TILES, "f16 short sums")],
)
def test_instructions_for_halves(
    instruction: str, tile: stem.StemTile, device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Emulated in plain C; what is not finite stays with the results that read it, beside a last odd tap, too."""
    able = dataclasses.replace(device, kind="gpu", matrix=frozenset({instruction, "emulated"}))
    if device.largest_work_group < tile.items:
        pytest.skip(f"the device has no groups of {tile.items} items")
    monkeypatch.setattr(stem, "_TILES", (tile,))
    monkeypatch.setattr(stem, "_HALF_TILES", (tile,))
    for case in CASES:
        if case.label == "dilated":
            continue
        graph, feeds = case.halved().build()
        plan = plan_for(graph, able, {"conv": "matrix_stem"}, precision="float16")
        assert [c.kernel.entry for c in plan.calls] == ["conv_stem_halves"]
        (found,), (expected,) = run(plan, feeds).values(), run_reference(graph, feeds).values()
        assert relative_error(found, expected) <= 2.0**-10, case.name
    graph, feeds = CASES[0].halved().all_fed().build()  # filters that only a run brings
    name = graph.inputs[0]
    feeds[name][0, 1, 20, 20] = np.inf
    feeds[name][1, 2, 0, 44] = np.nan
    plan = plan_for(graph, able, {"conv": "matrix_stem"}, precision="float16")
    (found,), (expected,) = run(plan, feeds).values(), run_reference(graph, feeds).values()
    same = np.isfinite(expected)
    np.testing.assert_array_equal(np.isfinite(found), same)
    assert relative_error(found[same], expected[same]) <= 2.0**-10
    assert np.isfinite(expected).any() and not np.isfinite(expected).all()


def test_the_tile_follows_the_layer(device: DeviceInfo) -> None:
    """Large tiles for large images, no tile of 64 filters for 16, small ones where few work-groups would be left."""
    gpu = dataclasses.replace(device, kind="gpu", compute_units=100, largest_work_group=256, local_memory=48 << 10, vendor="NVIDIA")  # fmt: skip

    def tile(case: Case) -> stem.StemTile:
        graph, _ = case.build()
        call = plan_for(graph, gpu, {"conv": "stem"}).calls[0]
        found = dict(call.kernel.parameters)["tile"]
        assert isinstance(found, stem.StemTile)
        return found

    large = tile(conv("large", (16, 3, 224, 224), (64, 3, 7, 7), **SEVEN))
    assert (large.filters, large.item_filters * large.pixels) == (64, 64)
    assert tile(conv("few", (16, 3, 224, 224), (16, 3, 3, 3))).filters == 16
    small = tile(conv("small", (1, 3, 32, 32), (64, 3, 3, 3)))
    assert small.filters * small.rows * small.width < large.filters * large.rows * large.width


def test_halves_are_multiplied_as_such() -> None:
    """Where an item alone can do that, and not where sums of plain products were asked for."""
    plain = DeviceInfo("gpu", "AMD", "AMD", "OpenCL 2.0", "", "gpu", compute_units=40, vector_width=1, local_memory=64 << 10)  # fmt: skip
    large = conv("large", (16, 3, 224, 224), (64, 3, 7, 7), **SEVEN)

    def chosen(precision: str, *instructions: str) -> str:
        graph, _ = (large if precision == "float32" else large.halved()).build()
        device = dataclasses.replace(plain, matrix=frozenset(instructions))
        problem = problem_of(graph, graph.nodes[0], device, PlanOptions(precision))
        return select(problem).variant.name

    for instruction in ("f16 pairs", "f16 short sums"):
        assert chosen("float16", instruction) == "matrix_stem"
        assert chosen("strict", instruction) == chosen("float32", instruction) == "stem"
    assert chosen("float16", "f16", "f16 k16") == "matrix_gemm"
