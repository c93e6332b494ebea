"""Which kernels of a joined launch are compiled as programs of their own: PoCL compiles one program after another in a process, and
so other processes compile the parts of a long one at the same time.

The launch calls a function of a part by where it begins, which costs nothing beside what an item of an operation takes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from clconv.device.info import DeviceInfo
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.template import origin
from clconv.planning.functions import function_text
from clconv.planning.merging import functions
from clconv.planning.persistent import LEAST
from clconv.planning.sharing import shared_out
from clconv.store.kept import kept_text

HEAD_START = 400  # lines that this process compiles while another one starts
_FEW = 4  # kernels, which are not worth counting their lines
MOST = 4  # each takes 10 ms to load where all is compiled already

# Functions of these share a text of many lines, which is in a program once.
_SHARING = frozenset({"conv/winograd_product.cl.mako"})
_SHARED = re.compile(r"#ifndef (\w+_is_there)\n.*?#endif\n", re.S)

Group = tuple[Kernel, ...]


def cut(
    kernels: Sequence[Kernel], device: DeviceInfo, parts: int | None
) -> tuple[Group, tuple[Group, ...]]:
    """The kernels that stay together, and those of each part. parts: how many programs there are to be, at most as many as
    functions; None for as many as the device has cores for and pay."""
    if parts is None and (device.compute_units < 2 or len(kernels) < _FEW):
        return tuple(kernels), ()
    groups = _inseparable(kernels)
    lines = _lines([[f for f, _ in group] for group in groups])
    if parts is None:
        parts = min(MOST, device.compute_units, (sum(lines) - HEAD_START) // LEAST)
    parts = min(parts, len(groups))
    if parts < 2:
        return tuple(kernels), ()
    found = [
        tuple(kernel for place in places for _, members in groups[place] for kernel in members)
        for places in shared_out(lines, [0, *[HEAD_START] * (parts - 1)])
    ]
    return found[0], tuple(filter(None, found[1:]))


def _inseparable(kernels: Sequence[Kernel]) -> list[list[tuple[Kernel, list[Kernel]]]]:
    """Functions with the kernels that they do; those that share a text are one group."""
    members: dict[Kernel, list[Kernel]] = {}
    for kernel, merged in functions(kernels).items():
        members.setdefault(merged.kernel, []).append(kernel)
    groups: dict[str, list[tuple[Kernel, list[Kernel]]]] = {}
    for function, done in members.items():
        key = function.template if function.template in _SHARING else function.symbol
        groups.setdefault(key, []).append((function, done))
    return list(groups.values())


def _lines(groups: Sequence[Sequence[Kernel]]) -> list[int]:
    """How many lines each group of functions has."""
    named = [[(f.template, f.entry, f.parameters) for f in group] for group in groups]
    key = hashlib.sha256(origin() + repr(named).encode()).hexdigest()
    text = kept_text("lines", key, lambda: " ".join(str(_counted(group)) for group in groups))
    return [int(count) for count in text.split()]


def _counted(group: Sequence[Kernel]) -> int:
    there: set[str] = set()

    def once(match: re.Match[str]) -> str:
        is_new = match[1] not in there
        there.add(match[1])
        return match[0] if is_new else ""

    return sum(_SHARED.sub(once, function_text(f)).count("\n") for f in group)
