"""Where the results of a product's tile lie, as C text that the templates of products ask for."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from clconv.lowering.choice.matrix import Matrix
from clconv.lowering.model.ctext import load, vector_type
from clconv.lowering.shared.tiles import Tile
from clconv.records import record


@record(frozen=True)
class Column:
    """Neighbouring columns of the tile in which an item has results.

    first: how far the first one is from item_column. width: how many. rows: for each row with results here,
    the vector variable that holds them and how far the row is from item_row.
    """

    first: int
    width: int
    rows: tuple[tuple[str, int], ...]


@record(frozen=True)
class Warps:
    """How the warps (subgroups) of a work-group share a tile, in fragments of the matrix instruction's size.

    across: warps side by side along the columns. fragment_rows, fragment_columns: a warp's fragments. The squarer a
    warp's part of the tile is, the less it reads for each product.
    """

    across: int
    fragment_rows: int
    fragment_columns: int

    @classmethod
    def of(cls, tile: Tile, kind: Matrix) -> Warps:
        count = tile.items // kind.lanes
        across = min(4, count)
        if not kind.is_intel and tile.n // across < tile.m // (count // across):
            across //= 2
        down = count // across
        return cls(across, tile.m // down // kind.rows, tile.n // across // kind.columns)


LANES_DOWN, LANES_ACROSS = 4, 8  # of the 32 items that read local memory together


def item_place(tile: Tile) -> tuple[str, str]:
    """C text of the row and the column in the tile of the first result of item `id`, without matrix instructions.

    32 items stand 4 by 8, two rows interleaved: what 16 of them read of A are 2 vectors, of B 8, and an item's
    neighbour or next but one reads the same. NVIDIA's local memory serves such a read of 16 at once, and others of
    more than 128 bytes in two goes (measured by many, documented nowhere).
    """
    across = tile.n // tile.item_n // LANES_ACROSS
    assert tile.m // tile.item_m % LANES_DOWN == 0 and tile.n // tile.item_n % LANES_ACROSS == 0
    row = f"(id / {32 * across} * {LANES_DOWN} + id % 32 / 16 * 2 + id % 2) * 4"
    return row, f"(id / 32 % {across} * {LANES_ACROSS} + id / 2 % {LANES_ACROSS}) * 4"


def columns(tile: Tile, kind: Matrix | None) -> tuple[Column, ...]:
    """What an item of the tile computes, by columns.

    kind: None for item_m x item_n results in vectors of four, also of pairs, else the matrix instruction: of NVIDIA's four
    fragments have four neighbours, which together() puts side by side, Intel's are one column of eight rows.
    """
    if kind is None or kind.is_alone:
        row_step, column_step = tile.m // (tile.item_m // 4), tile.n // (tile.item_n // 4)
        return tuple(
            Column(
                j * column_step,
                4,
                tuple((f"c{i}_{j}", i // 4 * row_step + i % 4) for i in range(tile.item_m)),
            )
            for j in range(tile.item_n // 4)
        )
    warps = Warps.of(tile, kind)
    if kind.is_intel:
        return tuple(
            Column(
                kind.columns * j,
                1,
                tuple(
                    (f"c{i}_{j}.s{row}", 8 * i + row)
                    for i in range(warps.fragment_rows)
                    for row in range(8)
                ),
            )
            for j in range(warps.fragment_columns)
        )
    return tuple(
        Column(
            32 * four + 16 * turn,
            4,
            tuple((f"d{four}_{turn}_{at}", 8 * at) for at in range(2 * warps.fragment_rows)),
        )
        for four in range(warps.fragment_columns // 4)
        for turn in range(2)
    )


def together(tile: Tile, kind: Matrix) -> list[tuple[str, int, list[str]]]:
    """The vectors that columns() names, by what NVIDIA's fragments have of them: in an order that depends on the item, and on
    whether they are of even columns of fragments, 0, or odd ones, 1."""
    warps = Warps.of(tile, kind)
    places = itertools.product(
        range(warps.fragment_columns // 4), range(2), range(2 * warps.fragment_rows)
    )
    return [
        (f"d{four}_{turn}_{at}", turn, [f"c{at // 2}_{4 * four + j}_{at % 2}.s{turn}" for j in range(4)])
        for four, turn, at in places
    ]  # fmt: skip


def variables(tile: Tile, kind: Matrix | None) -> list[tuple[str, list[str]]]:
    """The variables that sums are in, by type: those that columns() names, or NVIDIA's fragments."""
    if kind is not None and kind.is_warp:
        warps = Warps.of(tile, kind)
        parts = itertools.product(
            range(warps.fragment_rows), range(warps.fragment_columns), range(2)
        )
        return [("float2", [f"c{i}_{j}_{half}" for i, j, half in parts])]
    if kind is not None and kind.is_intel:
        warps = Warps.of(tile, kind)
        fragments = itertools.product(range(warps.fragment_rows), range(warps.fragment_columns))
        return [("float8", [f"c{i}_{j}" for i, j in fragments])]
    return [
        (f"float{column.width}", [name for name, _ in column.rows])
        for column in columns(tile, kind)
    ]


# --- what goes from global memory through registers to the tiles in local memory


def pair_of(kind: Matrix | None) -> int:
    """Values along k that are loaded together, for one word of a tile."""
    return kind.pair if kind is not None else 1


def _halves(kind: Matrix | None) -> bool:
    return kind is not None and kind.type == "f16"


def _single(kind: Matrix | None) -> bool:
    """Whether a word is a half by itself."""
    return _halves(kind) and pair_of(kind) == 1


def word_type(kind: Matrix | None, width: int = 1) -> str:
    """Of the tiles in local memory: numbers, or factors as the matrix instruction takes them."""
    if kind is None:
        return vector_type(width)
    return vector_type(width, "ushort" if _single(kind) else "uint")


def raw_type(kind: Matrix | None, width: int) -> str:
    """Of the registers between a load and the tile. The bits of halves stay as they are: instructions for them
    multiply what is stored as half."""
    if pair_of(kind) == 2 and width == 4:
        return "uint2"
    if pair_of(kind) == 2 and width == 1:
        return "uint"
    return vector_type(width, "float" if not _halves(kind) else "ushort")


def read_raw(kind: Matrix | None, entry: str, stored: str, width: int, address: str) -> str:
    """Reads `width` values that lie where a vector of them may."""
    if _halves(kind):
        alone = raw_type(kind, width) == "uint"
        read = f"*(global const {'ushort' if alone else raw_type(kind, width)}*)({address})"
        own = alone and kind is not None and kind.is_warp and not kind.emulated
        return f"{entry}_word({read})" if own else f"({read})"
    return load(vector_type(width), address, stored, aligned=True)


def words(kind: Matrix | None, entry: str, width: int, raw: Sequence[str]) -> str:
    """Words of a tile from the values of one k, or from those of two neighbours along k."""
    if pair_of(kind) == 2 and width == 4:
        low, high = raw
        lanes = [
            text
            for half in ("s0", "s1")
            for text in (
                f"{low}.{half} & 0xffffu | {high}.{half} << 16",
                f"{low}.{half} >> 16 | {high}.{half} & 0xffff0000u",
            )
        ]
        return f"(uint4)({', '.join(lanes)})"
    if pair_of(kind) == 2:
        return f"{raw[0]} | {raw[1]} << 16"
    if kind is None or _single(kind):
        return raw[0]
    lanes = [f"{raw[0]}.s{lane}" for lane in range(width)] if width > 1 else [raw[0]]
    factors = ", ".join(f"{entry}_factor({lane})" for lane in lanes)
    return f"({word_type(kind, width)})({factors})"
