"""How weight gradients on channel blocks are cut up: what registers hold, which taps go together, who sums which tiles."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from clconv.lowering.ops.conv.weight_gradient.direct import register_tile
from clconv.lowering.ops.conv.weight_gradient.shape import (
    Shape,
    dealt_out,
    tap_sets,
    tile_size,
)
from tests.lowering.support import AVX2

SHAPE = Shape(
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
