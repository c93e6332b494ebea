"""How much of the way forward is computed anew on the way back, so that a step fits into a budget of memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import DeviceMemoryError
from clconv.graph.ir import Graph, TensorSpec
from clconv.planning.plan import Plan
from clconv.planning.planner import Planner

SEGMENTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


def specs_of_batch(graph: Graph, size: int) -> dict[str, TensorSpec]:
    """What a step is fed for a batch of that size."""
    return {
        n: TensorSpec((size, *s.shape[1:]), s.dtype)
        if s.rank and not isinstance(s.shape[0], int)
        else s
        for n, s in graph.input_specs().items()
    }


def planned(graph: Graph, specs: Mapping[str, TensorSpec], device: DeviceInfo) -> Plan:
    """A step's plan. Its memory is of what lies between the nodes; parameters and moments are not among them."""
    return Planner(device, PlanOptions.from_config(None)).plan(graph, specs)


def choose_segments(
    step: Callable[[int], Graph], specs: Mapping[str, TensorSpec], device: DeviceInfo, budget: int
) -> int:
    """The least number of segments whose step takes at most `budget` bytes. step: makes the graph for a number.

    Raises DeviceMemoryError that says what would fit.
    """
    found: dict[int, int] = {}
    for count in SEGMENTS:
        found[count] = planned(step(count), specs, device).memory.total
        if found[count] <= budget:
            return count
    least = min(found.values())
    raise DeviceMemoryError(
        f"recompute={budget:,}: a step takes {found[1]:,} bytes, {least:,} with all that can be computed anew; take a "
        "smaller batch, or accumulate= parts of it"
    )
