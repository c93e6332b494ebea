"""The measured ceilings of devices, kept with the date, so that the figures of two profiles can be compared."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import math
from typing import Any

from clconv.device.info import DeviceInfo
from clconv.diagnosis.peak import measure_peak
from clconv.errors import ConfigError, warn_once
from clconv.runtime.quarantine import device_key
from clconv.store.files import Unusable
from clconv.store.kept import kept_path
from clconv.store.records import read_records, write_records

_FILE = "ceilings.json"
_REPEATS = 15


@dataclasses.dataclass(frozen=True)
class Ceilings:
    """flops: float32 operations a second, a multiply-add being two. bytes: read and written a second, through memory.
    measured: the date, as 2026-11-28."""

    flops: float
    bytes: float
    measured: str

    def __str__(self) -> str:
        return f"{self.flops / 1e9:.0f} GFLOP/s and {self.bytes / 1e9:.1f} GB/s, measured {self.measured}"


def ceilings_of(device: DeviceInfo, afresh: bool = False) -> Ceilings:
    """As measured before on this device with this driver; measured now, and kept, if never, or if asked for afresh. Then
    the better of both stays: what was reached once is no mistake, while a busy machine reaches less.

    Measuring takes about half a second on a CPU. Raises DeviceError or KernelBuildError if the device refuses.
    """
    key = device_key(device)
    records = _usable_records()
    before = None
    for record in records:
        if record["device"] == key:
            before = Ceilings(record["flops"], record["bytes"], record["measured"])
    if before is not None and not afresh:
        return before
    peak = measure_peak(device, _REPEATS)
    found = Ceilings(peak.flops, peak.bytes, datetime.date.today().isoformat())
    if before is not None:
        best = max(found.flops, before.flops), max(found.bytes, before.bytes)
        found = before if best == (before.flops, before.bytes) else Ceilings(*best, found.measured)
    kept = [record for record in records if record["device"] != key]
    with contextlib.suppress(OSError, ConfigError):  # what cannot be kept is measured again
        write_records(
            kept_path(_FILE), [*kept, {"device": key, **dataclasses.asdict(found)}], own=True
        )
    return found


def _usable_records() -> list[dict[str, Any]]:
    path = kept_path(_FILE)
    try:
        records = read_records(path, own=True)
        if not all(map(_is_right, records)):
            raise Unusable("has a damaged record")
        return records
    except Unusable as reason:
        warn_once(f"{path} {reason}; the device is measured again")
        return []


def _is_right(record: dict[str, Any]) -> bool:
    numbers = [record.get(name) for name in ("flops", "bytes")]
    return (
        isinstance(record.get("device"), dict)
        and isinstance(record.get("measured"), str)
        and all(isinstance(n, float | int) and math.isfinite(n) and n > 0 for n in numbers)
    )
