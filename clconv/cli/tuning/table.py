"""What tuning found, a row a kind of layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clconv.cli.printing import Column, Table

if TYPE_CHECKING:
    from clconv.tuning.runs import Outcome


def table_of(outcomes: Sequence[Outcome]) -> Table:
    from clconv.tuning.search import candidate_text

    table = Table(
        Column("layer"),
        Column("problem", hidden=True),
        Column("usual"),
        Column("best"),
        Column("layers", kind="number"),
        Column("usual_seconds", "usual ms", "number", _milliseconds),
        Column("best_seconds", "best ms", "number", _milliseconds),
        Column("gain", kind="number", shown=lambda gain: f"{gain:.2f}"),
        Column("kept", shown=lambda kept: "(kept)" if kept else ""),
    )
    for outcome in outcomes:
        task, entry = outcome.task, outcome.entry
        named = task.described, str(task.shape), candidate_text(task.usual)
        if entry is None:
            table.add(*named, "failed", task.count, None, None, None, False)
            continue
        found = candidate_text((entry.variant, entry.parameters))
        best = "as usual" if entry.is_default else found
        times = entry.default_seconds, entry.seconds
        table.add(*named, best, task.count, *times, outcome.gain, outcome.again)
    return table


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.3f}"
