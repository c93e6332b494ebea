"""Made-up devices, and a graph lowered for one of them: nothing here needs an OpenCL device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.graph.ir import Graph
from clconv.graph.passes import run_passes
from clconv.graph.specialise.specialise import specialise
from clconv.lowering.lower import LoweredGraph, lower_graph


def made_up(name: str, **more: Any) -> DeviceInfo:
    known = {"vendor": name, "platform": name, "platform_version": "OpenCL 3.0", "driver": "1",
             "kind": "gpu"}  # fmt: skip
    return DeviceInfo(name, **{**known, **more})


_DOUBLE = frozenset({"cl_khr_fp64"})
AMD = made_up("gfx1030", compute_units=36, largest_work_group=1024, local_memory=64 << 10)
INTEL = made_up("Intel Arc", compute_units=512, vector_width=1, local_memory=64 << 10)
NVIDIA = made_up("NVIDIA H200", compute_units=132, vector_width=1, local_memory=48 << 10,
                 extensions=_DOUBLE)  # fmt: skip
AVX2 = made_up("AVX2", kind="cpu", compute_units=2, vector_width=8, extensions=_DOUBLE)
AVX512 = made_up("AVX-512", kind="cpu", compute_units=64, vector_width=16, extensions=_DOUBLE)
SSE = made_up("SSE", kind="cpu", compute_units=1, vector_width=4)
NEON = made_up("NEON", kind="cpu", compute_units=8, vector_width=4)
GPUS = (AMD, INTEL, NVIDIA)
CPUS = (AVX2, AVX512, SSE, NEON)
DEVICES = (*GPUS, *CPUS)


def optimised(graph: Graph) -> Graph:
    """As Planner does it: shapes known, passes run."""
    return run_passes(specialise(graph, {n: graph.specs[n] for n in graph.inputs}).graph)


def lower(
    graph: Graph, device: DeviceInfo, forced: Mapping[str, str] | None = None
) -> tuple[Graph, LoweredGraph]:
    after = optimised(graph)
    return after, lower_graph(after, device, PlanOptions(forced=forced or {}))


def reorders(lowered: LoweredGraph) -> list[str]:
    """Names of the conversions between layouts, in order."""
    return [call.node for call in lowered.calls if call.kernel.entry == "reorder"]
