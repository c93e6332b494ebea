"""A Plan: a graph lowered for one device and one set of input shapes. Data only; nothing is allocated."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from clconv.device.findings import NOTHING_FOUND, Findings
from clconv.device.info import DeviceInfo
from clconv.errors import DeviceMemoryError, GraphError
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.passes import run_passes
from clconv.graph.passes.half import Converted, place_half
from clconv.graph.specialise.specialise import Cut, specialise
from clconv.lowering.choice.half import half_test
from clconv.lowering.lower import LoweredGraph, lower_graph
from clconv.lowering.model.arguments import Packed
from clconv.lowering.model.kernel import KernelCall
from clconv.planning.memory import Lifetime, MemoryPlan, largest_live_set, plan_memory

OnPass = Callable[[str, Graph], None]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a device does for one set of input shapes.

    graph: after all passes. memory: where each value lies. cut: what is left to do when values are known
    that only running this plan tells; None if the plan is the whole network. launches: what a run enqueues:
    the calls, or fewer launches that do the same, see planning/joining.py.
    """

    device: DeviceInfo
    graph: Graph
    lowered: LoweredGraph
    memory: MemoryPlan
    live_bytes: int
    launches: tuple[KernelCall, ...]
    cut: Cut | None = None

    @property
    def calls(self) -> tuple[KernelCall, ...]:
        return self.lowered.calls

    def root(self, value: str) -> str:
        """The value that owns the memory a value lies in."""
        return self.lowered.place(value)[0]

    def __str__(self) -> str:
        lines = [f"plan on {self.device}"]
        for call in self.calls:
            lines.append(f"  {call}")
        for name, slot in sorted(self.memory.slots.items(), key=lambda item: item[1].offset):
            lines.append(f"  slot {slot.arena}+{slot.offset} {slot.nbytes} {name}")
        lines.append(
            f"  memory {self.memory.total:,} bytes, largest live set {self.live_bytes:,} bytes"
        )
        if self.cut:
            host = ", ".join(n.name for n in self.cut.host_nodes)
            lines.append(f"  then on the host: {host or '-'}; needs {', '.join(self.cut.needed)}")
        return "\n".join(lines)


def make_plan(
    graph: Graph,
    specs: Mapping[str, TensorSpec],
    device: DeviceInfo,
    *,
    values: Mapping[str, np.ndarray] | None = None,
    forced: Mapping[str, str] | None = None,
    findings: Findings = NOTHING_FOUND,
    guard: int = 0,
    on_pass: OnPass | None = None,
    converted: Converted | None = None,
    precision: str = "float32",
    known: Mapping[str, str] | None = None,
    rivals: bool = False,
) -> Plan:
    """Specialises, optimises and lowers a graph for inputs of the given specs.

    values: inputs whose content is known already. findings: see lower_graph. guard: free bytes around
    every value, none of which then shares its place with another. converted: see place_half. precision: "float16"
    stores as halves what the network has as float32. known: variants that nodes take at other sizes, see
    select. rivals: see lower_graph. Raises ShapeError, UnsupportedError, VariantError or DeviceMemoryError.
    """
    opened = device
    if precision != "float32":  # what products may round, besides
        device = dataclasses.replace(device, precision=precision)
    specialised = specialise(graph, specs, values)
    takes_half = half_test(device, forced or {})
    placed = place_half(specialised.graph, converted, takes_half, precision == "float16")
    optimised = run_passes(placed, on_pass)
    lowered = lower_graph(optimised, device, forced or {}, findings, rivals, known)
    lifetimes = value_lifetimes(optimised, lowered)
    # Guarded, each value has a place of its own: a neighbour of another time would hide a stray write.
    apart = [dataclasses.replace(v, first=0, last=0) for v in lifetimes]
    left = device.global_memory - _constant_bytes(optimised, lowered, device)
    memory = plan_memory(
        apart if guard else lifetimes, device.base_alignment, device.largest_allocation, left, guard
    )
    live = largest_live_set(lifetimes)
    return Plan(opened, optimised, lowered, memory, live, lowered.calls, specialised.cut)


def _constant_bytes(graph: Graph, lowered: LoweredGraph, device: DeviceInfo) -> int:
    """Bytes of the constants that the device has to hold; DeviceMemoryError if they cannot be.

    As they are in the graph: what packing adds is small or, like Winograd's weights, known to be chosen
    only where it pays.
    """
    used = {
        a.constant: graph.constants[a.constant].spec.nbytes
        for call in lowered.calls
        for _, a in call.arguments
        if isinstance(a, Packed)
    }
    for name, nbytes in used.items():
        if nbytes > device.largest_allocation:
            raise DeviceMemoryError(
                f"constant '{name}' has {nbytes:,} bytes, {device} allocates at most "
                f"{device.largest_allocation:,} at once"
            )
    total = sum(used.values())
    if total > device.global_memory:
        raise DeviceMemoryError(
            f"the network's constants have {total:,} bytes, {device} has {device.global_memory:,}"
        )
    return total


def value_lifetimes(graph: Graph, lowered: LoweredGraph) -> list[Lifetime]:
    """First and last step of every value that owns memory; inputs live from before the first call, outputs
    until after the last."""

    def root(value: str) -> str:
        return lowered.place(value)[0]

    end = len(lowered.calls)
    sizes = {**{n: s.nbytes for n, s in lowered.specs.items()}, **lowered.scratch}
    first = dict.fromkeys(graph.inputs, -1)
    last = dict.fromkeys(graph.inputs, -1)

    def read(name: str, step: int, reader: str) -> None:
        if name not in first:
            if sizes[name]:
                raise GraphError(f"{reader} reads '{name}' before anything writes it")
            first[name] = step
        last[name] = step

    for step, call in enumerate(lowered.calls):
        # Reads first: what a call reads must be there before it runs.
        for name in map(root, call.reads):
            read(name, step, f"node '{call.node}'")
        for name in map(root, call.writes):
            first.setdefault(name, step)
            last[name] = step
    for name in lowered.stored.values():
        if name not in graph.constants:
            read(root(name), end, "the graph's output")
    return [Lifetime(name, sizes[name], first[name], last[name]) for name in first]
