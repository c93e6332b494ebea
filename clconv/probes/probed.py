"""What a device says it can and is believed only once it was seen: asked before a network is planned."""

from __future__ import annotations

from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.graph.ir import Graph
from clconv.planning.planner import OnPass, Planner
from clconv.probes.dot_probe import with_verified_dot
from clconv.probes.matrix_probe import with_verified_matrix
from clconv.probes.shuffle_probe import with_verified_shuffles
from clconv.probes.wide_probe import verified_wide
from clconv.runtime.quarantine import findings_for


def probed_for(graph: Graph | None, device: DeviceInfo, precision: str) -> DeviceInfo:
    """The device with its wider vectors, matrix instructions, products of bytes and shuffles known to work, as far as a network in
    this precision can use them; None: any network. Nothing is tried that it cannot use."""
    device = with_verified_dot(graph, verified_wide(device), precision)
    return with_verified_shuffles(graph, with_verified_matrix(graph, device, precision))


def planner_for(
    graph: Graph | None,
    device: DeviceInfo,
    options: PlanOptions,
    on_pass: OnPass | None = None,
) -> Planner:
    """A planner for a network on a device of this machine, with all that is known of the device: what of it was tried,
    and what earlier runs of `clconv doctor` and `clconv tune` found out."""
    known = probed_for(graph, device, options.precision)
    return Planner(known, options, findings_for(known), on_pass)
