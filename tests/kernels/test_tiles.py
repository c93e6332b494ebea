"""Products in local memory with every tile, whichever the device at hand would choose."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest

from clconv.cases import CASES, Case
from clconv.device.info import DeviceInfo
from clconv.graph.ir import Constant, DType, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.lowering.ops.conv import implicit_gemm
from clconv.lowering.ops.gemm import local
from clconv.lowering.shared.tiles import (
    HALF_MATRIX_TILES,
    HALF_TILES,
    INTEL_TILES,
    MATRIX_TILES,
    PAIR_TILES,
    TILES,
    WIDE_GROUP,
    Tile,
)
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
# Of each operator one case and one tile are quick: the others render the same text with other sizes.
QUICK = ("Gemm-several_tiles,_transposed", "Conv-several_tiles")


def one_is_quick(tiles: Iterable[Tile]) -> list[Any]:
    *others, smallest = dict.fromkeys(tiles)
    return [*(pytest.param(tile, marks=pytest.mark.slow) for tile in others), smallest]


CASES_OF_TILES = [
    pytest.param(case, marks=[pytest.mark.slow] * (case.name not in QUICK)) for case in TILED
]


MATRIX = {"local": "matrix", "implicit_gemm": "matrix_gemm"}
KINDS = {
    "tf32": ("tf32", frozenset({"tf32", "emulated"})),
    "f16 k8": ("float16", frozenset({"f16", "emulated"})),
    "f16 8 lanes": ("float16", frozenset({"f16 8 lanes", "emulated"})),
    "f16 16 lanes": ("float16", frozenset({"f16 16 lanes", "emulated"})),
    "f16 k16": ("float16", frozenset({"f16", "f16 k16", "emulated"})),
    "f16 pairs": ("float16", frozenset({"f16 pairs", "emulated"})),
    "f16 short sums": ("float16", frozenset({"f16 short sums", "emulated"})),
}
TILES_OF = {
    "f16 k8": HALF_MATRIX_TILES, "f16 k16": HALF_MATRIX_TILES,
    "f16 8 lanes": INTEL_TILES, "f16 16 lanes": INTEL_TILES, "f16 pairs": PAIR_TILES, "f16 short sums": HALF_TILES,
}  # fmt: skip
HALF = 2**-10  # of the largest result


def fragments() -> Iterator[Any]:
    """(case, tile, kind) where the tile is for the instructions. The whole run has each pair of two of them, --soak all."""
    for k, kind in enumerate(KINDS):
        tiles = list(dict.fromkeys(TILES_OF.get(kind, MATRIX_TILES)))
        for (i, case), (j, tile) in itertools.product(enumerate(TILED), enumerate(tiles)):
            is_quick = case.name in QUICK and tile == tiles[-1]
            other = pytest.mark.long if (i + j + k) % 3 else pytest.mark.slow
            name = f"{case.name}-{tile.m}x{tile.n}x{tile.k}-{tile.items}-{kind}"
            yield pytest.param(case, tile, kind, marks=[] if is_quick else [other], id=name)
    for case in TILED:
        marks = [] if case.name in QUICK else [pytest.mark.slow]
        yield pytest.param(
            case, WIDE_GROUP, "f16 16 lanes", marks=marks, id=f"{case.name}-wide group"
        )


def as_tf32(array: np.ndarray) -> np.ndarray:
    """As the factors of the instruction: 11 bits, ties away from zero."""
    bits = array.astype(np.float32).view(np.uint32)
    return ((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)


def test_the_cases_are_there() -> None:
    assert {case.name for case in TILED} == set(NAMES)


@pytest.mark.parametrize("splits", (1, 4))
@pytest.mark.parametrize("tile", one_is_quick(TILES), ids=lambda t: f"{t.m}x{t.n}")
@pytest.mark.parametrize("case", CASES_OF_TILES, ids=lambda case: case.name)
def test_every_tile_agrees_with_the_reference(
    case: Case, tile: Tile, splits: int, device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chosen(*sizes: Any) -> Tile:
        return tile

    if tile.local_bytes > device.local_memory or tile.items > device.largest_work_group:
        pytest.skip("the device has no room for the tile")
    for module in (implicit_gemm, local):
        monkeypatch.setattr(module, "chosen_tile", chosen)
        monkeypatch.setattr(module, "chosen_splits", lambda *sizes: splits)
    graph, feeds = case.build()
    plan = plan_for(graph, device, {case.op.lower(): NAMES[case.name]})
    items = {call.local_size for call in plan.calls if "split" not in call.kernel.entry}
    assert (tile.items, 1, 1) in items, "another tile ran"
    found = run(plan, feeds)
    for name, expected in run_reference(graph, feeds).items():
        assert relative_error(found[name], expected) <= case.tolerance


@pytest.mark.parametrize(("case", "tile", "kind"), list(fragments()))
def test_matrix_instructions_find_their_fragments(
    case: Case, tile: Tile, kind: str, device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Emulated in plain C, with exactly the rounding of the instruction."""
    precision, instructions = KINDS[kind]
    able = dataclasses.replace(device, matrix=instructions)
    if tile.local_bytes > device.local_memory or tile.items > device.largest_work_group:
        pytest.skip("the device has no room for the tile")
    for module in (implicit_gemm, local):
        monkeypatch.setattr(module, "chosen_tile", lambda *sizes: tile)
        monkeypatch.setattr(module, "chosen_splits", lambda *sizes: 1)
    halves = precision == "float16"
    graph, feeds = (case.halved() if halves else case).build()
    plan = plan_for(graph, able, {case.op.lower(): MATRIX[NAMES[case.name]]}, precision)
    assert [(tile.items, 1, 1)] == [call.local_size for call in plan.calls]
    found = run(plan, feeds)
    factors = set(graph.nodes[0].inputs[:2])
    constants = {
        n: Constant(as_tf32(c.array)) if n in factors and not halves else c
        for n, c in graph.constants.items()
    }
    exact = dataclasses.replace(graph, constants=constants)
    inputs = {n: as_tf32(a) if n in factors and not halves else a for n, a in feeds.items()}
    for name, expected in run_reference(exact, inputs).items():
        # The result of halves is rounded to half; that of tf32 differs from the true one by its factors' rounding.
        bound = HALF if halves else case.tolerance
        assert relative_error(found[name], expected) <= bound
        if not halves:
            assert 1e-6 < relative_error(found[name], run_reference(graph, feeds)[name]) <= HALF


@pytest.mark.parametrize("way", ("emulated", "halves"))
def test_short_sums_of_halves_keep_to_their_bound(way: str, device: DeviceInfo) -> None:
    """Of sixteen products each, which err by gamma_16 of what their sizes add up to (Higham 2002, section 3.1); of the largest
    result by no more than storing it does."""
    if way == "halves" and not device.half:
        pytest.skip("the device has no arithmetic of halves")
    able = dataclasses.replace(
        device, kind="gpu", matrix=frozenset({"f16 short sums", *{way} & {"emulated"}})
    )
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal(s).astype(np.float16) for s in ((33, 300), (300, 70)))
    node = make_node("MatMul", ["a", "b"], ["y"], "product")
    specs = {"a": TensorSpec.of(a), "b": TensorSpec.of(b), "y": TensorSpec((33, 70), DType.FLOAT16)}
    graph = Graph("product", (node,), ("a", "b"), ("y",), specs, {})
    found = run(plan_for(graph, able, {"matmul": "matrix"}, "float16"), {"a": a, "b": b})["y"]
    exact, unit = a.astype(np.float64) @ b.astype(np.float64), 2.0**-11
    sizes = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)
    error = np.abs(found.astype(np.float64) - exact)
    assert (error <= unit * np.abs(exact) + 16 * unit / (1 - 16 * unit) * sizes).all()
    assert 2.0**-13 < error.max() / np.abs(exact).max() <= HALF
