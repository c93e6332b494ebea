"""A Plan: a graph lowered for one device and one set of input shapes. Data only; nothing is allocated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clconv.device.info import DeviceInfo
from clconv.graph.batch_split import BatchSplit
from clconv.graph.ir import Graph
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.lowered import LoweredGraph
from clconv.planning.memory import MemoryPlan
from clconv.planning.persistent import parts_of
from clconv.records import record

if TYPE_CHECKING:
    from clconv.graph.specialise.cut import Cut


@record(frozen=True)
class Plan:
    """What a device does for one set of input shapes.

    graph: after all passes. memory: where each value lies. cut: what is left to do when values are known
    that only running this plan tells; None if the plan is the whole network. launches: what a run enqueues:
    the calls, or fewer launches that do the same, see planning/joining.py. batch_split: the images of a batch
    that the plan is for, if it is not for all at once.
    """

    device: DeviceInfo
    graph: Graph
    lowered: LoweredGraph
    memory: MemoryPlan
    live_bytes: int
    launches: tuple[KernelCall, ...]
    cut: Cut | None = None
    batch_split: BatchSplit | None = None

    @property
    def calls(self) -> tuple[KernelCall, ...]:
        return self.lowered.calls

    @property
    def parts(self) -> tuple[Kernel, ...]:
        """Programs with functions that its launches call, see planning/parts.py."""
        return tuple(dict.fromkeys(p for call in self.launches for p in parts_of(call.kernel)))

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """What has to be compiled for its launches."""
        return (*self.parts, *(call.kernel for call in self.launches))

    def root(self, value: str) -> str:
        """The value that owns the memory a value lies in."""
        return self.lowered.place(value)[0]

    def __str__(self) -> str:
        lines = [f"plan on {self.device}"]
        if self.batch_split:
            lines.append(f"  {self.batch_split}")
        for call in self.calls:
            lines.append(f"  {call}")
        for name, slot in sorted(self.memory.slots.items(), key=lambda item: item[1].offset):
            lines.append(f"  slot {slot.arena}+{slot.offset} {slot.nbytes} {name}")
        lines.append(
            f"  memory {self.memory.total:,} bytes, largest live set {self.live_bytes:,} bytes"
        )
        if self.memory.external:
            lines.append(
                f"  state {self.memory.external_total:,} bytes, which other plans may share"
            )
        if self.cut:
            host = ", ".join(n.name for n in self.cut.host_nodes)
            lines.append(f"  then on the host: {host or '-'}; needs {', '.join(self.cut.needed)}")
        return "\n".join(lines)
