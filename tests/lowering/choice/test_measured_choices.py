"""What a made-up H200 is given is what a real one was fastest with (benchmarks/results/h200.md)."""

from __future__ import annotations

import dataclasses
import math

import pytest

from clconv.cases.conv.conv import conv
from clconv.lowering.choice.matrix import Matrix
from clconv.lowering.choice.select import select
from clconv.lowering.lower import problem_of
from clconv.lowering.model.kernel import VARIANTS, Problem
from clconv.lowering.shared.tile_choice import (
    MOST_SPLITS,
    ProductSize,
    best_splits,
    best_tile,
    cycles,
    memory_seconds,
)
from clconv.lowering.shared.tiles import gpu_rate, memory_rate, tiles_for
from tests.lowering.support import NVIDIA

H200 = dataclasses.replace(
    NVIDIA, compute_units=132, local_memory=48 << 10, largest_work_group=1024
)
# Channels and filters, size: milliseconds at batch 16, float32.
MEASURED = {
    (64, 224): {"winograd4_gpu": 0.768, "winograd2_fused": 1.071, "winograd4_fused": 1.219, "winograd2_gpu": 1.252,
                "implicit_gemm": 1.466},
    (256, 56): {"winograd4_gpu": 0.461, "winograd2_gpu": 0.760, "winograd2_fused": 0.977, "winograd4_fused": 1.140,
                "implicit_gemm": 1.351},
    (512, 28): {"winograd4_gpu": 0.452, "winograd2_gpu": 0.724, "winograd2_fused": 0.956, "winograd4_fused": 1.156,
                "implicit_gemm": 1.513},
    (64, 56): {"winograd4_gpu": 0.0614, "winograd2_fused": 0.0716, "winograd4_fused": 0.0792, "winograd2_gpu": 0.0921,
               "implicit_gemm": 0.0996},
    (128, 28): {"winograd4_gpu": 0.0510, "winograd2_gpu": 0.0704, "winograd2_fused": 0.0719, "winograd4_fused": 0.0791,
                "implicit_gemm": 0.1015},
    (256, 14): {"winograd4_gpu": 0.0560, "winograd2_gpu": 0.0690, "winograd2_fused": 0.0876, "implicit_gemm": 0.1128,
                "winograd4_fused": 0.1488},
    (512, 7): {"winograd4_gpu": 0.0638, "winograd2_gpu": 0.0740, "winograd2_fused": 0.1116, "implicit_gemm": 0.1163,
               "winograd4_fused": 0.2311},
}  # fmt: skip
_SAME = 1.15  # measurements so near to each other may come out in either order


def layer(batch: int, channels: int, size: int) -> Problem:
    case = conv("3x3", (batch, channels, size, size), (channels, channels, 3, 3), pads=(1,) * 4)
    graph, _ = case.build()
    return problem_of(graph, graph.nodes[0], H200)


@pytest.mark.parametrize("channels,size", MEASURED)
def test_variants_are_ranked_as_they_were_measured(channels: int, size: int) -> None:
    problem, measured = layer(16, channels, size), MEASURED[channels, size]
    assert select(problem).variant.name == "winograd4_gpu"
    estimates = {v.name: v.estimate(problem) for v in VARIANTS["Conv"] if v.estimate is not None}
    for one, time in measured.items():
        for other, longer in measured.items():
            if longer > _SAME * time:
                assert estimates[other] > estimates[one], (one, other)


@pytest.mark.parametrize("channels,size", MEASURED)
def test_variants_take_as_long_as_they_were_measured(channels: int, size: int) -> None:
    problem, measured = layer(16, channels, size), MEASURED[channels, size]
    estimates = {v.name: v.estimate(problem) for v in VARIANTS["Conv"] if v.estimate is not None}
    # Estimates are of a rate that is the same for all: an H200's is 2.25 times as much.
    for name, time in measured.items():
        assert 0.78 < time / (estimates[name] * 1e3 / 2.246) < 1.3, name


def test_few_launches_where_each_layer_is_short() -> None:
    """At batch 1 a launch costs more than some layers: three for one take only what is long enough."""
    assert select(layer(1, 256, 56)).variant.name == "winograd4_gpu"
    for size in ((64, 56), (512, 7)):
        problem = layer(1, *size)
        assert len(select(problem).variant.lower(problem).calls) <= 2, size


def test_tiles_are_large_where_there_is_work_for_all_and_sums_are_split_where_there_is_not() -> (
    None
):
    large = ProductSize(512, 16 * 56 * 56, 512, most_splits=MOST_SPLITS)
    tile = best_tile(H200, large, None)
    assert (tile.item_m, tile.item_n) == (8, 8) and best_splits(H200, large, tile, None) == 1
    # 2,048 to 512 channels of 7 x 7 pixels: 16 tiles at most, half of the device would be idle without.
    small = ProductSize(512, 49, 2048, most_splits=MOST_SPLITS)
    tile = best_tile(H200, small, None)
    splits = best_splits(H200, small, tile, None)
    groups = math.ceil(512 / tile.m) * math.ceil(49 / tile.n) * splits
    assert groups >= 132 and 2048 // splits >= 4 * tile.k
    # Parts that a launch more would not pay for.
    assert best_splits(H200, ProductSize(512, 49, 64, most_splits=MOST_SPLITS), tile, None) == 1
    assert best_splits(H200, dataclasses.replace(small, most_splits=1), tile, None) == 1


# Rows, columns and inner sizes of products, channels whose pixels are loaded one by one: tile by milliseconds.
TF32, HALVES = Matrix("tf32", 8), Matrix("f16", 16)
TILES = [
    (HALVES, (256, 16 * 56 * 56, 9 * 256), 256,
     {"128x128x32": 0.269, "128x64x32": 0.311, "128x128x16": 0.313, "64x128x32": 0.343, "64x64x32": 0.384, "32x64x32": 0.583}),
    (HALVES, (64, 16 * 224 * 224, 9 * 64), 64,
     {"64x128x16": 0.371, "64x128x32": 0.380, "64x64x32": 0.410, "32x64x32": 0.603, "128x128x32": 0.605, "128x64x32": 0.647}),
    (HALVES, (512, 16 * 28 * 28, 9 * 512), 512,
     {"128x64x32": 0.302, "128x128x32": 0.314, "64x128x32": 0.335, "64x64x32": 0.378, "32x64x32": 0.578}),
    (TF32, (256, 16 * 56 * 56, 9 * 256), 256,
     {"128x128x16": 0.448, "64x128x16": 0.561, "64x64x16": 0.675, "32x64x16": 0.942}),
    (TF32, (64, 16 * 224 * 224, 9 * 64), 64,
     {"64x128x16": 0.589, "64x64x16": 0.694, "32x64x16": 0.955, "128x128x16": 0.963}),
]  # fmt: skip


@pytest.mark.parametrize("kind,sizes,channels,measured", TILES)
def test_tiles_of_matrix_instructions_take_as_long_as_they_were_measured(
    kind: Matrix, sizes: tuple[int, int, int], channels: int, measured: dict[str, float]
) -> None:
    size = ProductSize(*sizes, most_splits=MOST_SPLITS, gathered=channels)
    for tile in tiles_for(kind):
        time = measured.get(f"{tile.name}x{tile.k}")
        if time is not None:
            found = cycles(H200, size, tile, kind, best_splits(H200, size, tile, kind)) / 1.755e6
            assert 0.8 < time / found < 1.25, (tile, time, found)
    chosen = best_tile(H200, size, kind)
    assert measured[f"{chosen.name}x{chosen.k}"] < 1.05 * min(measured.values()), chosen


def test_products_and_streams_share_one_rate_of_memory() -> None:
    """Where memory is slower beside arithmetic, as with most of Intel's GPUs, parts of a sum cost more, too."""
    intel = dataclasses.replace(H200, vendor="Intel", compute_units=16 * 132)
    assert memory_rate(intel) / gpu_rate(intel) < 0.5 * memory_rate(H200) / gpu_rate(H200)
    small = ProductSize(512, 49, 2048, most_splits=MOST_SPLITS)
    tile = best_tile(H200, small, None)
    for splits in (1, 8):
        assert cycles(intel, small, tile, None, splits) > cycles(H200, small, tile, None, splits)
    ratio = memory_seconds(intel, 1 << 20) / memory_seconds(H200, 1 << 20)
    assert ratio == pytest.approx(memory_rate(H200) / memory_rate(intel))
