"""Which inputs and outputs of a plan may lie outside its memory, in arrays of the caller's, and who reads or writes them."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from clconv.lowering.model.arguments import Addresses, Argument, Read, Write
from clconv.planning.plan import Plan
from clconv.records import record


class Site(NamedTuple):
    """An argument of a launch that is an address of a value: the argument's position, and the word's where it is a list of
    addresses; offset: bytes behind the beginning of what owns the value's memory."""

    launch: int
    position: int
    word: int | None
    offset: int


@record(frozen=True)
class Movable:
    """inputs: those of which no kernel writes the memory. outputs: by name what owns the memory of one; it holds nothing
    else. sites: by such an owner, the input itself or that of an output."""

    inputs: frozenset[str]
    outputs: dict[str, str]
    sites: dict[str, tuple[Site, ...]]


def movable(plan: Plan) -> Movable:
    """What of a plan may lie elsewhere. The others are copied: inputs that lie inside the result of a concatenation or
    whose memory is written, outputs that are inputs, constants, state, or part of something larger."""
    graph, lowered = plan.graph, plan.lowered
    written: set[str] = set()
    sites: dict[str, list[Site]] = {}
    for launch, position, word, argument in _addresses(plan):
        root, begin = lowered.place(argument.value)
        sites.setdefault(root, []).append(Site(launch, position, word, begin + argument.offset))
        if isinstance(argument, Write):
            written.add(root)
    inputs = {n for n in graph.fed if lowered.place(n) == (n, 0) and n not in written}
    outputs: dict[str, str] = {}
    for name in graph.returned:
        stored = lowered.stored[name]
        root, begin = lowered.place(stored)
        if stored in graph.constants or root in graph.inputs or root in plan.memory.external:
            continue
        whole = plan.memory.slots[root].nbytes <= lowered.specs[stored].nbytes
        if begin == 0 and whole and root not in outputs.values():
            outputs[name] = root
    wanted = {*inputs, *outputs.values()}
    return Movable(
        frozenset(inputs), outputs, {root: tuple(sites.get(root, ())) for root in wanted}
    )


@record(frozen=True)
class InPlace:
    """What a run that is waited for can read and write in arrays of the host's, by name the arguments that say where they
    lie. echoes: outputs that are an input or a part of one, of which the caller gets a copy: which, and the first byte."""

    inputs: Mapping[str, tuple[Site, ...]]
    outputs: Mapping[str, tuple[Site, ...]]
    echoes: Mapping[str, tuple[str, int]]


def in_place(plan: Plan) -> InPlace:
    """Of a plan with its calls, or launches, as they were planned."""
    found, lowered = movable(plan), plan.lowered
    owners = {
        name: lowered.place(lowered.stored[name])
        for name in plan.graph.returned
        if lowered.stored[name] not in plan.graph.constants
    }
    owned = collections.Counter(root for root, _ in owners.values())
    outputs: dict[str, tuple[Site, ...]] = {}
    echoes: dict[str, tuple[str, int]] = {}
    read_back = set()  # inputs that are looked for in the plan's memory after a run
    for name, (root, begin) in owners.items():
        if root not in found.inputs:
            if name in found.outputs and owned[root] == 1:
                outputs[name] = found.sites[root]
        elif lowered.specs[root].dtype == lowered.specs[lowered.stored[name]].dtype:
            echoes[name] = root, begin
        else:
            read_back.add(root)
    inputs = {n: found.sites[n] for n in plan.graph.fed if n in found.inputs - read_back}
    return InPlace(inputs, outputs, echoes)


def _addresses(plan: Plan) -> Iterator[tuple[int, int, int | None, Read | Write]]:
    """Every address of a value among the arguments of the launches: launch, position, word."""
    for launch, call in enumerate(plan.launches):
        for position, (_, argument) in enumerate(call.arguments):
            words: tuple[Argument, ...] = (argument,)
            if isinstance(argument, Addresses):
                words = argument.arguments
            for word, found in enumerate(words):
                if isinstance(found, Read | Write):
                    yield launch, position, word if words[0] is not argument else None, found
