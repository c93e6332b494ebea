"""What a profile and a benchmark print: rows of figures, and parts that add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clconv.cli.printing import Column, Table

if TYPE_CHECKING:
    from clconv.profiling.bench import Measured
    from clconv.profiling.profile import Profile, Row

NAMES = {
    "layer": Column("layer", kind="name"),
    "operator": Column("operator"),
    "kernel": Column("kernel"),
    "variant": Column("variant"),
}


def _number(key: str, title: str, digits: int, factor: float = 1.0, narrow: str = "") -> Column:
    def shown(value: Any) -> str:
        return f"{value * factor:.{digits}f}"

    return Column(key, title, "number", shown, narrow=narrow)


_FIGURES = (
    Column("launches", "n", "number"),
    _number("seconds", "ms", 3, 1e3),
    _number("share", "share %", 1, 100, narrow="%"),
    _number("gflops", "GFLOP/s", 1, narrow="GF/s"),
    _number("of_arithmetic", "% of peak", 0, 100, narrow="%peak"),
    _number("gbytes", "GB/s", 1),
    _number("of_bandwidth", "% of peak", 0, 100, narrow="%peak"),
)


def rows_table(profile: Profile, rows: Sequence[Row], names: Sequence[str]) -> Table:
    """A row of figures for each; names: the keys of NAMES in front of them."""
    columns = (*(NAMES[name] for name in names), *_FIGURES)
    table = Table(*columns)
    for row in rows:
        figures = row.as_dict(profile.whole, profile.ceilings)
        table.add(*(figures[column.key] for column in columns))
    return table


def parts_table(title: str, parts: Mapping[str, float], whole: float) -> Table:
    """What a time is made up of, with each part's share of so many seconds."""
    seconds, share = _number("seconds", "ms", 3, 1e3), _number("share", "share %", 1, 100)
    table = Table(Column("part", title), seconds, share)
    for name, took in parts.items():
        table.add(name, took, took / whole)
    return table


def bench_table(found: Sequence[Sequence[Measured]]) -> Table:
    """A row for each engine and batch."""
    table = Table(
        Column("engine"),
        Column("batch", kind="number"),
        Column("runs", kind="number"),
        _number("least_seconds", "least ms", 2, 1e3, narrow="least"),
        _number("median_seconds", "median ms", 2, 1e3, narrow="median"),
        _number("p90_seconds", "90 % ms", 2, 1e3, narrow="90 %"),
        _number("p99_seconds", "99 % ms", 2, 1e3, narrow="99 %"),
        _number("throughput", "a second", 1, narrow="/s"),
        Column("ratio", "clconv /", "number", lambda ratio: f"{ratio:.2f}"),
    )
    for engines in found:
        for one in engines:
            figures = one.as_dict()
            ratio = None if one is engines[0] else engines[0].ratio(one)
            keys = [column.key for column in table.columns[:-1]]
            table.add(*(figures[key] for key in keys), ratio)
    return table
