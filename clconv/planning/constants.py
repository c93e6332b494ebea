"""What the constants of a lowered graph take of a device. A pure function."""

from __future__ import annotations

from clconv.device.info import DeviceInfo
from clconv.errors import DeviceMemoryError
from clconv.graph.ir import Graph
from clconv.lowering.lower import LoweredGraph
from clconv.lowering.model.arguments import Packed


def constant_bytes(graph: Graph, lowered: LoweredGraph, device: DeviceInfo) -> int:
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
