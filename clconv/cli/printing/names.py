"""Names of layers in little room: what says nothing goes first, then the middle."""

from __future__ import annotations

import collections
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


def without_usual_prefix(names: Sequence[str]) -> list[str]:
    """The names without first parts that four of five begin with; the others stay as they are, and all different."""
    shown = list(names)
    while True:
        firsts = collections.Counter(n.split("/")[0] for n in shown if "/" in n)
        first, times = firsts.most_common(1)[0] if firsts else ("", 0)
        if times < max(2, 0.8 * len(shown)):
            return shown
        shorter = [n.removeprefix(f"{first}/") for n in shown]
        if len(set(shorter)) < len(set(shown)) or "" in shorter:
            return shown
        shown = shorter


def without_repeats(name: str) -> str:
    """The name without what the next part says again, as exporters write it: layer1/layer1.0/conv1 as layer1.0/conv1."""
    parts = name.split("/")
    kept = [
        part
        for part, following in zip(parts, [*parts[1:], ""], strict=True)
        if not (part and re.match(rf"{re.escape(part)}[._]", following))
    ]
    return "/".join(kept)


def without_operators(names: Sequence[str]) -> list[str]:
    """The names without a last part that is an operator, as exporters add it, where they stay different: conv1/Conv."""
    shorter = [re.sub(r"/[A-Z][A-Za-z0-9]*$", "", name) for name in names]
    times = collections.Counter(shorter)
    return [new if times[new] == 1 else old for old, new in zip(names, shorter, strict=True)]


def cut_name(name: str, width: int) -> str:
    """At most so many characters: the ends of the longest words go first, as numbers tell layers apart: feat….18/conv.0."""
    while len(name) > width:
        longest = max(re.findall(r"[A-Za-z_]+…?", name), key=len, default="")
        if len(longest) < 4:
            return cut_in_the_middle(name, width)
        name = name.replace(longest, longest.rstrip("…")[: len(longest) - 2] + "…", 1)
    return name


def cut_in_the_middle(text: str, width: int) -> str:
    """At most so many characters: the beginning and, more of it, the end, in which names differ."""
    if len(text) <= width:
        return text
    if width < 2:
        return "…"[:width]
    end = width * 3 // 5
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"
