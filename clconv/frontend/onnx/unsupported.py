"""Collects everything a model uses that clconv does not have, for one error that lists all of it."""

from __future__ import annotations

import dataclasses

from clconv.errors import UnsupportedError

_SHOWN = 40


@dataclasses.dataclass
class _Entry:
    first: str
    count: int = 0
    reasons: dict[str, None] = dataclasses.field(default_factory=dict)


class Unsupported:
    """Operators by (domain, name): how often, where first, and why."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], _Entry] = {}

    def __bool__(self) -> bool:
        return bool(self._entries)

    def add(self, domain: str, op: str, node: str, reason: str = "") -> None:
        entry = self._entries.setdefault((domain, op), _Entry(node))
        entry.count += 1
        if reason:
            entry.reasons[reason] = None

    def merge(self, other: Unsupported) -> None:
        """Adds what was found in a subgraph."""
        for key, found in other._entries.items():
            entry = self._entries.setdefault(key, _Entry(found.first))
            entry.count += found.count
            entry.reasons.update(found.reasons)

    def error(self, label: str) -> UnsupportedError:
        lines = []
        for (domain, op), entry in sorted(self._entries.items())[:_SHOWN]:
            name = f"{domain}.{op}" if domain else op
            why = f": {'; '.join(list(entry.reasons)[:4])}" if entry.reasons else ""
            lines.append(f"  {name} x{entry.count}, first in node '{entry.first}'{why}")
        if len(self._entries) > _SHOWN:
            lines.append(f"  and {len(self._entries) - _SHOWN} more")
        plural = "s" if len(self._entries) > 1 else ""
        return UnsupportedError(
            f"{label} uses {len(self._entries)} operator{plural} that clconv does not support:\n"
            + "\n".join(lines)
        )
