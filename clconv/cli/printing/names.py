"""Names of layers in little room: what says nothing goes first, then the middle."""

from __future__ import annotations

import re
from collections.abc import Sequence


def without_common_prefix(names: Sequence[str]) -> list[str]:
    """The names without the whole parts that all of them begin with: /model/a, /model/b as a, b. Parts end at slashes,
    where there are none at points."""
    present = [name for name in names if name]
    if len(set(present)) < 2:
        return [name.lstrip("/") or name for name in names]
    first, last = min(present), max(present)
    alike = (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    common = first[: next(alike, min(len(first), len(last)))]
    end = common.rfind("/" if any("/" in name for name in present) else ".") + 1
    if any(len(name) == end for name in present):  # one is the prefix itself
        end = 0
    return [name[end:] for name in names]


def without_repeats(name: str) -> str:
    """The name without what the next part says again, as exporters write it: layer1/layer1.0/conv1 as layer1.0/conv1."""
    parts = name.split("/")
    kept = [
        part
        for part, following in zip(parts, [*parts[1:], ""], strict=True)
        if not (part and re.match(rf"{re.escape(part)}[._]", following))
    ]
    return "/".join(kept)


def cut_in_the_middle(text: str, width: int) -> str:
    """At most so many characters: the beginning and, more of it, the end, in which names differ."""
    if len(text) <= width:
        return text
    if width < 2:
        return "…"[:width]
    end = width * 3 // 5
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"
