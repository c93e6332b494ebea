"""A small network through one variant, each kernel launched on its own or all as one: what a probe looks at."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.graph.ir import Graph
from clconv.planning.planner import Planner
from clconv.runtime.prepared import PreparedDevice


def outputs_of(
    graph: Graph,
    feeds: Mapping[str, np.ndarray],
    device: DeviceInfo,
    forced: Mapping[str, str],
    precision: str = "float32",
    joining: bool = False,
) -> dict[str, np.ndarray]:
    """The outputs by name. Raises what planning and the device's compiler raise."""
    options = PlanOptions(precision, forced, images_at_once=0, joining=joining)
    plan = Planner(device, options).plan(graph, {name: graph.specs[name] for name in feeds})
    return PreparedDevice(device).bind(plan).run(feeds)
