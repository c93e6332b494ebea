"""What a device says it can and is believed only once it was seen: asked before a network is planned."""

from __future__ import annotations

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph
from clconv.probes.matrix_probe import proven_for
from clconv.probes.shuffle_probe import shuffling_for


def probed_for(graph: Graph | None, device: DeviceInfo, precision: str) -> DeviceInfo:
    """The device with its matrix instructions and shuffles known to work, as far as a network in this precision can
    use them; None: any network. Nothing is tried that it cannot use."""
    return shuffling_for(graph, proven_for(graph, device, precision))
