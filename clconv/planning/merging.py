"""Kernels of one program that differ by their epilogues or bias alone, as one function: their sums, which take most of the
time of a compiler, are compiled once.

Only for joined launches, whose table says for each operation which function it calls: what else a function needs to know is
a constant of that call. Kernels that are launched one by one, as on GPUs, stay as they are: their drivers compile each on its
own, and a condition would cost registers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from clconv.lowering.model.call import Kernel
from clconv.lowering.shared.epilogue import BIAS_OR_NULL, Choices

# Templates that take Choices for an epilogue, and BIAS_OR_NULL for a bias.
_TEMPLATES = frozenset({"conv/direct.cl.mako", "conv/depthwise.cl.mako"})
_OWN = ("bias", "epilogue", "epilogue_names")


class MergedFunction(NamedTuple):
    """What a kernel's operations call. choice: which of its epilogues; absent: parameters of the function that the kernel
    does not have. A kernel that stays as it is has neither."""

    kernel: Kernel
    choice: int | None = None
    absent: frozenset[str] = frozenset()


def functions(kernels: Iterable[Kernel]) -> Mapping[Kernel, MergedFunction]:
    """For each kernel of a program the function that does its work, several of them the same one."""
    groups: dict[object, list[Kernel]] = {}
    for kernel in kernels:
        groups.setdefault(_common(kernel), []).append(kernel)
    return dict(itertools.chain.from_iterable(map(_merged, groups.values())))


def _common(kernel: Kernel) -> object:
    """Equal for those that may be one function."""
    if kernel.template not in _TEMPLATES:
        return kernel
    return kernel.template, kernel.entry, tuple(p for p in kernel.parameters if p[0] not in _OWN)


def _merged(members: list[Kernel]) -> list[tuple[Kernel, MergedFunction]]:
    if len(members) == 1:
        return [(members[0], MergedFunction(members[0]))]
    parameters: list[dict[str, Any]] = [dict(member.parameters) for member in members]
    epilogues = tuple(dict.fromkeys(p["epilogue"] for p in parameters))
    names = max((p["epilogue_names"] for p in parameters), key=len)
    biases = {p["bias"] for p in parameters}
    own = {
        "epilogue": Choices(epilogues),
        "epilogue_names": names,
        "bias": biases.pop() if len(biases) == 1 else BIAS_OR_NULL,
    }
    kernel = Kernel.of(members[0].template, members[0].entry, **{**parameters[0], **own})
    found = []
    for member, p in zip(members, parameters, strict=True):
        absent = {*names[len(p["epilogue_names"]) :], *([] if p["bias"] else ["bias"])}
        choice = epilogues.index(p["epilogue"])
        found.append((member, MergedFunction(kernel, choice, frozenset(absent))))
    return found
