"""Where the results of a product's tile lie, as C text that the templates of products ask for."""

from __future__ import annotations

import dataclasses

from clconv.lowering.tiles import Matrix, Tile

WARP = 32  # work-items that execute a matrix instruction of NVIDIA's together


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
    """How the warps of a work-group share a tile, in fragments of 16 x 8 results.

    across: warps side by side along the columns. fragment_rows, fragment_columns: a warp's fragments.
    """

    across: int
    fragment_rows: int
    fragment_columns: int

    @classmethod
    def of(cls, tile: Tile) -> Warps:
        count = tile.items // WARP
        across = min(4, count)
        down = count // across
        return cls(across, tile.m // down // 16, tile.n // across // 8)


def columns(tile: Tile, kind: Matrix | None) -> tuple[Column, ...]:
    """What an item of the tile computes, by columns.

    kind: None for item_m x item_n results in vectors of four, else the matrix instruction, whose results are two
    neighbours in each of two rows 8 apart.
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
    warps = Warps.of(tile)
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
