"""Where the new values of state lie: in the memory of the old ones at once, or copied there when all else is done."""

from __future__ import annotations

import dataclasses
import itertools

from clconv.device.info import DeviceInfo
from clconv.graph.ir import PLAIN, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.lowering.copies.boxes import Copy, CopyLoop
from clconv.lowering.copies.strided import copy_call
from clconv.lowering.lower import LoweredGraph
from clconv.lowering.model.arguments import Argument, Packed, Read, Write
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.kernel import Problem


def place_state(graph: Graph, lowered: LoweredGraph, device: DeviceInfo) -> LoweredGraph:
    """The lowered graph with what brings each new value of state to its place.

    It is written there where no call reads the old value any more: but for the one that makes the new value, if that
    reads each element for the new one in its place (KernelCall.same_index). Elsewhere a copy follows all calls.
    """
    if not graph.updates:
        return lowered
    return _Placing(graph, lowered, device).run()


class _Placing:
    def __init__(self, graph: Graph, lowered: LoweredGraph, device: DeviceInfo) -> None:
        self.graph, self.device = graph, device
        self.calls = list(lowered.calls)
        self.specs, self.stored = dict(lowered.specs), dict(lowered.stored)
        self.aliases = dict(lowered.aliases)
        self.lowered = dataclasses.replace(
            lowered, specs=self.specs, stored=self.stored, aliases=self.aliases
        )

    def run(self) -> LoweredGraph:
        self._rescue()
        reads, writes = self._accesses()
        copies = []
        for name, new in self.graph.updates.items():
            owner, offset = self._place(new)
            if owner == name or not self.specs[name].size:
                continue
            step, old = writes.get(owner), reads.get(name, [])
            if step is not None and not offset and self._can_share(name, owner, step, old):
                self.aliases[owner] = name
                if any(at == step for at, _ in old):
                    call = self.calls[step]
                    self.calls[step] = dataclasses.replace(call, kernel=call.kernel.in_place())
            else:
                copies.append(self._copy(self.stored[new], name))
        return dataclasses.replace(self.lowered, calls=(*self.calls, *copies))

    def _place(self, output: str) -> tuple[str, int]:
        """The owner of the memory in which an output lies, and how far behind its beginning."""
        return self.lowered.place(self.stored[output])

    def _rescue(self) -> None:
        """Copies outputs that are nothing but old values of state, which are overwritten: views of them, or one state
        that takes over what another held."""
        for output in self.graph.outputs:
            owner, _ = self._place(output)
            own = self.graph.state.get(owner) == output  # it stays where it is
            if owner in self.graph.updates and not own and self.specs[self.stored[output]].size:
                before = self.stored[output]
                kept = self._unused(f"{output}/kept")
                self.specs[kept] = self.specs[before]
                self.calls.append(self._copy(before, kept))
                self.stored[output] = kept

    def _accesses(self) -> tuple[dict[str, list[tuple[int, str]]], dict[str, int]]:
        """By owner of the memory: the calls that read it and by which argument, and the first that writes it."""
        reads: dict[str, list[tuple[int, str]]] = {}
        writes: dict[str, int] = {}
        for step, call in enumerate(self.calls):
            for name, argument in call.arguments:
                if isinstance(argument, Read):
                    reads.setdefault(self.lowered.place(argument.value)[0], []).append((step, name))
                elif isinstance(argument, Write):
                    writes.setdefault(self.lowered.place(argument.value)[0], step)
        return reads, writes

    def _can_share(self, name: str, owner: str, step: int, reads: list[tuple[int, str]]) -> bool:
        """Whether the new value, whose owner is first written by the call of that step, can lie where the old one is
        that these calls read."""
        taken = (self.graph.inputs, self.graph.constants, self.lowered.scratch)
        if any(owner in names for names in taken):
            return False
        if self.specs[owner].nbytes != self.specs[name].nbytes:
            return False
        return all(
            at < step or (at == step and argument in self.calls[step].same_index)
            for at, argument in reads
        )

    def _copy(self, source: str, target: str) -> KernelCall:
        constant = self.graph.constants.get(source)
        spec = constant.spec if constant else self.specs[source]
        flat = TensorSpec((spec.size,), spec.dtype, PLAIN)
        node = make_node("Identity", (source,), (target,), f"{source}->{target}")
        problem = Problem(node, (flat,), (flat,), self.graph.constants, self.device)
        given: Argument = Packed(source) if constant else Read(source)
        copy = Copy((CopyLoop(spec.size, 1, 1),))
        return copy_call(problem, copy, given, Write(target), spec.dtype.itemsize)

    def _unused(self, name: str) -> str:
        taken = (self.specs, self.graph.constants, self.lowered.scratch)
        marked = (name + "'" * count for count in itertools.count())
        return next(n for n in marked if not any(n in names for names in taken))
