"""Holds the variants that use matrix instructions against the reference: what `clconv doctor` runs on devices that have
some.

First each instruction multiplies a small product, as when a network is loaded. With those that are right, the variants
that need them run the cases in the precisions that allow them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from clconv.cases import Case
from clconv.device.findings import Findings
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.diagnosis.doctor import (
    Examiner,
    Result,
    cheap_first,
    device_cases,
    find_culprits,
    first_line,
    in_precision,
)
from clconv.errors import ShapeError
from clconv.lowering.choice.select import needs_instruction
from clconv.lowering.lower import problem_of
from clconv.lowering.variants import VARIANTS
from clconv.probes.matrix_probe import MATRIX, refusal, settle
from clconv.runtime.quarantine import Name
from clconv.runtime.worker import Failed, Worker, WorkerError

PRECISIONS = ("tf32", "float16")  # that allow them
_QUICK_CASES = 2  # a variant
_PROBE_SECONDS = 120.0


@dataclasses.dataclass(frozen=True)
class MatrixCheckup:
    """right: instructions that multiply right. refused: why others are not used. culprits: what to quarantine."""

    right: tuple[str, ...] = ()
    refused: Mapping[str, str] = dataclasses.field(default_factory=dict)
    results: tuple[Result, ...] = ()
    culprits: Mapping[Name, str] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        used = ", ".join(self.right) or "none"
        refused = "; ".join(f"{name}: {why}" for name, why in self.refused.items())
        return f"{used}; not used: {refused}" if refused else used


@dataclasses.dataclass(frozen=True)
class MatrixCases:
    """The variants of an operator that need matrix instructions, and the cases that any of them takes."""

    variants: tuple[str, ...]
    cases: tuple[Case, ...]


def matrix_cases(
    device: DeviceInfo,
    precision: str,
    operators: Sequence[str] = (),
    quick: bool = False,
    always: Sequence[str] = (),
) -> dict[str, MatrixCases]:
    """By operator, what its device's matrix instructions run in a precision. Of what it is said to have, unless it is
    known better: see settle.

    operators: only these. quick: a few cheap cases for each variant; always: operators of which none is left out even so.
    """
    options = PlanOptions(precision)
    found: dict[str, MatrixCases] = {}
    if not device.matrix:
        return found
    for op, cases in device_cases(operators).items():
        problems = []
        for case in cheap_first(cases) if quick else cases:
            try:
                graph, _ = in_precision(case, precision).build()
            except ShapeError:  # an operator that ONNX has for float32 alone
                continue
            problems.append((case, problem_of(graph, graph.nodes[0], device, options)))
        names, wanted = [], set()
        for variant in VARIANTS.get(op, ()):
            fitting = [
                case.name for case, problem in problems if needs_instruction(variant, problem)
            ]
            if fitting:
                names.append(variant.name)
                wanted.update(fitting[:_QUICK_CASES] if quick and op not in always else fitting)
        if names:
            found[op] = MatrixCases(tuple(names), tuple(c for c in cases if c.name in wanted))
    return found


def examine_matrix(
    device: DeviceInfo,
    worker: Worker,
    findings: Findings,
    operators: Sequence[str] = (),
    quick: bool = False,
    always: Sequence[str] = (),
) -> MatrixCheckup | None:
    """Instructions first, then variants; None where the device has no instructions for the operators. findings: kernels
    that are wrong without them, to keep away from."""
    claimed = dataclasses.replace(device, matrix_verified=True)
    if not any(matrix_cases(claimed, precision, operators, quick=True) for precision in PRECISIONS):
        return None
    results: list[Result] = []
    culprits: dict[Name, str] = {}

    def tried(instruction: str, one: DeviceInfo, precision: str) -> str:
        row = Result(MATRIX, instruction, "a product", 0.0, 0.0, precision=precision)
        try:
            reason = worker.call(refusal, one, precision, limit=_PROBE_SECONDS)
        except Failed as raised:
            return first_line(str(raised))
        except WorkerError as died:  # a load would die of it, too
            row = dataclasses.replace(row, error=float("inf"), failure=str(died))
            culprits[MATRIX, instruction] = row.why
            reason = str(died)
        if row.failure or not reason:
            results.append(row)
        return first_line(reason) if reason else ""

    able, refused = settle(device, PRECISIONS, tried)
    for precision in PRECISIONS:
        examiner = Examiner(able, worker, precision)
        by_operator = matrix_cases(able, precision, operators, quick, always)
        found = [
            result
            for one in by_operator.values()
            for result in examiner.operator(one.cases, findings, one.variants)
        ]
        culprits.update(
            find_culprits(examiner, {op: [*w.cases] for op, w in by_operator.items()}, found)
        )
        results += found
    right = tuple(sorted(able.matrix - {"emulated"}))
    return MatrixCheckup(right, refused, tuple(results), culprits)
