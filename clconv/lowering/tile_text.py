"""Where the results of a product's tile lie, as C text that the templates of products ask for."""

from __future__ import annotations

import dataclasses
import itertools

from clconv.lowering.tiles import Matrix, Tile


@dataclasses.dataclass(frozen=True)
class Column:
    """Neighbouring columns of the tile in which an item has results.

    first: C text of the first one's index in the tile. width: how many. rows: for each row with results here,
    the vector variable that holds them and C text of the row's index in the tile.
    """

    first: str
    width: int
    rows: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Warps:
    """How the warps (subgroups) of a work-group share a tile, in fragments of the matrix instruction's size.

    across: warps side by side along the columns. fragment_rows, fragment_columns: a warp's fragments.
    """

    across: int
    fragment_rows: int
    fragment_columns: int

    @classmethod
    def of(cls, tile: Tile, kind: Matrix) -> Warps:
        count = tile.items // kind.lanes
        across = min(4, count)
        down = count // across
        return cls(across, tile.m // down // kind.rows, tile.n // across // kind.columns)


def columns(tile: Tile, kind: Matrix | None) -> tuple[Column, ...]:
    """What an item of the tile computes, by columns.

    kind: None for item_m x item_n results in vectors of four, else the matrix instruction: NVIDIA's results are two
    neighbours in each of two rows 8 apart, Intel's one column of eight rows.
    """
    if kind is None:
        row_step, column_step = tile.m // (tile.item_m // 4), tile.n // (tile.item_n // 4)
        return tuple(
            Column(
                f"item_column + {j * column_step}",
                4,
                tuple(
                    (f"c{i}_{j}", f"item_row + {i // 4 * row_step + i % 4}")
                    for i in range(tile.item_m)
                ),
            )
            for j in range(tile.item_n // 4)
        )
    warps = Warps.of(tile, kind)
    if kind.is_intel:
        return tuple(
            Column(
                f"item_column + {kind.columns * j}",
                1,
                tuple(
                    (f"c{i}_{j}.s{row}", f"item_row + {8 * i + row}")
                    for i in range(warps.fragment_rows)
                    for row in range(8)
                ),
            )
            for j in range(warps.fragment_columns)
        )
    return tuple(
        Column(
            f"item_column + {8 * j}",
            2,
            tuple(
                (f"c{i}_{j}_{half}", f"item_row + {16 * i + 8 * half}")
                for i in range(warps.fragment_rows)
                for half in range(2)
            ),
        )
        for j in range(warps.fragment_columns)
    )


def variables(tile: Tile, kind: Matrix | None) -> list[tuple[str, list[str]]]:
    """The variables that columns() names, by type."""
    if kind is not None and kind.is_intel:
        warps = Warps.of(tile, kind)
        fragments = itertools.product(range(warps.fragment_rows), range(warps.fragment_columns))
        return [("float8", [f"c{i}_{j}" for i, j in fragments])]
    return [
        (f"float{column.width}", [name for name, _ in column.rows])
        for column in columns(tile, kind)
    ]
