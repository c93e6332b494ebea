"""What is remembered of a device between processes: what `clconv doctor` quarantined and `clconv tune` measured."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clconv.device.findings import Findings
from clconv.device.info import DeviceInfo
from clconv.errors import warn_once
from clconv.runtime.measurement_files import measurements_for
from clconv.store.files import Unusable
from clconv.store.kept import kept_path
from clconv.store.records import read_records, write_records

Name = tuple[str, str]  # operator, variant


def findings_for(device: DeviceInfo) -> Findings:
    """What earlier runs found out about a device with the driver it has now. A file that is of no use is
    reported once, as a ClconvWarning, and left alone."""
    return Findings(frozenset(read_quarantine(device)), measurements_for(device))


def quarantine_file() -> Path:
    return kept_path("quarantine.json")


def device_key(device: DeviceInfo) -> dict[str, str]:
    """What findings are remembered by: the device, and all that its driver says of its version."""
    return {
        "platform": device.platform,
        "name": device.name,
        "driver": device.driver,
        "version": device.version,
    }


def read_quarantine(device: DeviceInfo) -> dict[Name, str]:
    """Why each quarantined variant of a device and its driver is so, by operator and variant."""
    key = device_key(device)
    found: dict[Name, str] = {}
    for record in _usable_records():
        if record["device"] == key:
            found.update(((row["operator"], row["variant"]), row["why"]) for row in record["rows"])
    return found


def write_quarantine(device: DeviceInfo, quarantined: dict[Name, str]) -> None:
    """Replaces what is remembered of this device and driver; other devices' records stay."""
    key = device_key(device)
    records = [record for record in _usable_records() if record["device"] != key]
    rows = [
        {"operator": operator, "variant": variant, "why": why}
        for (operator, variant), why in sorted(quarantined.items())
    ]
    if rows:
        records.append({"device": key, "rows": rows})
    if records or quarantine_file().exists():
        write_records(quarantine_file(), records, own=True)


def _usable_records() -> list[dict[str, Any]]:
    path = quarantine_file()
    try:
        records = read_records(path, own=True)
        for record in records:
            _check(record)
        return records
    except Unusable as reason:
        warn_once(f"{path} {reason}; it is ignored: run `clconv doctor` again")
        return []


def _check(record: dict[str, Any]) -> None:
    rows = record.get("rows")
    if not isinstance(record.get("device"), dict) or not isinstance(rows, list):
        raise Unusable("has a record without a device or rows")
    for row in rows:
        names: Iterable[Any] = (
            (row.get(name) for name in ("operator", "variant", "why"))
            if isinstance(row, dict)
            else (None,)
        )
        if not all(isinstance(name, str) for name in names):
            raise Unusable("has a row without operator, variant and why")
