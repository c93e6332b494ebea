"""Plans as simple as they come: all images at once, a launch for each kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from clconv.device.findings import NOTHING_FOUND, Findings
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.graph.ir import Graph, TensorSpec
from clconv.planning.plan import Plan
from clconv.planning.planner import Planner


def make_plan(
    graph: Graph,
    specs: Mapping[str, TensorSpec],
    device: DeviceInfo,
    *,
    values: Mapping[str, np.ndarray] | None = None,
    findings: Findings = NOTHING_FOUND,
    **options: Any,
) -> Plan:
    """options: of PlanOptions."""
    wanted = PlanOptions(**{"images_at_once": 0, "joining": False, **options})
    return Planner(device, wanted, findings).plan(graph, specs, values)
