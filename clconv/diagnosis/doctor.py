"""Holds every variant on a device against the reference, case by case: what `clconv doctor` and tests run."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

from clconv.cases import CASES, Case
from clconv.device.findings import NOTHING_FOUND, Findings
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import KernelBuildError, UnsupportedError, VariantError
from clconv.graph.evaluate import node_cost
from clconv.graph.ops import OPS
from clconv.graph.reference import run_reference
from clconv.lowering.lower import problem_of
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Problem
from clconv.lowering.variants import VARIANTS
from clconv.planning.plan import Plan
from clconv.planning.planner import Planner
from clconv.runtime.check import relative_error
from clconv.runtime.opencl import Program, open_device
from clconv.runtime.prepared import PreparedDevice
from clconv.runtime.quarantine import Name
from clconv.runtime.worker import Failed, Worker, WorkerError

GUARD = 256  # bytes of canary around every value
ROUNDED = 2**-10  # of the largest value: what results may err by in other precisions than float32
_SHORT_SUMS = 2**-9  # the same where sixteen products are added in half
_QUICK_CASES, _QUICK_COST = 2, 2e6  # cases a variant; operations or bytes of one
_COMPILE_SECONDS, _CASE_SECONDS = 900.0, 120.0


@dataclasses.dataclass(frozen=True)
class Result:
    """One case through one variant. error: relative_error; inf with `failure` if there is no result. precision: what
    the case was run in."""

    op: str
    variant: str
    case: str
    error: float
    tolerance: float
    failure: str = ""
    precision: str = "float32"

    @property
    def passed(self) -> bool:
        return not self.failure and self.error <= self.tolerance

    @property
    def why(self) -> str:
        """What is wrong with it, on one line."""
        where = self.case if self.precision == "float32" else f"{self.case} in {self.precision}"
        return f"{where}: {self.failure or f'error {self.error:.3g}'}"


def device_cases(
    operators: Sequence[str] = (),
    quick_for: DeviceInfo | None = None,
    always: Sequence[str] = (),
) -> dict[str, list[Case]]:
    """The cases that run on devices, by operator.

    operators: only these. quick_for: a few cheap cases for each variant that applies on this device. always: operators
    of which none is left out even so.
    """
    by_operator: dict[str, list[Case]] = {}
    for case in CASES:
        if not OPS[case.op].host_only and (not operators or case.op in operators):
            by_operator.setdefault(case.op, []).append(case)
    if quick_for is None:
        return by_operator
    return {
        op: cases if op in always else _cheap_cases(cases, quick_for)
        for op, cases in by_operator.items()
    }


def _cheap_cases(cases: Sequence[Case], device: DeviceInfo) -> list[Case]:
    """For each variant that applies a few, cheap ones first, in the order of the table."""
    by_cost = cheap_first(cases)
    problems = {case.name: _problem(case, device) for case in by_cost}
    wanted = {by_cost[0].name}
    for variant in VARIANTS.get(cases[0].op, ()):
        fitting = [name for name, problem in problems.items() if variant.obstacle(problem) is None]
        wanted.update(fitting[:_QUICK_CASES])
    return [case for case in cases if case.name in wanted]


def cheap_first(cases: Sequence[Case]) -> list[Case]:
    """Those that are quick to run before the others, else in the order of the table."""
    return sorted(cases, key=lambda case: _cost(case) > _QUICK_COST)


def _problem(case: Case, device: DeviceInfo) -> Problem:
    graph, _ = case.build()
    return problem_of(graph, graph.nodes[0], device)


def _cost(case: Case) -> float:
    graph, _ = case.build()
    cost = node_cost(graph.nodes[0], graph)
    return max(cost.flops, cost.bytes)


def in_precision(case: Case, precision: str) -> Case:
    """The case as a precision runs it: float16 on halves."""
    return case.halved() if precision == "float16" else case


def plan_of(
    case: Case,
    device: DeviceInfo,
    variant: str,
    findings: Findings = NOTHING_FOUND,
    precision: str = "float32",
) -> Plan | None:
    """The case's plan through a variant, with canaries; None if the variant does not apply."""
    graph, _ = in_precision(case, precision).build()
    specs = {name: graph.specs[name] for name in graph.inputs}
    options = PlanOptions(precision, {case.op.lower(): variant}, images_at_once=0, guard=GUARD)
    try:
        return Planner(device, options, findings).plan(graph, specs)
    except (VariantError, UnsupportedError):
        return None


_held: dict[Kernel, Program] = {}


def compile_cases(
    cases: Sequence[Case], device: DeviceInfo, variants: Sequence[str], precision: str
) -> None:
    """Compiles the variants' kernels for all the cases, many a program, which is faster than one at a time. What the
    compiler refuses is left for the case that needs it. They live until this is called again."""
    plans = (plan_of(c, device, name, precision=precision) for c in cases for name in variants)
    kernels = [call.kernel for plan in plans if plan is not None for call in plan.calls]
    with contextlib.suppress(KernelBuildError):
        _held.clear()
        _held.update(open_device(device).compiler.prepare(kernels))


def examine(
    case: Case,
    device: DeviceInfo,
    variant: str,
    findings: Findings = NOTHING_FOUND,
    precision: str = "float32",
) -> Result | None:
    """One case through one variant; None if the variant does not apply to it.

    An exception is a failure of the variant, whatever it is: drivers raise all kinds.
    """
    try:
        error = _error_of(case, device, variant, findings, precision)
    except Exception as reason:
        return _failed(case, device, variant, f"{type(reason).__name__}: {reason}", precision)
    if error is None:
        return None
    allowed = _tolerance(case, device, precision)
    return Result(case.op, variant, case.name, float(error), allowed, precision=precision)


def _tolerance(case: Case, device: DeviceInfo, precision: str) -> float:
    if precision in ("float32", "strict"):
        return case.tolerance
    is_short = precision == "float16" and "f16 short sums" in device.matrix
    return max(case.tolerance, _SHORT_SUMS if is_short else ROUNDED)


def _error_of(
    case: Case, device: DeviceInfo, variant: str, findings: Findings, precision: str
) -> float | None:
    plan = plan_of(case, device, variant, findings, precision)
    if plan is None:
        return None
    graph, feeds = in_precision(case, precision).build()
    expected = run_reference(graph, feeds)
    bound = PreparedDevice(device).bind(plan, guarded=True)
    found = bound.run({name: feeds[name] for name in plan.graph.inputs})
    if any(found[name].dtype != reference.dtype for name, reference in expected.items()):
        return float("inf")
    return max(relative_error(found[name], reference) for name, reference in expected.items())


def _failed(case: Case, device: DeviceInfo, variant: str, reason: str, precision: str) -> Result:
    allowed = _tolerance(case, device, precision)
    return failed_result(case.op, variant, case.name, allowed, reason, precision)


def failed_result(
    op: str, variant: str, name: str, tolerance: float, reason: str, precision: str = "float32"
) -> Result:
    """The Result of what gave none: the first line of the reason says why."""
    return Result(op, variant, name, float("inf"), tolerance, first_line(reason), precision)


def first_line(reason: str) -> str:
    """What a reason that may hold a source and a compiler's log begins with."""
    return next((line.strip() for line in reason.splitlines() if line.strip()), "failed")


class Examiner:
    """Examines the variants of one device. worker: where the kernels run; without one in this process. precision: what
    cases run in. compile_seconds: how long a worker may compile an operator's kernels together."""

    def __init__(
        self,
        device: DeviceInfo,
        worker: Worker | None = None,
        precision: str = "float32",
        compile_seconds: float = _COMPILE_SECONDS,
    ) -> None:
        self.device, self._worker, self.precision = device, worker, precision
        self._compile_seconds = compile_seconds

    def operator(
        self,
        cases: Sequence[Case],
        findings: Findings = NOTHING_FOUND,
        variants: Sequence[str] | None = None,
    ) -> Iterator[Result]:
        """Results of its variants, all or those of these names, on the cases of one operator."""
        if variants is None:
            variants = [variant.name for variant in VARIANTS.get(cases[0].op, ())]
        work = cases, self.device, variants, self.precision
        with contextlib.suppress(WorkerError, Failed):  # who is to blame shows one by one
            if self._worker is None:
                compile_cases(*work)
            else:
                self._worker.call(compile_cases, *work, limit=self._compile_seconds)
        for variant in variants:
            for case in cases:
                result = self.one(case, variant, findings)
                if result is not None:
                    yield result

    def one(self, case: Case, variant: str, findings: Findings = NOTHING_FOUND) -> Result | None:
        """Like examine(); a process that dies or hangs is a failure of the variant, too."""
        work = case, self.device, variant, findings, self.precision
        if self._worker is None:
            return examine(*work)
        try:
            return self._worker.call(examine, *work, limit=_CASE_SECONDS)
        except (WorkerError, Failed) as reason:
            return _failed(case, self.device, variant, str(reason), self.precision)


def find_culprits(
    examiner: Examiner, cases: dict[str, list[Case]], results: Sequence[Result]
) -> dict[Name, str]:
    """Which variants to quarantine, and why.

    Operators that are made of others fail with their parts. So what failed is tried again while the failed
    variants of the other operators are avoided: what is right then is not to blame.
    """
    failed: dict[Name, list[Result]] = {}
    for result in results:
        if not result.passed:
            failed.setdefault((result.op, result.variant), []).append(result)
    by_name = {case.name: case for group in cases.values() for case in group}
    culprits: dict[Name, str] = {}
    for (op, variant), rows in failed.items():
        others = Findings(frozenset(name for name in failed if name[0] != op))
        again = rows
        if others.quarantined:
            tried = [examiner.one(by_name[row.case], variant, others) for row in rows]
            again = [row for row in tried if row is not None and not row.passed]
        if again:
            more = f" and {len(again) - 1} more cases" if len(again) > 1 else ""
            culprits[op, variant] = again[0].why + more
    return culprits


def new_quarantine(
    before: dict[Name, str], culprits: dict[Name, str], results: Sequence[Result]
) -> dict[Name, str]:
    """What to remember: the culprits, and of the variants that were quarantined before those that were not
    examined now."""
    examined = {(result.op, result.variant) for result in results}
    return {**{name: why for name, why in before.items() if name not in examined}, **culprits}
