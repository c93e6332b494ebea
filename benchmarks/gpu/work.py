"""What benchmarks/gpu has processes of their own do: compile, check and time clconv's kernels.

Every function returns plain data. What a process keeps between calls, the last network and its sessions, it keeps here.
A process that dies, hangs or whose context is lost takes nothing else along.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.nets import OPEN
from clconv.cases.base import Case
from clconv.cases.conv.conv import conv
from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph, TensorSpec

Feeds = dict[str, np.ndarray]

_TIMED = 0.01  # seconds of a row of runs, at least, whose time is of interest
WARM = 5  # times what a row of runs takes at least: for so long it runs before it is timed

# channels, size, filters, window, stride, groups
LAYERS: dict[str, tuple[int, int, int, int, int, int]] = {
    "vgg 64 224": (64, 224, 64, 3, 1, 1), "vgg 256 56": (256, 56, 256, 3, 1, 1),
    "vgg 512 28": (512, 28, 512, 3, 1, 1), "resnet 64 56": (64, 56, 64, 3, 1, 1),
    "resnet 128 28": (128, 28, 128, 3, 1, 1), "resnet 256 14": (256, 14, 256, 3, 1, 1),
    "resnet 512 7": (512, 7, 512, 3, 1, 1), "stride 2 128 56": (128, 56, 128, 3, 2, 1),
    "stem 7x7": (3, 224, 64, 7, 2, 1), "1x1 64-256 56": (64, 56, 256, 1, 1, 1),
    "1x1 1024-256 14": (1024, 14, 256, 1, 1, 1), "1x1 2048-512 7": (2048, 7, 512, 1, 1, 1),
    "1x1 96-24 56": (96, 56, 24, 1, 1, 1), "depthwise 96 56": (96, 56, 96, 3, 1, 96),
}  # fmt: skip
RIVALS = {
    "float32": (
        "implicit_gemm",
        "winograd4_gpu",
        "winograd2_gpu",
        "winograd4_fused",
        "winograd2_fused",
        "depthwise_gpu",
        "stem",
    ),
    "tf32": ("matrix_gemm", "matrix_winograd2", "implicit_gemm", "winograd4_gpu"),
    "float16": (
        "matrix_gemm",
        "implicit_gemm",
        "winograd4_gpu",
        "winograd4_fused",
        "winograd2_fused",
        "stem",
    ),
}


@functools.lru_cache(maxsize=4)
def network_graph(name: str, size: int) -> Graph:
    """One of NETS with an open batch; the weights are made once."""
    return OPEN[name](size)


def closed(graph: Graph, batch: int) -> Graph:
    """The graph for a batch, with the same weights, as a file for this batch would be."""
    specs = {
        name: TensorSpec((batch, *graph.specs[name].shape[1:]), graph.specs[name].dtype)
        for name in graph.inputs
    }
    return graph.replace(specs=specs)


def feeds_of(graph: Graph) -> Feeds:
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(graph.specs[name].shape, np.float32) for name in graph.inputs}


def layer_case(name: str, batch: int, shrink: int = 1) -> Case:
    """shrink: divides the size of the images, for dry runs."""
    channels, size, filters, window, stride, groups = LAYERS[name]
    size = max(window, size // shrink)
    return conv(name, (batch, channels, size, size), (filters, channels // groups, window, window),
                strides=(stride,) * 2, pads=(window // 2,) * 4, group=groups)  # fmt: skip


def examined(case: Case, device: DeviceInfo, variant: str, precision: str) -> Any:
    from clconv.device.findings import NOTHING_FOUND
    from clconv.diagnosis.doctor import examine

    return examine(case, device, variant, NOTHING_FOUND, precision)


def compiled_layer(name: str, batch: int, precision: str, device: DeviceInfo) -> None:
    """Compiles what layer() runs."""
    layer(name, batch, precision, device, 0.0)


def compiled(name: str, size: int, batch: int, precision: str, device: DeviceInfo) -> int:
    """Compiles a network's kernels, so that the driver's cache has them: how many there are."""
    from clconv.device.options import PlanOptions
    from clconv.probes.probed import planner_for
    from clconv.runtime.opencl import open_device

    graph = closed(network_graph(name, size), batch)
    planner = planner_for(graph, device, PlanOptions(precision))
    specs = {n: graph.specs[n] for n in graph.inputs}
    kernels = list(dict.fromkeys(call.kernel for call in planner.plan(graph, specs).calls))
    open_device(planner.device).compiler.prepare(kernels)
    return len(kernels)


_sessions: dict[tuple[Any, ...], Any] = {}


def prepared(
    name: str, size: int, batch: int, precision: str, device: DeviceInfo
) -> dict[str, Any]:
    """Makes a session, the last one of this process, ready: what it takes."""
    import clconv

    key = (name, size, batch, precision)
    _sessions.clear()
    started = time.perf_counter()
    graph = closed(network_graph(name, size), batch)
    loaded = time.perf_counter()
    session = clconv.load(graph, device, precision=precision)
    bound = session.prepare({n: graph.specs[n].shape for n in graph.inputs})
    _sessions[key] = (session, bound, feeds_of(graph))
    return {
        "load_s": time.perf_counter() - loaded,
        "graph_s": loaded - started,
        "launches": len(bound.launches),
        "mbytes": bound.plan.memory.total / 1e6,
    }


def measured(
    name: str, size: int, batch: int, precision: str, least: float
) -> tuple[dict[str, Any], Feeds]:
    """Times of what prepared() made ready, in milliseconds, and its outputs.

    ms: a run by the host's clock, many in a row. kernels_ms: the launches' own times, by the device's clock.
    top: the launches that take most. programs: what the driver keeps of the kernels' programs.
    """
    from clconv.runtime.profile import launch_timings

    session, bound, feeds = _sessions[name, size, batch, precision]
    found = session.run(feeds)
    seconds = time_launches(bound, least)
    timings = launch_timings(bound, _repeats(least))
    by_time = sorted(timings, key=lambda timing: -timing.seconds)
    programs = dict.fromkeys(bound.programs.values())
    row = {
        "ms": seconds * 1e3,
        "programs": [program.binary() for program in programs],
        "kernels_ms": sum(timing.seconds for timing in timings) * 1e3,
        "variants": _variants(bound),
        "top": [
            {
                "node": timing.call.node,
                "kernel": timing.call.kernel.symbol,
                "variant": _variant(bound, timing.call),
                "ms": timing.seconds * 1e3,
                "tflops": timing.gflops / 1e3,
            }
            for timing in by_time[:12]
        ],
    }
    return row, found


def latency(name: str, size: int, batch: int, precision: str, runs: int) -> list[float]:
    """Seconds of each run of what prepared() made ready, from arrays to arrays."""
    session, _, feeds = _sessions[name, size, batch, precision]
    return latencies(lambda: session.run(feeds), runs)


def latencies(run: Callable[[], object], runs: int) -> list[float]:
    """Seconds of each run, five before them not counted."""
    times = []
    for _ in range(runs + 5):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return times[5:]


def layer(
    name: str, batch: int, precision: str, device: DeviceInfo, least: float, shrink: int = 1
) -> tuple[dict[str, Any], Feeds]:
    """Milliseconds of a layer through each alternative that applies, what is chosen, and its output."""
    from clconv.device.options import PlanOptions
    from clconv.errors import ClconvError
    from clconv.planning.planner import Planner
    from clconv.probes.probed import probed_for
    from clconv.runtime.bound import BoundPlan
    from clconv.runtime.prepared import PreparedDevice

    graph, feeds = layer_case(name, batch, shrink).build()
    able = probed_for(graph, device, precision)
    prepared = PreparedDevice(able)
    specs = {n: graph.specs[n] for n in graph.inputs}

    def bound_to(forced: dict[str, str]) -> BoundPlan:
        options = PlanOptions(precision, forced, images_at_once=0, joining=False)
        return prepared.bind(Planner(able, options).plan(graph, specs))

    chosen = bound_to({})
    (conv_name,) = (n.name for n in chosen.plan.graph.nodes if n.op == "Conv")
    choice = chosen.plan.lowered.choices[conv_name].name
    row: dict[str, Any] = {"choice": choice, "ms": time_launches(chosen, least) * 1e3, "by": {}}
    found = chosen.run(feeds)
    for variant in RIVALS[precision]:
        if variant != choice:
            try:
                row["by"][variant] = time_launches(bound_to({"conv": variant}), least) * 1e3
            except ClconvError as reason:
                if "cannot apply" not in str(reason):
                    row["by"][variant] = short(reason)
    flops = max(call.cost.flops for call in chosen.plan.calls)
    row["tflops"] = flops / row["ms"] / 1e9
    return row, found


def _variant(bound: Any, call: Any) -> str:
    """The name of a launch's variant."""
    choice = bound.plan.lowered.choices.get(call.node)
    return choice.name if choice else ""


def _variants(bound: Any) -> dict[str, int]:
    """How many nodes each variant serves, by operator and name."""
    found: dict[str, int] = {}
    for node in bound.plan.graph.nodes:
        label = f"{node.op}:{bound.plan.lowered.choices[node.name].variant.name}"
        found[label] = found.get(label, 0) + 1
    return found


def time_launches(bound: Any, least: float) -> float:
    """Median seconds of all launches of a plan over several rows of them, each at least so many seconds."""

    def row(count: int) -> float:
        return float(bound.queue.seconds(bound.launches, count)) / count

    begun = time.perf_counter()
    if least < _TIMED and (once := row(1)) >= least:  # a dry run
        return once
    once = row(2)
    while time.perf_counter() - begun < WARM * least:  # clocks rise
        once = row(2)
    count = max(1, min(200, math.ceil(least / max(once, 1e-6))))
    return statistics.median(row(count) for _ in range(_repeats(least)))


def _repeats(least: float) -> int:
    """Of what is timed. Where rows are that short it is a dry run, and instructions that are emulated take seconds."""
    return 5 if least >= _TIMED else 1


def short(reason: BaseException | str) -> str:
    """An error in a line or a few: what it begins with, and what a compiler calls an error. Sources are long."""
    lines = [line.strip() for line in str(reason).splitlines() if line.strip()] or ["no reason"]
    errors = [line for line in lines[1:] if "error" in line.lower()][:4]
    return " | ".join([lines[0][:300], *(line[:200] for line in errors)])


@dataclasses.dataclass(frozen=True)
class Setting:
    """One measurement: a network at a size and batch in a precision."""

    name: str
    size: int
    batch: int
    precision: str

    def __str__(self) -> str:
        return f"{self.name} x {self.batch} {self.precision}"

    @property
    def arguments(self) -> tuple[str, int, int, str]:
        return self.name, self.size, self.batch, self.precision
