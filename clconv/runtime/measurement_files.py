"""Results of tuning as JSON with named parameters: this user's, and those that clconv ships in clconv/measurements/."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from clconv.device.info import DeviceInfo
from clconv.device.measurements import Entry, Machine, Measurements, Named, Shape
from clconv.errors import warn_once
from clconv.lowering.choice.select import unknown_parameter
from clconv.lowering.variants import VARIANTS
from clconv.store.files import Unusable
from clconv.store.kept import kept_path
from clconv.store.records import read_records, write_records
from clconv.version import PACKAGE

SHIPPED = PACKAGE / "measurements"


def own_file() -> Path:
    """Where this user's results are kept."""
    return kept_path("tuned.json")


def measurements_for(device: DeviceInfo) -> Measurements:
    """All results that may serve a device: the user's before those that clconv ships.

    What is of no use is reported once, as a ClconvWarning, and left alone: damaged files, variants and parameters
    that this version of clconv does not have, results of this device with another driver.
    """
    mine = Machine.of(device)
    own = entries_or_warning(own_file())
    outdated = [e for e in own if e.machine.is_same_device(mine) and e.machine != mine]
    if outdated and len(outdated) == sum(e.machine.is_same_device(mine) for e in own):
        old = outdated[0].machine
        warn_once(
            f"{own_file()}: {len(outdated)} results for {device} are of another driver ({old.driver}, {old.version}; "
            f"now {mine.driver}, {mine.version}): ignored until `clconv tune` has run again"
        )
    return Measurements(mine, tuple(e for e in own if e not in outdated), _shipped())


def _shipped() -> tuple[Entry, ...]:
    return _shipped_entries(SHIPPED)


@functools.cache
def _shipped_entries(folder: Path) -> tuple[Entry, ...]:
    """They do not change while a program runs."""
    return tuple(e for path in sorted(folder.glob("*.json")) for e in entries_or_warning(path))


def entries_or_warning(path: Path) -> list[Entry]:
    """The usable entries of a file; what is not is reported once."""
    try:
        entries, stale = read_entries(path)
    except Unusable as reason:
        warn_once(f"{path} {reason}; it is ignored")
        return []
    if stale:
        warn_once(f"{path}: {len(stale)} results are ignored, the first because {stale[0]}")
    return entries


def read_entries(path: Path) -> tuple[list[Entry], list[str]]:
    """Usable entries, and what is wrong with each of the stale ones. Raises Unusable for a damaged file."""
    entries, stale = [], []
    for record in read_records(path, own=path == own_file()):
        entry = _entry(record)
        wrong = _staleness(entry)
        if wrong is None:
            entries.append(entry)
        else:
            stale.append(wrong)
    return entries, stale


def _staleness(entry: Entry) -> str | None:
    named = [v for v in VARIANTS.get(entry.shape.operator, ()) if v.name == entry.variant]
    if not named:
        return f"there is no variant {entry.shape.operator}:{entry.variant}"
    unknown = unknown_parameter(named[0], entry.parameters)
    return unknown and f"{entry.shape.operator}:{entry.variant} has {unknown}"


def merged(entries: Iterable[Entry], more: Iterable[Entry], faster: bool = False) -> list[Entry]:
    """Both. Where both have a result for one device, driver and shape, that of `more` stays, or the faster."""
    by_key = {entry.key: entry for entry in entries}
    for entry in more:
        before = by_key.get(entry.key)
        if not faster or before is None or entry.seconds < before.seconds:
            by_key[entry.key] = entry
    return list(by_key.values())


def write_entries(path: Path, entries: Sequence[Entry]) -> None:
    write_records(path, [_record(entry) for entry in entries], own=path == own_file())


def _record(entry: Entry) -> dict[str, Any]:
    shape = entry.shape
    record: dict[str, Any] = {
        "device": dataclasses.asdict(entry.machine),
        "operator": shape.operator,
        "dtype": shape.dtype,
        "class": dict(shape.kind),
        "sizes": dict(shape.sizes),
        "shape": dict(shape.exact),
        "variant": entry.variant,
        "parameters": dict(entry.parameters),
        "is_default": entry.is_default,
    }
    return record | {name: float(f"{getattr(entry, name):.4g}") for name in _MEASURED}


_MEASURED = ("error", "default_error", "seconds", "default_seconds")


def _entry(record: dict[str, Any]) -> Entry:
    """Raises Unusable if the record is not as _record() makes it."""
    try:
        device = _typed(record["device"], dict)
        fields = {f.name: f.type for f in dataclasses.fields(Machine)}
        if set(device) != set(fields):
            raise TypeError(f"the device has {sorted(device)}")
        machine = Machine(
            **{n: _typed(device[n], int if t == "int" else str) for n, t in fields.items()}
        )
        sizes = _named(record["sizes"], int)
        shape = Shape(
            _typed(record["operator"], str),
            _typed(record["dtype"], str),
            _named(record["class"], str),
            sizes,
            _named(record["shape"], str),
        )
        return Entry(
            machine,
            shape,
            _typed(record["variant"], str),
            _named(record["parameters"], (int, str)),
            is_default=_typed(record["is_default"], bool),
            **{name: float(_typed(record[name], (int, float))) for name in _MEASURED},
        )
    except (KeyError, TypeError) as reason:
        raise Unusable(f"has a damaged record ({type(reason).__name__}: {reason})") from None


def _named(value: Any, kind: Any) -> Named:
    return tuple(sorted((name, _typed(v, kind)) for name, v in _typed(value, dict).items()))


def _typed(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{value!r} is no {getattr(kind, '__name__', kind)}")
    return value
