"""Every operator by itself: time, GFLOP/s, GB/s, and how near that is to what the device can do.

    python -m benchmarks.bench_ops --json benchmarks/results/FILE.json

Two tables. Cases: the rows of clconv.cases.CASES that are large enough to time, each as a graph of one node.
Layers: the nodes of the networks in benchmarks.nets as they run inside them, equal ones together. Both by the
device's own clock, the median of several runs. A kernel whose tensors stay in the processor's caches can move
more bytes a second than memory does; operations are those of the operator, so that Winograd, which needs fewer,
can pass 100 % of the peak.

    python -m benchmarks.bench_ops --against onnxruntime --json FILE.jsonl

Instead: each case as a model of one node against onnxruntime in the same process, see benchmarks/operators/against.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.bench_models import machine
from benchmarks.nets import NETS
from clconv.cases import CASES, Case
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.diagnosis.peak import Peak, measure_peak
from clconv.errors import VariantError
from clconv.graph.evaluate import node_cost
from clconv.graph.ir import Graph, Node
from clconv.graph.ops import OPS
from clconv.graph.ops.base import Cost
from clconv.lowering.variants import VARIANTS
from clconv.planning.plan import Plan
from clconv.planning.planner import Planner
from clconv.probes.wide_probe import verified_wide
from clconv.runtime.device import choose_device
from clconv.runtime.profile import profile

# Work below which starting the launch is most of the time.
LEAST_FLOPS, LEAST_BYTES = 200_000, 50_000


@dataclasses.dataclass(frozen=True)
class MeasuredOperator:
    """One operator measured: its work in one run, the seconds of one run, how often it stands there."""

    where: str
    op: str
    label: str
    variant: str
    launches: int
    cost: Cost
    seconds: float
    count: int = 1

    def record(self, peak: Peak) -> dict[str, Any]:
        flops, bytes_ = self.cost.flops / self.seconds, self.cost.bytes / self.seconds
        return {
            "where": self.where,
            "op": self.op,
            "label": self.label,
            "variant": self.variant,
            "count": self.count,
            "launches": self.launches,
            "us": self.seconds * 1e6,
            "gflops": flops / 1e9,
            "gbytes": bytes_ / 1e9,
            "percent_of_flops": 100 * flops / peak.flops,
            "percent_of_bytes": 100 * bytes_ / peak.bytes,
            # The nearer of the two ceilings is the one that holds it back.
            "percent_of_peak": 100 * peak.least_seconds(self.cost) / self.seconds,
        }


def plan_of(graph: Graph, device: DeviceInfo, forced: dict[str, str] | None = None) -> Plan:
    options = PlanOptions(forced=forced or {}, images_at_once=0, joining=False)
    return Planner(device, options).plan(graph, {n: graph.specs[n] for n in graph.inputs})


def is_large(case: Case) -> bool:
    graph, _ = case.build()
    cost = node_cost(graph.nodes[0], graph)
    return cost.flops >= LEAST_FLOPS or cost.bytes >= LEAST_BYTES


def large_cases(words: list[str]) -> list[Case]:
    """Cases that run on devices, are worth timing, and have one of the words in their name, if any."""
    return [
        case
        for case in CASES
        if not OPS[case.op].host_only
        and (not words or any(w.lower() in case.name.lower() for w in words))
        and is_large(case)
    ]


def bench_case(
    case: Case, device: DeviceInfo, repeats: int, every_variant: bool = False
) -> Iterator[MeasuredOperator]:
    """The case with the variant that is chosen, or with each that applies."""
    graph, feeds = case.build()
    node = graph.nodes[0]
    forced: list[dict[str, str]] = [{}]
    if every_variant:
        forced = [{case.op.lower(): variant.name} for variant in VARIANTS[case.op]]
    for choice in forced:
        try:
            plan = plan_of(graph, device, choice)
        except VariantError:  # it does not apply to this case
            continue
        if not plan.calls or node.name not in plan.lowered.choices:
            continue  # a view, a part, or replaced by the passes
        yield MeasuredOperator(
            "case",
            case.op,
            case.label,
            plan.lowered.choices[node.name].variant.name,
            len(plan.calls),
            node_cost(node, graph),
            sum(timing.seconds for timing in profile(plan, feeds, repeats)),
        )


def bench_network(
    name: str, device: DeviceInfo, batch: int, repeats: int
) -> list[MeasuredOperator]:
    """The nodes of a network in the order of their first appearance, equal ones as one row."""
    graph = NETS[name](batch)
    plan = plan_of(graph, device)
    rng = np.random.default_rng(0)
    feeds = {
        n: rng.standard_normal(graph.specs[n].shape).astype(np.float32) for n in plan.graph.inputs
    }
    seconds: dict[str, list[float]] = {}
    for timing in profile(plan, feeds, repeats):
        seconds.setdefault(timing.call.node, []).append(timing.seconds)
    rows: dict[tuple[str, ...], MeasuredOperator] = {}
    for node in plan.graph.nodes:
        if node.name not in seconds:
            continue  # nothing to launch
        times = seconds.pop(node.name)
        variant = plan.lowered.choices[node.name].variant.name
        row = MeasuredOperator(
            name, node.op, describe(node, plan.graph), variant, len(times),
            node_cost(node, plan.graph), sum(times),
        )  # fmt: skip
        merge(rows, row)
    for times in seconds.values():  # conversions between layouts have names of their own
        merge(
            rows, MeasuredOperator(name, "-", "layout", "reorder", len(times), Cost(), sum(times))
        )
    return list(rows.values())


def merge(rows: dict[tuple[str, ...], MeasuredOperator], row: MeasuredOperator) -> None:
    """Adds a row to the one of an equal layer: mean seconds, one more of them."""
    key = (row.op, row.label, row.variant)
    known = rows.get(key)
    if known is not None:
        total = known.seconds * known.count + row.seconds
        row = dataclasses.replace(known, seconds=total / (known.count + 1), count=known.count + 1)
    rows[key] = row


def describe(node: Node, graph: Graph) -> str:
    """What tells layers apart: input shape, window, stride, groups, what is fused behind."""
    x, y = graph.spec(node.inputs[0]).shape, graph.specs[node.outputs[0]].shape
    text = ["x".join(map(str, x[1:])), "->", "x".join(map(str, y[1:]))]
    attrs = dict(node.attrs)
    window = attrs.get("kernel_shape")
    if node.op in ("Conv", "ConvTranspose"):
        window = graph.spec(node.inputs[1]).shape[2:]
    if window:
        text.append("window " + "x".join(map(str, window)))
    if any(s != 1 for s in attrs.get("strides") or ()):
        text.append("stride " + "x".join(map(str, attrs["strides"])))
    if attrs.get("group", 1) != 1:
        text.append(f"groups {attrs['group']}")
    return " ".join([*text, *(f"+{step.op}" for step in node.epilogue)])


def table(title: str, records: Iterable[dict[str, Any]]) -> Table:
    """Time, rates, and per cent of the two ceilings; for networks the share of the whole as well."""
    rows = list(records)
    shown = Table(title=title)
    for column in ("operator", "label", "variant"):
        shown.add_column(column, overflow="fold")
    for column in ("n", "us", "GFLOP/s", "%", "GB/s", "%", "time"):
        shown.add_column(column, justify="right")
    whole = sum(r["us"] * r["count"] for r in rows)
    for r in rows:
        shown.add_row(
            r["op"],
            r["label"],
            r["variant"],
            str(r["count"]),
            f"{r['us']:.1f}",
            f"{r['gflops']:.1f}",
            f"{r['percent_of_flops']:.0f}",
            f"{r['gbytes']:.1f}",
            f"{r['percent_of_bytes']:.0f}",
            f"{100 * r['us'] * r['count'] / whole:.1f} %",
        )
    return shown


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", help="as for CLCONV_DEVICE")
    parser.add_argument("--only", nargs="*", default=[], help="cases with one of these in the name")
    parser.add_argument(
        "--every-variant", action="store_true", help="of the cases, not the fastest alone"
    )
    parser.add_argument("--nets", nargs="*", default=list(NETS), choices=list(NETS))
    parser.add_argument("--skip", nargs="*", default=[], choices=["cases", "layers"])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", type=Path, help="where to record the results")
    parser.add_argument(
        "--against", choices=["onnxruntime"], help="compare the cases with it instead"
    )
    parser.add_argument("--seconds", type=float, default=0.3, help="of each comparison")
    parser.add_argument(
        "--sized", action="store_true", help="compare only cases as large as in networks"
    )
    parser.add_argument(
        "--processor-time", action="store_true", help="compare both on one thread, by its time"
    )
    return parser.parse_args(words)


def best(*peaks: Peak) -> Peak:
    """The ceiling is the best ever seen: the machine may have been busy at another time."""
    return Peak(max(p.flops for p in peaks), max(p.bytes for p in peaks))


def main(words: list[str]) -> None:
    options = parse(words)
    if options.against:
        from benchmarks.operators.against import Choice, compare_all

        compare_all(
            Choice(
                options.device, options.only, options.seconds, options.sized,
                options.processor_time, options.json,
            )
        )  # fmt: skip
        return
    console, progress = Console(), Console(stderr=True)
    device = verified_wide(choose_device(options.device))
    peak = measure_peak(device)
    measured: dict[str, list[MeasuredOperator]] = {}
    if "cases" not in options.skip:
        measured["cases"] = [
            row
            for case in track(large_cases(options.only), "cases", console=progress)
            for row in bench_case(case, device, options.repeats, options.every_variant)
        ]
        peak = best(peak, measure_peak(device))
    if "layers" not in options.skip:
        for name in track(options.nets, "networks", console=progress):
            measured[name] = bench_network(name, device, options.batch, options.repeats)
            peak = best(peak, measure_peak(device))
    console.print(f"{device}: {peak} at most")
    records = {title: [row.record(peak) for row in rows] for title, rows in measured.items()}
    for title, found in records.items():
        total = sum(r["us"] * r["count"] for r in found) / 1e3
        console.print(table(f"{title}, {total:.2f} ms in kernels", found))
    if options.json:
        record = {
            "command": " ".join(["python -m benchmarks.bench_ops", *words]),
            "machine": machine(),
            "device": str(device),
            "peak": {"gflops": peak.flops / 1e9, "gbytes": peak.bytes / 1e9},
            "batch": options.batch,
            "rows": [r for found in records.values() for r in found],
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
