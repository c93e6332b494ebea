"""Results of tuning as files: what --import and --merge read, and --export writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clconv.cli.printing import Results
from clconv.errors import ConfigError


def import_results(out: Results, imported: Sequence[Path], merge: Sequence[Path]) -> None:
    """Adds the results of files to the user's: all of `imported`, of `merge` those that are faster. ConfigError if one is damaged."""
    from clconv.runtime.measurement_files import (
        entries_or_warning,
        merged,
        own_file,
        read_entries,
        write_entries,
    )
    from clconv.store.files import Unusable

    found = []
    for path, faster in [*((p, False) for p in imported), *((p, True) for p in merge)]:
        try:
            found.append((path, faster, *read_entries(path)))
        except Unusable as reason:
            raise ConfigError(f"{path} {reason}") from None
    records = []
    for path, faster, entries, stale in found:
        write_entries(own_file(), merged(entries_or_warning(own_file()), entries, faster))
        left_out = f", {len(stale)} left out, the first because {stale[0]}" if stale else ""
        records.append({"file": str(path), "results": len(entries), "left_out": len(stale)})
        out.line(f"{path}: {len(entries)} results{left_out}", imported=records)


def export_results(out: Results, path: Path) -> None:
    """Writes all of the user's results."""
    from clconv.runtime.measurement_files import entries_or_warning, own_file, write_entries

    entries = entries_or_warning(own_file())
    write_entries(path, entries)
    out.line(
        f"{path}: {len(entries)} results", exported={"file": str(path), "results": len(entries)}
    )
