"""Correctness on a GPU, for benchmarks/gpu.py: cases through every variant, many processes at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.gpu_lanes import Bench, in_parallel, networks


def case_tasks(bench: Bench) -> tuple[list[tuple[Any, ...]], int]:
    """Variants on cases, a few for each variant in each precision first; how many these are."""
    from benchmarks.gpu_work import examined
    from clconv.device.options import PlanOptions
    from clconv.diagnosis.doctor import cheap_first, device_cases, in_precision
    from clconv.errors import ShapeError
    from clconv.lowering.choice.select import needs_instruction
    from clconv.lowering.lower import problem_of
    from clconv.lowering.variants import VARIANTS

    found: list[tuple[int, tuple[Any, ...]]] = []
    for op, cases in device_cases(bench.options.cases).items():
        for precision in ("float32", "tf32", "float16"):
            options = PlanOptions(precision)
            counts: dict[str, int] = {}
            for case in cheap_first(cases):
                try:
                    graph, _ = in_precision(case, precision).build()
                except ShapeError:
                    continue
                problem = problem_of(graph, graph.nodes[0], bench.device, options)
                for variant in VARIANTS.get(op, ()):
                    new = precision != "tf32" or needs_instruction(variant, problem)
                    if new and variant.obstacle(problem) is None:
                        turn = counts[variant.name] = counts.get(variant.name, 0) + 1
                        task = (examined, case, bench.device, variant.name, precision)
                        found.append((min(turn, 3), task))
    found.sort(key=lambda pair: pair[0])
    first = sum(turn < 3 for turn, _ in found)
    return [task for _, task in found], first


def run_cases(bench: Bench) -> None:
    """Correctness; in the same processes the networks' kernels are compiled, for the driver's cache to hold."""
    from benchmarks.gpu_work import LAYERS, compiled, compiled_layer, examined

    options = bench.options
    cases, first = case_tasks(bench)
    nets = [
        (compiled, name, size, batch, precision, bench.device)
        for precision in options.precisions
        for name, size in networks(options)
        for batch in options.batches
    ]
    layers = [
        (compiled_layer, name, batch, precision, bench.device)
        for precision in options.precisions
        for batch in options.batches
        for name in LAYERS
    ]
    nets = [*nets, *layers] if bench.device.kind == "gpu" and not options.small else []
    if options.small:
        cases = cases[:: max(1, len(cases) // 30)]
        first = len(cases)
    wide = len(networks(options)) * len(options.batches)  # networks in float32, which come next
    tasks = [*cases[:first], *nets[:wide], *cases[first:], *nets[wide:]]
    passed, ran, reasons = 0, 0, list[str]()
    by_variant: dict[tuple[str, str], list[bool]] = {}
    for number, result, reason in in_parallel(tasks, options.jobs, bench.part_end, 90.0):
        if tasks[number][0] is not examined:
            if reason:
                reasons.append(f"compiling {tasks[number][1:5]}: {reason}")
            continue
        _, case, _, variant, precision = tasks[number]
        ran += 1
        if result is None and not reason:  # casts around it, so that it does not apply
            continue
        good = result is not None and result.passed
        passed += good
        by_variant.setdefault((case.op, variant), []).append(good)
        if not good:
            why = reason or result.why
            reasons.append(f"{case.name} {variant} {precision}: {why}")
    hopeless = [name for name, found in by_variant.items() if not any(found)]
    if hopeless:
        quarantine(bench.device, hopeless)
    bench.record["cases"] = {
        "passed": passed, "failed": reasons, "left": len(cases) - ran,
        "quarantined": [f"{op}:{variant}" for op, variant in hopeless],
    }  # fmt: skip
    bench.save()
    for failure in reasons[:12]:
        print(f"FAILED {failure[:300]}", flush=True)


def quarantine(device: Any, names: Sequence[tuple[str, str]]) -> None:
    """Networks do without what no case came out right with, so that the rest is measured. In this run's own folder."""
    from clconv.runtime.quarantine import read_quarantine, write_quarantine

    known = read_quarantine(device)
    write_quarantine(device, {**known, **dict.fromkeys(names, "no case is right")})
