"""A table as data: columns with stable keys, rows of values; and its cells as text."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import Any, Literal

from clconv.debug import printable

Kind = Literal["text", "name", "number", "long"]


@dataclasses.dataclass(frozen=True)
class Column:
    """key: in the JSON document, stable; without a title it is the heading, too.
    kind: "number" stands right and is never cut; "name" loses its common prefix and its middle where room is short;
    "text" loses its middle; "long" goes on in further lines.
    shown: a value as text. Without, sizes (tuples) have x between, whole numbers commas, None and () are empty.
    short: the text where room is short; without, a number in thousands (k), millions (M) or more. narrow: the heading there.
    hidden: in the document only. text_only: not in the document, where other columns say it.
    """

    key: str
    title: str | None = None
    kind: Kind = "text"
    shown: Callable[[Any], str] | None = None
    short: Callable[[Any], str] | None = None
    narrow: str = ""
    hidden: bool = False
    text_only: bool = False

    def heading(self, in_short: bool = False) -> str:
        full = self.key.replace("_", " ") if self.title is None else self.title
        return (self.narrow or full) if in_short else full

    def text(self, value: Any, in_short: bool = False) -> str:
        """A value as it is printed, on one line without control characters."""
        if value is None:
            return ""
        if in_short and self.short is not None:
            made = self.short(value)
        elif self.shown is not None:
            made = self.shown(value)
        elif in_short and isinstance(value, int) and not isinstance(value, bool):
            made = in_thousands(value)
        else:
            made = plain_text(value)
        return printable(made)


class Table:
    """Columns and rows of values, printed by Results.table(). title: a line above, for people."""

    def __init__(self, *columns: Column, title: str = "") -> None:
        self.columns, self.title = columns, title
        self.rows: list[tuple[Any, ...]] = []
        self.styles: list[str | None] = []

    def add(self, *values: Any, style: str | None = None) -> None:
        """A row: a value a column, as the document has it. style: of rich, on terminals ("bold red")."""
        if len(values) != len(self.columns):
            raise ValueError(f"{len(values)} values for {len(self.columns)} columns")
        self.rows.append(values)
        self.styles.append(style)

    def data(self) -> list[dict[str, Any]]:
        """The rows for JSON, columns under their keys."""
        kept = [(i, c.key) for i, c in enumerate(self.columns) if not c.text_only]
        return [{key: as_data(row[i]) for i, key in kept} for row in self.rows]

    def shown_columns(self) -> list[tuple[Column, list[Any]]]:
        """Columns that have something to show, with their values."""
        found = []
        for i, column in enumerate(self.columns):
            values = [row[i] for row in self.rows]
            if not column.hidden and any(column.text(value) for value in values):
                found.append((column, values))
        return found


def plain_text(value: Any) -> str:
    """A value as text for people."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (tuple, list)):
        return "x".join(map(str, value))
    return str(value)


def in_thousands(value: int) -> str:
    """Three digits and a unit from 100,000 on: 10.8 M; below as it is, 99,999 with its comma."""
    if abs(value) < 100_000:
        return f"{value:,}"
    for unit, size in (("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12)):
        scaled = value / size
        if abs(scaled) < 999.5 or unit == "T":
            digits = 0 if abs(scaled) >= 99.95 else 1 if abs(scaled) >= 9.995 else 2
            return f"{scaled:,.{digits}f} {unit}"
    raise AssertionError("T takes all")


def as_data(value: Any) -> Any:
    """A value as JSON has it: numbers that are not finite become null, tuples lists, what NumPy has plain numbers."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): as_data(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return [as_data(item) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)
