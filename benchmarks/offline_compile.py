"""Compiles what GPUs would run for real networks, with the vendors' compilers and without the GPUs.

    python -m benchmarks.offline_compile [TARGET ...]

Every launch of ResNet-50, VGG-16, MobileNetV2 and U-Net, and every other variant that applies to their layers, in
each precision that the target has instructions for, and the cases of operators that these networks lack, are
lowered for a made-up device of each target, rendered and compiled. Registers, local memory,
spills and occupancy go into benchmarks/results/offline_compile.json, one row a kernel and target, and, by
kernel and tile, into offline_compile.md. Ends with an error if a kernel does not compile or spills.

AMD needs clang-19 and libclc, NVIDIA these and ptxas, Intel ocloc; what is missing is left out and said.
"""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.nets import NETS
from benchmarks.offline_targets import TARGETS, Target
from clconv.cases import CASES
from clconv.device.info import DeviceInfo, gpu_dot
from clconv.device.options import PlanOptions
from clconv.graph.evaluate import node_cost
from clconv.graph.ir import Graph
from clconv.graph.passes import run_passes
from clconv.graph.specialise.specialise import specialise
from clconv.lowering.choice.matrix import Matrix
from clconv.lowering.lower import problem_of
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.template import program_source
from clconv.lowering.shared.tiles import Tile
from clconv.lowering.variants import VARIANTS
from clconv.planning.planner import Planner
from clconv.probes.dot_probe import WEAKER

NETWORKS = ("resnet50", "vgg16", "mobilenetv2", "unet")
BATCHES = (1, 16)  # tiles grow with the work there is
CASES_OF_EACH = 5
# Whose kernels share lines or exchange axes in local memory.
BESIDES = (
    "Softmax", "LayerNormalization", "InstanceNormalization", "ReduceMean", "ReduceMax", "ReduceLogSumExp",
    "GlobalMaxPool", "Transpose", "Gemm", "MatMul", "ConvWeightGradient",
    "ByteConv", "ByteConvToFloat", "ByteMatMulToFloat",
)  # fmt: skip
SHUFFLES = {"NVIDIA": "nvidia", "Intel": "intel"}  # vendors' instructions: see kernels/group.mako
RESULTS = Path(__file__).resolve().parent / "results"
Rows = list[dict[str, object]]


def networks() -> Iterator[tuple[str, Graph]]:
    for name in NETWORKS:
        for batch in BATCHES:
            graph = NETS[name](batch)
            specs = {n: graph.specs[n] for n in graph.inputs}
            yield f"{name} x {batch}", run_passes(specialise(graph, specs).graph)


def besides() -> Iterator[tuple[str, Graph]]:
    """The costliest cases of each operator."""
    for op in BESIDES:
        graphs = [case.build()[0] for case in CASES if case.op == op]
        graphs.sort(key=lambda graph: -node_cost(graph.nodes[0], graph).flops)
        for graph in graphs[:CASES_OF_EACH]:
            yield graph.name, graph


def _dots(device: DeviceInfo) -> tuple[str, ...]:
    """The ways to multiply bytes that a target has: of four each, and of matrices."""
    if device.vendor == "NVIDIA":
        return "nvidia", "nvidia k32" if "tf32" in device.matrix else "nvidia k16"
    if device.vendor == "Intel":
        return "khr", *(m.replace("f16", "intel") for m in device.matrix)
    dot = gpu_dot(device.name, (0, 0), frozenset())
    return (WEAKER[dot][0], dot) if dot in WEAKER else (dot,)


def launches(graph: Graph, device: DeviceInfo) -> Iterator[KernelCall]:
    """Of every variant that applies to a node and is not meant for another kind of device."""
    plain = PlanOptions()
    first, *others = (
        dataclasses.replace(device, dot=dot, dot_verified=True) for dot in _dots(device)
    )
    ways, device = [(first, plain)], first
    if any(name in node.op for node in graph.nodes for name in ("ByteConv", "ByteMatMul")):
        ways += [(other, plain) for other in others]
    if device.matrix:
        ways.append((device, PlanOptions("tf32")))
    for vendor, shuffle in SHUFFLES.items():
        if device.vendor.startswith(vendor):
            ways.append(
                (dataclasses.replace(device, shuffle=shuffle, shuffle_verified=True), plain)
            )
    for node in graph.nodes:
        for able, options in ways:
            problem = problem_of(graph, node, able, options)
            for variant in VARIANTS.get(node.op, ()):
                if variant.obstacle(problem) is None and (
                    variant.estimate is None or math.isfinite(variant.estimate(problem))
                ):
                    yield from variant.lower(problem).calls


def launches_of_halves(graph: Graph, device: DeviceInfo) -> Iterator[KernelCall]:
    """Of the network as precision="float16" stores it, as it would run."""
    specs = {n: graph.specs[n] for n in graph.inputs}
    yield from Planner(device, PlanOptions("float16")).plan(graph, specs).calls


def measured(
    target: Target, graphs: Mapping[str, Graph], halved: Collection[str] = ()
) -> list[dict[str, object]]:
    """A row for each different kernel; halved: the graphs that are compiled with halves, too. RuntimeError if one does not compile."""
    return compiled(
        target,
        {
            name: (
                *launches(graph, target.device),
                *(launches_of_halves(graph, target.device) if name in halved else ()),
            )
            for name, graph in graphs.items()
        },
    )


def compiled(target: Target, wanted: Mapping[str, Iterable[KernelCall]]) -> list[dict[str, object]]:
    """A row for each different kernel of what is wanted, by what wants it. RuntimeError if one does not compile."""
    calls: dict[str, KernelCall] = {}
    where: dict[str, str] = {}
    for name, own in wanted.items():
        for call in own:
            calls.setdefault(call.kernel.symbol, call)
            where.setdefault(call.kernel.symbol, f"{name}: {call.node}")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernels.cl"
        source.write_text(program_source(tuple(call.kernel for call in calls.values())))
        usage = target.compile(target, source, calls)
    missing = sorted(set(calls) - set(usage))
    if missing:
        raise RuntimeError(f"{target.name}: the compiler says nothing about {missing}")
    return [
        {"target": target.name, "kernel": _label(call), "symbol": symbol, "first": where[symbol],
         "items": call.local_size and math.prod(call.local_size), **dataclasses.asdict(usage[symbol])}
        for symbol, call in calls.items()
    ]  # fmt: skip


def _label(call: KernelCall) -> str:
    """The kernel's name and what its resources depend on most."""
    parameters = dict(call.kernel.parameters)
    label = [call.kernel.entry]
    tile, matrix = parameters.get("tile"), parameters.get("kind")
    if isinstance(tile, Tile):
        label.append(f"{tile.m}x{tile.n}x{tile.k}, {tile.item_m}x{tile.item_n} an item")
    if isinstance(matrix, Matrix) and matrix.is_alone:
        label.append("pairs of f16" if matrix.pair == 2 else "sums of f16")
    elif isinstance(matrix, Matrix):
        label.append(f"{matrix.type} m{matrix.rows}n{matrix.columns}k{matrix.k}")
    label += [f"m={parameters['m']}"] if "m" in parameters else []
    label += ["of a part of the sum"] if parameters.get("partial") else []
    if parameters.get("halves"):
        label.append("halves")
    if "dot" in parameters:
        label.append(str(parameters["dot"]))
    return " ".join(label)


def summary(rows: Iterable[Mapping[str, object]]) -> str:
    """Markdown: for each target and kernel the worst of every column."""
    groups: dict[tuple[object, object], list[Mapping[str, object]]] = {}
    for row in rows:
        groups.setdefault((row["target"], row["kernel"]), []).append(row)
    lines = [
        "| target | kernel | how many | registers | local memory | spilled | occupancy |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]

    def worst(group: list[Mapping[str, object]], column: str, pick: Callable[..., object]) -> str:
        known = [row[column] for row in group if row[column] is not None]
        if not known:
            return ""
        value = pick(known)
        return f"{value:.0%}" if isinstance(value, float) else str(value)

    for (target, kernel), group in sorted(
        groups.items(), key=lambda item: tuple(map(str, item[0]))
    ):
        cells = [worst(group, c, max) for c in ("registers", "local_bytes", "spilled")]
        cells.append(worst(group, "occupancy", min))
        lines.append(f"| {target} | {kernel} | {len(group)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def record(rows: Sequence[Mapping[str, object]]) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "offline_compile.json").write_text(
        "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"
    )
    (RESULTS / "offline_compile.md").write_text(
        "# Kernels compiled for GPUs\n\n"
        "Made by `python -m benchmarks.offline_compile`: ResNet-50, VGG-16, MobileNetV2 and U-Net at batch 1 and\n"
        "16, every variant that applies, also on halves, and cases of other operators. Each row is the worst of so\n"
        "many kernels; registers are a work-item's (on Intel always 128), local memory is a work-group's in bytes,\n"
        "occupancy is the part of the device's threads that fit at once.\n\n" + summary(rows)
    )


def wanted_targets(names: Sequence[str]) -> list[Target]:
    """The targets of these names, all without any. Ends the program for a name that there is not."""
    unknown = set(names) - {t.name for t in TARGETS}
    if unknown:
        print(f"no targets {sorted(unknown)}; there are {[t.name for t in TARGETS]}")
        sys.exit(2)
    return [t for t in TARGETS if not names or t.name in names]


def compile_each(
    targets: Sequence[Target], compile_for: Callable[[Target], Rows], keep: Callable[[Rows], None]
) -> int:
    """Compiles for each target whose tools are installed, says what spills, and keeps the rows. How many failed or spill."""
    failed = 0
    for target in targets:
        missing = [tool for tool in target.tools if shutil.which(tool) is None]
        if missing:
            print(f"{target.name}: left out, not installed: {', '.join(missing)}")
            continue
        try:
            found = compile_for(target)
        except RuntimeError as reason:
            print(reason)
            failed += 1
            continue
        keep(found)
        spilling = [row for row in found if row["spilled"]]
        failed += len(spilling)
        print(f"{target.name}: {len(found)} kernels, {len(spilling)} spill", flush=True)
        for row in spilling:
            print(f"  {row['symbol']} ({row['kernel']}) spills {row['spilled']}, {row['first']}")
    return failed


def main() -> int:
    targets = wanted_targets(sys.argv[1:])
    names = [t.name for t in targets]
    kept = RESULTS / "offline_compile.json"
    rows = (
        [r for r in json.loads(kept.read_text()) if r["target"] not in names]
        if kept.exists()
        else []
    )
    whole = dict(networks())
    halved = [name for name in whole if name.endswith(f"x {BATCHES[-1]}")]
    graphs = {**whole, **dict(besides())}

    def keep(found: Rows) -> None:
        rows.extend(found)
        record(rows)

    failed = compile_each(targets, lambda target: measured(target, graphs, halved), keep)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
