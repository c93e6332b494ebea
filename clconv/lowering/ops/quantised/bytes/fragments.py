"""Matrix instructions for bytes: how the work-items of a tile of kernels/quantised/bytes/tiles.cl.mako share it."""

from __future__ import annotations

import dataclasses
import itertools

from clconv.records import record

Register = tuple[
    str, str
]  # C text of a row or column within a fragment, and of the four bytes along K


@record(frozen=True)
class Fragments:
    """An instruction by which `lanes` work-items together multiply rows x K bytes of pixels, unsigned, by K x columns of filters,
    signed, and add to int32. What an item holds of these fragments:

    nvidia: PTX ISA, "Matrix Fragments for mma.m16n8k32" and "mma.m8n8k16"; with lane_row = lane / 4 and lane_place = lane % 4.
    intel: cl_intel_subgroup_matrix_multiply_accumulate; with 16 lanes an item has two bytes of a row.
    amd: RDNA 3 instruction set, "Wave Matrix Multiply Accumulate": both halves of a wave hold the same factors.

    quads: K / 4. emulated: plain C in its place, for tests.
    """

    maker: str
    lanes: int
    rows: int
    columns: int
    quads: int
    emulated: bool = False

    @property
    def across(self) -> int:
        """Warps (subgroups, waves) side by side along the filters of a tile of 64 x 64 that 128 items share."""
        return {8: 4, 16: 2, 32: 2}[self.lanes]

    @property
    def part(self) -> tuple[int, int]:
        """(pixels, filters) of a warp."""
        return 64 // (128 // self.lanes // self.across), 64 // self.across

    @property
    def grid(self) -> tuple[range, range]:
        """A warp's fragments along its pixels, and along its filters."""
        return range(self.part[0] // self.rows), range(self.part[1] // self.columns)

    @property
    def x_registers(self) -> list[Register]:
        """Of a fragment of pixels."""
        match self.maker:
            case "nvidia":
                halves = range(self.rows // 8)
                along = range(self.quads // 4)
                return [
                    (f"lane_row + {8 * h}", f"lane_place + {4 * q}") for q in along for h in halves
                ]
            case "intel":
                return [(str(row), f"lane / {self.lanes // 8}") for row in range(8)]
        return [("lane % 16", str(quad)) for quad in range(self.quads)]

    @property
    def w_registers(self) -> list[Register]:
        """Of a fragment of filters."""
        match self.maker:
            case "nvidia":
                return [("lane_row", f"lane_place + {4 * q}") for q in range(self.quads // 4)]
            case "intel":
                return [("lane", str(quad)) for quad in range(self.quads)]
        return [("lane % 16", str(quad)) for quad in range(self.quads)]

    @property
    def own(self) -> tuple[list[str], list[str]]:
        """The rows and the columns of a fragment of which an item has the results, each of these with each of those."""
        match self.maker:
            case "nvidia":
                return [f"lane_row + {8 * h}" for h in range(self.rows // 8)], [
                    "2 * lane_place",
                    "2 * lane_place + 1",
                ]
            case "intel":
                return [str(row) for row in range(8)], ["lane"]
        return [f"{2 * row} + lane / 16" for row in range(8)], ["lane % 16"]

    @property
    def pixels(self) -> list[str]:
        """Of all of an item's results, within the tile."""
        return [
            f"warp_pixel + {self.rows * i} + {row}"
            for i, row in itertools.product(self.grid[0], self.own[0])
        ]

    @property
    def filters(self) -> list[str]:
        return [
            f"warp_filter + {self.columns * j} + {column}"
            for j, column in itertools.product(self.grid[1], self.own[1])
        ]

    def sum(self, filter_: int, pixel: int) -> str:
        """The variable with the result of one of `filters` and one of `pixels`."""
        (i, row), (j, column) = (
            divmod(pixel, len(self.own[0])),
            divmod(filter_, len(self.own[1])),
        )
        return self.result(i, j, row * len(self.own[1]) + column)

    def result(self, i: int, j: int, number: int) -> str:
        return f"s{i}_{j}_{number}" if self.maker == "nvidia" else f"s{i}_{j}.s{number}"

    # Where the emulation finds four bytes of a row or a column, by (lane, register) of a fragment: C text of `quad` and `at`.

    @property
    def x_holder(self) -> tuple[str, str]:
        match self.maker:
            case "nvidia":
                return "at % 8 * 4 + quad % 4", f"at / 8 + quad / 4 * {self.rows // 8}"
            case "intel":
                return f"quad * {self.lanes // 8}", "at"
        return "at", "quad"

    @property
    def w_holder(self) -> tuple[str, str]:
        if self.maker == "nvidia":
            return "at * 4 + quad % 4", "quad / 4"
        return "at", "quad"


_KINDS = {
    "nvidia k32": Fragments("nvidia", 32, 16, 8, 8),
    "nvidia k16": Fragments("nvidia", 32, 8, 8, 4),
    "intel 8 lanes": Fragments("intel", 8, 8, 8, 8),
    "intel 16 lanes": Fragments("intel", 16, 8, 16, 8),
    "amd matrix": Fragments("amd", 32, 16, 16, 4),
}


def fragments_of(dot: str) -> Fragments | None:
    """The matrix instruction that a way to multiply bytes is, see DeviceInfo.dot; None for those of four bytes each."""
    found = _KINDS.get(dot.removeprefix("emulated "))
    if found is not None and dot.startswith("emulated "):
        return dataclasses.replace(found, emulated=True)
    return found
