"""Correctness on a GPU, for benchmarks/gpu: cases through every variant, many processes at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.gpu.evidence import keep_evidence
from benchmarks.gpu.lanes import Bench, in_parallel, networks

# What networks take most of their time for comes first, then what quantised ones are made of, then all the rest.
NETWORKS = (
    "Conv", "Gemm", "MatMul", "MaxPool", "ConvTranspose", "GlobalAveragePool", "ReduceMean", "Add", "Relu", "Clip",
    "Concat", "AveragePool", "Softmax", "Transpose", "InstanceNormalization", "LayerNormalization",
)  # fmt: skip
BYTES = (
    "ByteConv", "ByteConvToFloat", "ByteMatMulToFloat", "ByteAveragePool", "ByteTable", "ByteAdd", "ByteMul",
    "ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul", "QuantizeLinear", "DequantizeLinear",
    "DynamicQuantizeLinear",
)  # fmt: skip
# What steps of training have besides; any other operator named ...Gradient is of these, too.
TRAINING = (
    "ConvWeightGradient", "TurnedFilters", "BatchNormalization", "BatchNormalizationGradient", "MaxPoolWithTaps",
    "MaxPoolGradient", "AveragePoolGradient", "ReduceSum", "Pointwise", "Dropout", "LogSoftmax",
)  # fmt: skip
_LIMIT = 150.0  # seconds of a task
_FEW = 30  # cases of a part in a dry run


def known_operators() -> list[str]:
    """All that devices run."""
    from clconv.diagnosis.doctor import device_cases

    return list(device_cases())


def operators_of(part: str, wanted: Sequence[str] = ()) -> list[str]:
    """The operators of a part, "cases" or "training", the most wanted first; wanted: only these."""
    every = known_operators()
    trained = [*TRAINING, *(op for op in every if op.endswith("Gradient") and op not in TRAINING)]
    if part == "training":
        found = trained
    else:
        first = (*NETWORKS, *BYTES)
        found = [*first, *(op for op in every if op not in first and op not in trained)]
    return [op for op in found if not wanted or op in wanted]


def case_tasks(bench: Bench, operators: Iterable[str]) -> tuple[list[tuple[Any, ...]], int]:
    """Variants on cases, a few for each variant in each precision first; how many these are."""
    from benchmarks.gpu.work import examined
    from clconv.device.options import PlanOptions
    from clconv.diagnosis.doctor import cheap_first, device_cases, in_precision
    from clconv.errors import ShapeError
    from clconv.lowering.choice.select import needs_instruction
    from clconv.lowering.lower import problem_of
    from clconv.lowering.variants import VARIANTS

    by_operator = device_cases()
    found: list[tuple[int, tuple[Any, ...]]] = []
    for op in operators:
        for precision in bench.options.precisions:
            options = PlanOptions(precision)
            counts: dict[str, int] = {}
            for case in cheap_first(by_operator[op]):
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


def compile_tasks(bench: Bench) -> tuple[list[tuple[Any, ...]], int]:
    """The networks' kernels and the layers', for the driver's cache to hold; how many are of networks, which are measured
    first."""
    from benchmarks.gpu.work import LAYERS, compiled, compiled_layer

    options = bench.options
    if bench.device.kind != "gpu" or options.small:
        return [], 0
    nets = [
        (compiled, name, size, batch, precision, bench.device)
        for precision in options.precisions
        for name, size in networks(options)
        for batch in options.batches
        if bench.wants(f"networks {precision}")
    ]
    layers = [
        (compiled_layer, name, batch, precision, bench.device)
        for precision in options.precisions
        for batch in options.batches
        for name in LAYERS
        if bench.wants(f"layers {precision}")
    ]
    return [*nets, *layers], len(nets)


def run_cases(bench: Bench, part: str = "cases", compiling: Sequence[tuple[Any, ...]] = ()) -> None:
    """Correctness of the operators of a part, into the record under its name; in the same processes the networks' kernels
    are compiled. compiling: such tasks that come first."""
    options = bench.options
    cases, first = case_tasks(bench, operators_of(part, options.cases))
    nets, soon = compile_tasks(bench) if part == "cases" else ([], 0)
    if options.small:
        cases = cases[:: max(1, len(cases) // _FEW)]
        first = len(cases)
    tasks = [*compiling, *cases[:first], *nets[:soon], *cases[first:], *nets[soon:]]
    found = _Found(bench.device)
    for number, result, reason in in_parallel(tasks, options.jobs, bench.part_end, _LIMIT):
        found.take(tasks[number], result, reason)
    hopeless = found.hopeless
    if hopeless:
        quarantine(bench.device, hopeless)
    bench.record[part] = {
        **bench.record.get(part, {}), "passed": found.passed, "failed": found.reasons,
        "left": len(cases) - found.ran, "quarantined": [f"{op}:{name}" for op, name in hopeless],
        "variants": len(found.by_variant),
    }  # fmt: skip
    bench.save()
    for failure in found.reasons[:12]:
        print(f"FAILED {failure[:300]}", flush=True)
    keep_evidence(bench, found.failed)


class _Found:
    """What tasks came to. failed: those of cases that were wrong."""

    def __init__(self, device: Any) -> None:
        self.device = device
        self.passed, self.ran, self.reasons = 0, 0, list[str]()
        self.failed: list[tuple[Any, ...]] = []
        self.by_variant: dict[tuple[str, str], list[bool]] = {}

    def take(self, task: tuple[Any, ...], result: Any, reason: str) -> None:
        from benchmarks.gpu.work import examined

        if task[0] is not examined:
            if reason:
                what = [str(part) for part in task[1:] if part is not self.device]
                self.reasons.append(f"{task[0].__name__} {' '.join(what)}: {reason}")
            return
        _, case, _, variant, precision = task
        self.ran += 1
        if result is None and not reason:  # casts around it, so that it does not apply
            return
        good = result is not None and result.passed
        self.passed += good
        self.by_variant.setdefault((case.op, variant), []).append(good)
        if not good:
            self.reasons.append(f"{case.name} {variant} {precision}: {reason or result.why}")
            self.failed.append(task)

    @property
    def hopeless(self) -> list[tuple[str, str]]:
        """Variants that no case came out right with."""
        return [name for name, found in self.by_variant.items() if not any(found)]


def quarantine(device: Any, names: Sequence[tuple[str, str]]) -> None:
    """Networks do without what no case came out right with, so that the rest is measured. In this run's own folder."""
    from clconv.runtime.quarantine import read_quarantine, write_quarantine

    known = read_quarantine(device)
    write_quarantine(device, {**known, **dict.fromkeys(names, "no case is right")})
