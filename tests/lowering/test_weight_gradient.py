"""How weight gradients on channel blocks are cut up: what registers hold, which taps go together, who sums which tiles."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.lowering.ops.conv.weight_gradient.direct import register_tile
from clconv.lowering.ops.conv.weight_gradient.shape import (
    GradientShape,
    dealt_out,
    tap_sets,
    tile_size,
)
from clconv.lowering.ops.conv.weight_gradient.winograd import Work
from tests.lowering.support import AVX2, AVX512, lower

SHAPE = GradientShape(
    2, 48, 40, 1, 1, size=(23, 29), out=(23, 29), kernel=(3, 3), strides=(1, 1), dilations=(1, 1), begin=(1, 1)
)  # fmt: skip


@pytest.mark.parametrize("registers, block", [(16, 8), (32, 16), (16, 4)])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (7, 7), (1, 31), (11, 11)])
@pytest.mark.parametrize("filters", [1, 16, 24, 64])
def test_sums_fit_the_registers(
    registers: int, block: int, kernel: tuple[int, int], filters: int
) -> None:
    shape = dataclasses.replace(SHAPE, kernel=kernel, filters=filters)
    for in_block in (1, block):
        tile = register_tile(registers, in_block, shape, block)
        assert in_block % tile.lanes == 0
        assert tile.vectors * tile.lanes * tile.taps + tile.vectors + 1 <= registers
        assert max(map(len, tap_sets(kernel, tile.taps))) <= tile.taps


@pytest.mark.parametrize("kernel, most", [((3, 3), 9), ((3, 3), 4), ((5, 2), 3), ((1, 1), 1)])
def test_each_tap_is_in_one_set(kernel: tuple[int, int], most: int) -> None:
    taps = [tap for some in tap_sets(kernel, most) for tap in some]
    assert taps == list(itertools.product(range(kernel[0]), range(kernel[1])))


@pytest.mark.parametrize("out", [(1, 1), (23, 29), (1, 12544), (224, 224), (7, 7)])
@pytest.mark.parametrize("in_block", [1, 8, 16])
def test_tiles_fit_the_image_and_the_cache(out: tuple[int, int], in_block: int) -> None:
    shape = dataclasses.replace(SHAPE, out=out, kernel=(3, 3), strides=(2, 2))
    rows, columns = tile_size(shape, in_block)
    assert 1 <= rows <= out[0] and 1 <= columns <= out[1]
    height, width = shape.image(rows, columns)
    assert columns == 1 or height * width * in_block <= 6144


@pytest.mark.parametrize("others, tiles", [(1, 1), (1, 7), (3, 100), (64, 5), (1000, 9)])
def test_every_tile_is_summed_once(others: int, tiles: int) -> None:
    share, parts = dealt_out(AVX2, others, tiles)
    assert (parts - 1) * share < tiles <= parts * share


@pytest.mark.parametrize("batch", [1, 3, 16])
@pytest.mark.parametrize("filters", [1, 40, 512, 700])
@pytest.mark.parametrize("out", [(1, 1), (7, 7), (56, 61)])
def test_every_winograd_tile_and_filter_is_summed_once(
    batch: int, filters: int, out: tuple[int, int]
) -> None:
    shape = dataclasses.replace(SHAPE, batch=batch, filters=filters, out=out)
    tile = register_tile(32, 8, dataclasses.replace(shape, kernel=(1, 1)), 8)
    work = Work.of(shape, AVX2, tile)
    assert work.count == batch * -(-out[0] // 4) * -(-out[1] // 4)
    assert (work.splits - 1) * work.share < work.count <= work.splits * work.share
    assert 0 < work.tiles <= work.share
    assert work.blocks % tile.vectors == 0
    assert (work.parts - 1) * work.blocks * 8 < filters <= work.parts * work.blocks * 8


@pytest.mark.parametrize(
    "x, filters, expected",
    [((16, 64, 56, 56), 64, "winograd4"), ((16, 512, 7, 7), 512, "winograd4"), ((1, 512, 7, 7), 512, "direct")],
)  # fmt: skip
def test_winograd_is_taken_where_it_is_faster(
    x: tuple[int, ...], filters: int, expected: str
) -> None:
    node = make_node(
        "ConvWeightGradient", ["x", "dy"], ["dw"], kernel_shape=(3, 3), pads=(1, 1, 1, 1), pad_mode="constant",
        strides=(1, 1), dilations=(1, 1), group=1,
    )  # fmt: skip
    specs = {"x": TensorSpec(x), "dy": TensorSpec((x[0], filters, *x[2:]))}
    graph = Graph("g", (node,), ("x", "dy"), ("dw",), specs, {})
    after, lowered = lower(graph, AVX512)
    assert lowered.choices[after.nodes[0].name].variant.name == expected
