"""JSON files of what clconv found out about devices: whole or not at all, and never trusted blindly."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from clconv.lowering.device import DeviceInfo

FORMAT = 1


class Unusable(Exception):
    """A file that cannot be used: why, in words."""


def device_key(device: DeviceInfo) -> dict[str, str]:
    """What findings are remembered by: the device, and all that its driver says of its version."""
    return {
        "platform": device.platform,
        "name": device.name,
        "driver": device.driver,
        "version": device.version,
    }


def read_records(path: Path) -> list[dict[str, Any]]:
    """The "records" of a file that write_records() wrote; none if there is no file. Raises Unusable."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as reason:
        raise Unusable(f"cannot be read ({type(reason).__name__})") from None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as reason:
        raise Unusable(f"is no JSON ({reason})") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else None
        raise Unusable(f"has format {found!r}, this version of clconv reads {FORMAT}")
    records = content.get("records")
    if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
        raise Unusable('has no list of "records"')
    return records


def write_records(path: Path, records: list[dict[str, Any]]) -> None:
    """Replaces the file in one step, so that a reader, or a power cut, sees the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(f"  {json.dumps(record, sort_keys=True)}" for record in records)
    text = f'{{"format": {FORMAT}, "records": [\n{lines}\n]}}\n'
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        new.write_text(text, encoding="utf-8")
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
