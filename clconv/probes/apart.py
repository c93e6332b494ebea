"""What processes that tried something of a device found out, remembered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from clconv.debug import say
from clconv.errors import ClconvError, ConfigError
from clconv.probes.known import known
from clconv.store.files import Unusable
from clconv.store.kept import kept_path
from clconv.store.records import read_records, write_records

# Seconds after which what was of no use is tried again: the disk may have been full, or the cores busy.
_AGAIN = 24 * 3600.0


def found_apart(file: str, key: Mapping[str, Any], tried: Callable[[], str]) -> str:
    """Why what was tried is of no use, "" if it is right: what was found out before by the key, and is remembered in the file,
    else what tried() says, or raises."""
    reason = found_before(file, key)
    if reason is None:
        try:
            reason = tried()
        except OSError as failed:
            reason = f"no process could try it ({type(failed).__name__})"
        except ClconvError as refused:
            reason = str(refused).splitlines()[0]
        _remember(file, key, reason)
    return reason


def found_before(file: str, key: Mapping[str, Any]) -> str | None:
    """What is known of machines like this one, or remembered of this one; None if nobody has tried it yet, or it was of no
    use long ago."""
    reason = known(file, key)
    return remembered(file, key) if reason is None else reason


def _records(file: str) -> list[dict[str, Any]]:
    try:
        return read_records(kept_path(file), own=True)
    except (OSError, Unusable):
        return []


def remembered(file: str, key: Mapping[str, Any]) -> str | None:
    """What was found out here; None as found_before()."""
    for record in _records(file):
        if all(record.get(name) == value for name, value in key.items()):
            reason, when = record.get("reason"), record.get("time")
            is_late = not isinstance(when, int | float) or abs(time.time() - when) > _AGAIN
            return reason if isinstance(reason, str) and not (reason and is_late) else None
    return None


def _remember(file: str, key: Mapping[str, Any], reason: str) -> None:
    others = [r for r in _records(file) if any(r.get(k) != v for k, v in key.items())]
    try:
        write_records(
            kept_path(file), [*others, {**key, "reason": reason, "time": time.time()}], own=True
        )
    except (OSError, ConfigError) as failed:
        say(1, f"what was found out about a device cannot be kept: {failed}")
