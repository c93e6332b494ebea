"""clconv on a GPU against PyTorch and cuDNN on the same card, in the same precision.

    python -m benchmarks.gpu --json benchmarks/results/FILE.json

Finds NVIDIA's OpenCL library where no .icd names it, checks correctness first, then times single layers and
whole networks by device time over many launches, medians. Without an NVIDIA card, `--device cpu --small` runs
the same script whole on any OpenCL device, so that minutes on a card are spent measuring.
"""

from __future__ import annotations

import argparse
import ctypes.util
import glob
import json
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def register_nvidia() -> None:
    """Points the ICD loader at NVIDIA's library if no .icd does. Before pyopencl is imported."""
    if "OCL_ICD_VENDORS" in os.environ or glob.glob("/etc/OpenCL/vendors/nvidia*.icd"):
        return
    folders = [*os.environ.get("LD_LIBRARY_PATH", "").split(":"), "/usr/lib/x86_64-linux-gnu",
               "/usr/lib64", "/usr/local/nvidia/lib64", "/usr/local/nvidia/lib"]  # fmt: skip
    for folder in filter(None, folders):
        found = sorted(glob.glob(f"{folder}/libnvidia-opencl.so*"))
        if found:
            os.environ["OCL_ICD_VENDORS"] = found[0]
            return
    named = ctypes.util.find_library("nvidia-opencl")
    if named:
        os.environ["OCL_ICD_VENDORS"] = named


register_nvidia()

import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from benchmarks.nets import NETS  # noqa: E402
from clconv.cases import CASES, Case  # noqa: E402
from clconv.cases.conv import conv  # noqa: E402
from clconv.errors import ClconvError  # noqa: E402
from clconv.graph.ir import Graph  # noqa: E402
from clconv.graph.reference import run_reference  # noqa: E402
from clconv.lowering.device import DeviceInfo  # noqa: E402
from clconv.lowering.variants import VARIANTS  # noqa: E402
from clconv.runtime.bound import BoundPlan  # noqa: E402
from clconv.runtime.check import relative_error  # noqa: E402
from clconv.runtime.constants import DeviceConstants  # noqa: E402
from clconv.runtime.device import choose_device, devices  # noqa: E402
from clconv.runtime.opencl import open_device  # noqa: E402
from clconv.runtime.plan import make_plan  # noqa: E402

console = Console(width=150)


def bind(graph: Graph, device: DeviceInfo, forced: dict[str, str]) -> BoundPlan:
    opened = open_device(device)
    queue = opened.queue()
    plan = make_plan(graph, {n: graph.specs[n] for n in graph.inputs}, device, forced=forced)
    return BoundPlan(plan, opened, queue, DeviceConstants(opened, queue))


def median_time(launch: Callable[[], None], finish: Callable[[], None], least: float) -> float:
    """Median seconds of one launch over several batches of launches, each about `least` seconds."""
    launch()
    finish()
    start = time.perf_counter()
    launch()
    finish()
    count = max(1, min(200, math.ceil(least / max(time.perf_counter() - start, 1e-6))))
    times = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(count):
            launch()
        finish()
        times.append((time.perf_counter() - start) / count)
    return statistics.median(times)


def time_bound(bound: BoundPlan, least: float) -> float:
    def launch() -> None:
        for call in bound.launches:
            bound.queue.launch(*call)

    return median_time(launch, bound.queue.finish, least)


def check_cases(device: DeviceInfo, prefix: tuple[str, ...], deadline: float) -> dict[str, Any]:
    """Every variant of the operators that begin with a prefix, against the reference."""
    passed, failed = 0, []
    for case in CASES:
        if not case.op.startswith(prefix) or case.op not in VARIANTS:
            continue
        if time.monotonic() > deadline:
            break
        graph, feeds = case.build()
        expected = run_reference(graph, feeds)
        for variant in VARIANTS[case.op]:
            forced = {case.op.lower(): variant.name}
            try:
                found = bind(graph, device, forced).run(feeds)
            except ClconvError as reason:
                if "cannot apply" not in str(reason):
                    failed.append(f"{case.name} {variant.name}: {str(reason)[:3000]}")
                continue
            error = max(relative_error(found[n], e) for n, e in expected.items())
            if error <= case.tolerance:
                passed += 1
            else:
                failed.append(f"{case.name} {variant.name}: error {error:.3g}")
    return {"passed": passed, "failed": failed}


LAYERS = {
    "vgg 64 224": (64, 224, 64, 3, 1), "vgg 256 56": (256, 56, 256, 3, 1),
    "vgg 512 28": (512, 28, 512, 3, 1), "resnet 64 56": (64, 56, 64, 3, 1),
    "resnet 128 28": (128, 28, 128, 3, 1), "resnet 256 14": (256, 14, 256, 3, 1),
    "resnet 512 7": (512, 7, 512, 3, 1), "stride 2 128 56": (128, 56, 128, 3, 2),
    "stem 7x7": (3, 224, 64, 7, 2), "1x1 64-256 56": (64, 56, 256, 1, 1),
    "1x1 1024-256 14": (1024, 14, 256, 1, 1), "1x1 2048-512 7": (2048, 7, 512, 1, 1),
    "1x1 96-24 56": (96, 56, 24, 1, 1),
}  # fmt: skip


def layer_case(name: str, batch: int) -> Case:
    channels, size, filters, window, stride = LAYERS[name]
    return conv(name, (batch, channels, size, size), (filters, channels, window, window),
                strides=(stride,) * 2, pads=(window // 2,) * 4)  # fmt: skip


def bench_layers(
    device: DeviceInfo, batches: list[int], peer: Any, least: float, deadline: float
) -> Iterator[dict[str, Any]]:
    for batch in batches:
        for name in LAYERS:
            if time.monotonic() > deadline:
                return
            graph, feeds = layer_case(name, batch).build()
            flops = 0
            row: dict[str, Any] = {"layer": name, "batch": batch, "ms": {}}
            for variant in ("implicit_gemm", "winograd4_gpu", "winograd2_gpu", None):
                try:
                    bound = bind(graph, device, {"conv": variant} if variant else {})
                except ClconvError:
                    continue
                flops = max(flops, max(c.cost.flops for c in bound.plan.calls))
                row["ms"][variant or "chosen"] = time_bound(bound, least) * 1e3
                if not variant:
                    choice = bound.plan.lowered.choices[graph.nodes[0].name]
                    row["choice"] = choice.variant.name
            if peer:
                row["ms"]["peer"] = peer.time(graph, feeds, least) * 1e3
                row["ratio"] = row["ms"]["peer"] / row["ms"]["chosen"]
            row["tflops"] = flops / row["ms"]["chosen"] / 1e9
            yield row


def bench_nets(
    device: DeviceInfo,
    names: list[str],
    batches: list[int],
    peer: Any,
    least: float,
    deadline: float,
) -> Iterator[dict[str, Any]]:
    for name in names:
        for batch in batches:
            if time.monotonic() > deadline:
                return
            graph = NETS[name](batch)
            spec = graph.specs[graph.inputs[0]]
            feeds = {
                graph.inputs[0]: np.random.default_rng(0).standard_normal(spec.shape).astype("f")
            }
            bound = bind(graph, device, {})
            found = bound.run(feeds)
            ours = time_bound(bound, least)
            row: dict[str, Any] = {"network": name, "batch": batch, "ms": ours * 1e3}
            if peer:
                expected = peer.outputs(graph, feeds)
                row["error"] = max(relative_error(found[n], e) for n, e in expected.items())
                row["peer_ms"] = peer.time(graph, feeds, least) * 1e3
                row["ratio"] = row["peer_ms"] / row["ms"]
            yield row


def show(title: str, rows: list[dict[str, Any]]) -> None:
    shown = Table(title=title)
    columns = list(dict.fromkeys(k for r in rows for k in r))
    for column in columns:
        shown.add_column(column)
    for row in rows:
        cells = [row.get(c, "") for c in columns]
        shown.add_row(*(_text(c) for c in cells))
    console.print(shown)
    ratios = [r["ratio"] for r in rows if "ratio" in r]
    if ratios:
        mean = math.exp(statistics.fmean(math.log(r) for r in ratios))
        console.print(f"speed against the peer, geometric mean: {mean:.3f}")


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{k}={v:.3f}" for k, v in value.items())
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="gpu")
    parser.add_argument("--small", action="store_true", help="few sizes, for a dry run on a CPU")
    parser.add_argument("--seconds", type=float, default=420, help="the whole must take no longer")
    parser.add_argument("--skip", nargs="*", default=[], choices=["cases", "layers", "nets"])
    parser.add_argument("--cases", nargs="*", default=["Conv", "Gemm", "MatMul", "MaxPool"])
    parser.add_argument("--batches", nargs="*", type=int, default=[1, 16, 64])
    parser.add_argument("--nets", nargs="*", default=["resnet50", "vgg16", "mobilenetv2", "unet"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    for found in devices():
        console.print(
            f"{found.index}: {found} {found.kind} {found.driver} {found.compute_units} units"
        )
    device = choose_device(options.device)
    try:
        from benchmarks.torch_peer import TorchPeer

        peer = TorchPeer() if device.kind == "gpu" else None
    except ImportError:
        peer = None
    batches = [1] if options.small else options.batches
    nets = ["mobilenetv2"] if options.small else options.nets
    least = 0.001 if options.small else 0.02
    record: dict[str, Any] = {"device": str(device), "driver": device.driver}
    if "cases" not in options.skip:
        record["cases"] = check_cases(
            device, tuple(options.cases), time.monotonic() + options.seconds / 3
        )
        console.print(f"cases: {record['cases']['passed']} passed")
        for failure in record["cases"]["failed"]:
            console.print(f"FAILED {failure}", markup=False)
    if "layers" not in options.skip:
        layer_end = end if "nets" in options.skip else time.monotonic() + options.seconds / 3
        record["layers"] = list(bench_layers(device, batches, peer, least, layer_end))
        show("layers", record["layers"])
    if "nets" not in options.skip:
        record["networks"] = list(bench_nets(device, nets, batches, peer, least, end))
        show("networks", record["networks"])
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
