"""Machine code of GPU kernels as text: which instructions their hottest loop has.

NVIDIA's as `nvdisasm -c` or `cuobjdump -sass` print it, AMD's as clang writes assembly.
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Line:
    """A label, or an instruction: its name with all suffixes (of two issued as one, `a::b`) and, if it jumps, the
    label or address to which."""

    label: str = ""
    name: str = ""
    target: str = ""


Names = collections.Counter[str]


def parse_nvidia(text: str) -> dict[str, list[Line]]:
    """Lines by kernel. A line's address is a label, too, which is where cuobjdump has jumps go."""
    found: dict[str, list[Line]] = {}
    lines: list[Line] | None = None
    for row in text.splitlines():
        begin = re.match(r"\s*(?:\.text\.|Function : )(\w+):?\s*$", row)
        if begin:
            lines = found.setdefault(begin[1], [])
        if lines is None:
            continue
        label = re.match(r"(\.L\w+):", row)
        if label:
            lines.append(Line(label=label[1]))
        code = re.match(r"\s+/\*([0-9a-f]{4,})\*/\s+(?:@!?U?P\w+ )?([A-Z]\w*(?:\.\w+)*)(.*)", row)
        if code:
            jump = re.search(r"(\.L\w+)|\b0x([0-9a-f]+)\b", code[3]) if code[2] == "BRA" else None
            lines.append(Line(label=code[1]))
            lines.append(Line(name=code[2], target=(jump[1] or jump[2].zfill(4)) if jump else ""))
    return found


def parse_amd(text: str) -> dict[str, list[Line]]:
    """Lines by kernel."""
    found: dict[str, list[Line]] = {}
    lines: list[Line] | None = None
    for row in text.splitlines():
        begin = re.match(r"(\w+):\s+; @", row)
        if begin:
            lines = found.setdefault(begin[1], [])
        elif row.startswith(".Lfunc_end"):
            lines = None
        if lines is None:
            continue
        label = re.match(r"(\.L\w+):", row)
        if label:
            lines.append(Line(label=label[1]))
        code = re.match(r"\t([a-z]\w*)([^;]*)", row)
        if code:
            second = re.search(r":: (\w+)", code[2])
            jump = re.match(r"s_c?branch", code[1]) and re.search(r"(\.L\w+)", code[2])
            name = code[1] + (f"::{second[1]}" if second else "")
            lines.append(Line(name=name, target=jump[1] if jump else ""))
    return found


def _loops(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """First and last line of each loop: from where a jump back leads to the last jump that leads there."""
    place = {line.label: i for i, line in enumerate(lines) if line.label}
    ends: dict[int, int] = {}
    for i, line in enumerate(lines):
        begin = place.get(line.target, i) if line.target else i
        # A jump to itself is where a kernel's code ends.
        if begin < i and any(other.name for other in lines[begin:i]):
            ends[begin] = max(ends.get(begin, 0), i)
    return sorted(ends.items())


@dataclasses.dataclass(frozen=True)
class Hot:
    """Instructions by name of the innermost loop with most multiplications, of the rest of the loop around it (empty
    if there is none), and of the whole kernel. inner is the whole kernel where nothing loops."""

    inner: Names
    around: Names
    whole: Names

    def turn(self, passes: int) -> Names:
        """A turn of the outer loop, with so many of the inner one."""
        names = Names(self.around)
        for name, count in self.inner.items():
            names[name] += passes * count
        return names


def hottest(lines: Sequence[Line]) -> Hot:
    loops = _loops(lines)
    whole = Names(line.name for line in lines if line.name)

    def within(a: tuple[int, int], b: tuple[int, int]) -> bool:
        return b[0] <= a[0] and a[1] <= b[1] and a != b

    def names(loop: tuple[int, int], without: tuple[int, int] | None = None) -> Names:
        return Names(
            line.name
            for i, line in enumerate(lines[loop[0] : loop[1] + 1], loop[0])
            if line.name and not (without and without[0] <= i <= without[1])
        )

    innermost = [loop for loop in loops if not any(within(other, loop) for other in loops)]
    best = max(innermost, key=lambda loop: multiplies(names(loop)), default=None)
    if best is None or not multiplies(names(best)):
        return Hot(whole, Names(), whole)
    around = [loop for loop in loops if within(best, loop)]
    outer = min(around, key=lambda loop: loop[1] - loop[0], default=None)
    return Hot(names(best), names(outer, best) if outer else Names(), whole)


def multiplies(names: Mapping[str, int]) -> int:
    """Multiply-adds of floats, or matrix instructions; two in one instruction count as two."""
    return sum(
        count * len(re.findall(r"(?<!\w)(?:FFMA|HMMA|v_(?:dual_|pk_)?fma\w*_f32|v_(?:dual_)?dot2\w*_f32_f16|v_wmma|v_mfma)", name))
        for name, count in names.items()
    )  # fmt: skip


def is_matrix(names: Mapping[str, int]) -> bool:
    return any(name.startswith(("HMMA", "v_wmma", "v_mfma")) for name in names)


_WIDTH = re.compile(r"\.(64|128)\b|_b(64|96|128)$|dwordx([234])$")


def widths(names: Mapping[str, int], *prefixes: str) -> dict[int, int]:
    """How many accesses, by bits of one: LDS, STS, LDG, STG; ds_load, ds_store, global_load, global_store. A name
    of two addresses (ds_load_2addr_b32) counts twice."""
    found: dict[int, int] = {}
    for name, count in names.items():
        if name.startswith(prefixes):
            wide = _WIDTH.search(name)
            bits = int(wide[1] or wide[2] or int(wide[3]) * 32) if wide else 32
            found[bits] = found.get(bits, 0) + count * (2 if "2addr" in name else 1)
    return dict(sorted(found.items(), reverse=True))
