"""JSON files of what clconv found out about devices: whole or not at all, and never trusted blindly."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from clconv.store import files, kept
from clconv.store.files import Unusable

FORMAT = 1
_LIMIT = 256 << 20  # bytes; 100,000 results of tuning are 60 MB
_LARGEST = 2**63


def read_records(path: Path, *, own: bool = False) -> list[dict[str, Any]]:
    """The "records" of a file that write_records() wrote; none if there is no file. own: it lies in CLCONV_CACHE_DIR,
    and must be this user's. Raises Unusable."""
    try:
        text = (kept.read_kept if own else files.read)(path, _LIMIT).decode()
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as reason:
        raise Unusable(f"cannot be read ({type(reason).__name__})") from None
    try:
        content = json.loads(text, parse_int=_int, parse_float=_float, parse_constant=_float)
    except (ValueError, RecursionError) as reason:
        raise Unusable(f"is no JSON ({reason})") from None
    if not isinstance(content, dict) or "format" not in content:
        raise Unusable("is no file of clconv's: it does not say its format")
    if content["format"] != FORMAT:
        raise Unusable(f"has format {content['format']!r}, this version of clconv reads {FORMAT}")
    records = content.get("records")
    if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
        raise Unusable('has no list of "records"')
    return records


def _int(text: str) -> int:
    if len(text) > len(str(-_LARGEST)) or not -_LARGEST <= int(text) < _LARGEST:
        raise Unusable(f"has the number {text[:20]}..., which is beyond 64 bits")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Unusable(f"has the number {text[:20]}, which is not finite")
    return number


def write_records(path: Path, records: list[dict[str, Any]], *, own: bool = False) -> None:
    """Replaces the file in one step; own as in read_records(). Raises OSError, and ConfigError for an own file whose
    folder is not this user's alone."""
    lines = ",\n".join(f"  {json.dumps(record, sort_keys=True)}" for record in records)
    text = f'{{"format": {FORMAT}, "records": [\n{lines}\n]}}\n'
    if own:
        kept.write_kept(path, text)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, text)
