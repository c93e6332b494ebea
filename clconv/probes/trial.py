"""A small network through one variant: what a probe looks at, here or in another process."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.graph.ir import Graph
from clconv.planning.plan import Plan
from clconv.planning.planner import Planner
from clconv.runtime.opencl import give_back, taken
from clconv.runtime.prepared import PreparedDevice
from clconv.runtime.trials.run import PlanApart


def outputs_of(
    graph: Graph,
    feeds: Mapping[str, np.ndarray],
    device: DeviceInfo,
    forced: Mapping[str, str],
    precision: str = "float32",
) -> dict[str, np.ndarray]:
    """The outputs by name; each kernel is launched on its own. Raises what planning and the device's compiler raise."""
    plan = _plan(graph, device, PlanOptions(precision, forced, images_at_once=0, joining=False))
    return PreparedDevice(device).bind(plan).run(feeds)


def outputs_apart(
    graph: Graph, feeds: Mapping[str, np.ndarray], device: DeviceInfo, forced: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """The same of another process. Raises OSError if there is none, what planning raises, and KernelBuildError if it died or was
    refused."""
    plan = _plan(graph, device, PlanOptions("float32", forced, images_at_once=0, joining=False))
    helper = taken(device)
    try:
        return PlanApart(helper, plan, feeds, PreparedDevice(device)).outputs()
    finally:
        give_back(helper)


def _plan(graph: Graph, device: DeviceInfo, options: PlanOptions) -> Plan:
    return Planner(device, options).plan(graph, {name: graph.specs[name] for name in graph.inputs})
