"""A table as lines: plain columns for pipes, or as wide as a terminal."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from clconv.cli.printing.names import (
    cut_in_the_middle,
    cut_name,
    without_common_prefix,
    without_operators,
    without_repeats,
    without_usual_prefix,
)
from clconv.cli.printing.table import Column, Table

_LEAST = {"name": 12, "text": 9, "long": 9}  # characters that a column keeps
_LONGEST_WORD = 30
_GAP = 2
_ASCII_RULE = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)


def plain_lines(table: Table) -> list[str]:
    """Headings and rows, two blanks or more between columns, nothing cut."""
    columns = [_Cells.of(column, values) for column, values in table.shown_columns()]
    widths = [c.width for c in columns]
    lines = []
    for i in range(len(table.rows) + 1):
        cells = [
            _padded(c.all[i], width, c.column.kind == "number")
            for c, width in zip(columns, widths, strict=True)
        ]
        lines.append((" " * _GAP).join(cells).rstrip())
    return lines


def fitted(table: Table, width: int, in_ascii: bool = False) -> RenderableType:
    """The table in so many columns of a terminal: in full if it fits; else with short numbers and names; else as a block
    of lines for each row. in_ascii: for terminals whose encoding has no lines."""
    columns = [_Cells.of(column, values) for column, values in table.shown_columns()]
    if _total(columns, _GAP) <= width:
        return _grid(table, columns, _GAP, in_ascii)
    stripped = [c.without_prefix() for c in columns]
    if _total(stripped, _GAP) <= width:
        return _grid(table, stripped, _GAP, in_ascii)
    short = [c.shortened() for c in columns]
    for gap in (_GAP, 1):
        cut = _cut(short, width - gap * (len(short) - 1))
        if cut is not None:
            return _grid(table, cut, gap, in_ascii)
    return _blocks(table, stripped)


@dataclasses.dataclass(frozen=True)
class _Cells:
    """A column as text."""

    column: Column
    values: tuple[object, ...]
    heading: str
    cells: tuple[str, ...]
    folded: int | None = None  # the width at which "long" cells go on in the next line

    @classmethod
    def of(cls, column: Column, values: Sequence[object]) -> _Cells:
        cells = tuple(column.text(value) for value in values)
        return cls(column, tuple(values), column.heading(), cells)

    @property
    def all(self) -> tuple[str, ...]:
        return (self.heading, *self.cells)

    @property
    def width(self) -> int:
        return max(max(map(cell_len, cell.split("\n"))) for cell in self.all)

    @property
    def least(self) -> int:
        """The width that it can be brought to: "long" ones to that of their longest word."""
        if self.column.kind == "number":
            return self.width
        words = self.heading.split("\n")
        if self.column.kind == "long":
            words += [word for cell in self.cells for word in cell.split()]
        longest = max(map(cell_len, words))
        return min(self.width, max(_LEAST[self.column.kind], min(longest, _LONGEST_WORD)))

    def without_prefix(self) -> _Cells:
        if self.column.kind != "name":
            return self
        return dataclasses.replace(self, cells=tuple(without_common_prefix(self.cells)))

    def shortened(self) -> _Cells:
        cells = [self.column.text(value, in_short=True) for value in self.values]
        if self.column.kind == "name":
            cells = [without_repeats(name) for name in without_common_prefix(cells)]
            cells = without_operators(without_usual_prefix(cells))
        return dataclasses.replace(self, heading=self.column.heading(True), cells=tuple(cells))

    def cut(self, width: int) -> _Cells:
        """With at most so many characters; what is "long" is folded when it is printed."""
        if self.column.kind == "long" or self.width <= width:
            return self
        cut = cut_name if self.column.kind == "name" else cut_in_the_middle
        cells = tuple(cut(cell, width) for cell in self.cells)
        return dataclasses.replace(self, cells=cells)


def _total(columns: Sequence[_Cells], gap: int) -> int:
    return sum(c.width for c in columns) + gap * (len(columns) - 1)


def _cut(columns: Sequence[_Cells], room: int) -> list[_Cells] | None:
    """The columns within so many characters altogether; None if what may be cut would be cut to nothing. The widest is
    cut first, and "long" ones before all others: they lose nothing."""
    widths = [c.width for c in columns]
    least = [c.least for c in columns]
    if sum(least) > room:
        return None
    for kinds in (("long",), ("text", "name")):
        able = [i for i, c in enumerate(columns) if c.column.kind in kinds]
        while sum(widths) > room:
            i = max(able, key=lambda i: (widths[i] > least[i], widths[i]), default=None)
            if i is None or widths[i] <= least[i]:
                break
            widths[i] -= 1
    return [
        dataclasses.replace(c.cut(w), folded=w if c.column.kind == "long" else None)
        for c, w in zip(columns, widths, strict=True)
    ]


def _grid(table: Table, columns: Sequence[_Cells], gap: int, in_ascii: bool) -> RenderableType:
    grid = RichTable(
        box=_ASCII_RULE if in_ascii else box.SIMPLE_HEAD,
        safe_box=False,
        show_edge=False,
        pad_edge=False,
        padding=(0, gap - 1, 0, 0),
    )
    for c in columns:
        numeric = c.column.kind == "number"
        grid.add_column(
            Text(c.heading), justify="right" if numeric else "left", overflow="fold",
            no_wrap=c.folded is None, width=c.folded or c.width,
        )  # fmt: skip
    for i, style in enumerate(table.styles):
        grid.add_row(*(Text(c.cells[i]) for c in columns), style=style)
    return grid


def _blocks(table: Table, columns: Sequence[_Cells]) -> RenderableType:
    """Each row as a line of its first cell and lines of what else there is, named."""
    lines = list[RenderableType]()
    first, *more = columns
    for i, style in enumerate(table.styles):
        lines.append(Text(first.cells[i], style=style or "bold"))
        named = [f"{c.heading} {c.cells[i]}" for c in more if c.cells[i]]
        rest = Text(", ".join(named))
        lines.append(Padding(rest, (0, 0, 0, 2)))
    return Group(*lines)


def _padded(text: str, width: int, right: bool) -> str:
    blanks = " " * (width - cell_len(text))
    return blanks + text if right else text + blanks
