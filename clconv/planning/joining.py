"""Which calls of a plan go to the device in one launch, and what waits for what inside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from clconv.device.findings import Findings
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.lowering.lower import LoweredGraph
from clconv.lowering.model.arguments import Read, Write
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.planning.hazards import Access, Extent, dependencies
from clconv.planning.memory import MemoryPlan
from clconv.planning.other_sizes import CallsByNode
from clconv.planning.persistent import can_join, groups, is_wanted, persistent_call
from clconv.planning.plan import Plan

# What `clconv doctor` quarantines where joined launches give wrong results, as if it were a variant.
JOINED = ("launches", "joined")


def may_join(device: DeviceInfo, options: PlanOptions) -> bool:
    """Whether this device gains by launches that go as one, and nothing that was asked for forbids it."""
    return options.joining and not options.guard and is_wanted(device)


def are_joined(device: DeviceInfo, options: PlanOptions, findings: Findings) -> bool:
    """Whether launches go as one on this device: they may, and did not give wrong results when they were tried."""
    return may_join(device, options) and JOINED not in findings.quarantined


def join_launches(
    plan: Plan,
    compiled: Iterable[Kernel] = (),
    alternatives: CallsByNode | None = None,
    parts: int | None = None,
) -> Plan:
    """The plan with those of its calls as one launch that stand side by side and can be joined.

    One that is alone in its plan becomes such a launch, too: it may then be run without waking threads.

    compiled: see persistent_call. alternatives: calls by node that other sizes may take, besides those that lowering
    knows of. parts: see PlanOptions.

    The kernels that other sizes may take are in the same program, so that those sizes compile nothing.
    """
    lowered, compiled = plan.lowered, tuple(compiled)
    several = (lowered.alternatives, alternatives or {})
    launches: list[KernelCall] = []
    for group in groups(lowered.calls):
        calls = lowered.calls[group.start : group.stop]
        if len(calls) == 1 and not (len(lowered.calls) == 1 and can_join(calls[0])):
            launches += calls
            continue
        awaited = dependencies([_access(call, lowered, plan.memory) for call in calls])
        nodes = dict.fromkeys(call.node for call in calls)
        others = [c for by_node in several for node in nodes for c in by_node.get(node, ())]
        launches.append(persistent_call(calls, awaited, plan.device, compiled, others, parts))
    return dataclasses.replace(plan, launches=tuple(launches))


def _access(call: KernelCall, lowered: LoweredGraph, memory: MemoryPlan) -> Access:
    def extents(values: Sequence[str]) -> tuple[Extent, ...]:
        return tuple(_extent(value, lowered, memory) for value in values)

    reads = [a.value for _, a in call.arguments if isinstance(a, Read)]
    writes = [a.value for _, a in call.arguments if isinstance(a, Write)]
    return Access(extents(reads), extents(writes))


def _extent(value: str, lowered: LoweredGraph, memory: MemoryPlan) -> Extent:
    """Where a value lies; a view, which may have another size, counts as all that it is a view of."""
    while value in lowered.aliases:
        value = lowered.aliases[value]
    root, offset = lowered.place(value)
    slot = memory.slots[root]
    begin = slot.offset + offset
    nbytes = lowered.specs[value].nbytes if value in lowered.placed_inside else slot.nbytes
    return Extent(slot.arena, begin, begin + nbytes)
