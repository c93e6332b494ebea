"""What Linux says of this machine's processor."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import NamedTuple

_FILE = Path("/proc/cpuinfo")
_NUMBERS = ("cpu family", "model")


class Processor(NamedTuple):
    """vendor, family, model: as CPUID has them, "" and 0 where Linux does not tell. flags: what it can, as Linux names it."""

    vendor: str = ""
    family: int = 0
    model: int = 0
    flags: frozenset[str] = frozenset()


@functools.cache
def this_processor() -> Processor:
    """Of this machine; nothing is known of it on other systems."""
    try:
        return described(_FILE.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return Processor()


def described(text: str) -> Processor:
    """The first processor that a text in the form of /proc/cpuinfo describes."""
    found: dict[str, str] = {}
    for name, value in re.findall(r"^(\w[\w ]*?)[ \t]*:[ \t]*(.*)$", text, re.M):
        found.setdefault(name, value)
    family, model = (found.get(name, "") for name in _NUMBERS)
    flags = found.get("flags", found.get("Features", ""))
    return Processor(
        found.get("vendor_id", ""),
        int(family) if family.isdecimal() else 0,
        int(model) if model.isdecimal() else 0,
        frozenset(flags.split()),
    )
