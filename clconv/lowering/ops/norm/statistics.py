"""The variant of the normalisations that always applies: statistics over any axes, then point by point."""

from __future__ import annotations

import math

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import Argument, Read, Scalar, Write
from clconv.lowering.model.c_types import c_type
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem
from clconv.lowering.model.obstacles import computed, has_double
from clconv.lowering.ops.norm.specification import (
    RUN,
    NormSpecification,
    kept_outputs,
    norm_specification,
)
from clconv.lowering.shared.axes import axis_arguments, kept_and_reduced
from clconv.lowering.shared.epilogue import Term, TermOperand
from clconv.lowering.shared.point_work import Place, PointWork, Shape
from clconv.lowering.shared.strided_points import strides_call
from clconv.lowering.shared.work_split import elements_per_item, items, nested


def statistics_lower(problem: Problem) -> Lowered:
    norm, node, dtype = norm_specification(problem), problem.node, problem.x.dtype
    if problem.x.size == 0:
        return Lowered()
    kept, reduced = kept_and_reduced(norm.view, norm.axes)
    outputs = kept_outputs(problem)
    double = problem.device.is_cpu and has_double(problem.device)
    kernel = Kernel.of(
        "norm/statistics.cl.mako",
        "norm_statistics",
        kept=len(kept),
        run=RUN,
        reduced=len(reduced),
        type=c_type(dtype),
        wide="double" if double or dtype is DType.FLOAT64 else "float",
        center=norm.mean,
        measure=norm.measure,
        rest=norm.rest,
        keep_mean="kept_mean" in dict(outputs),
        keep_factor="kept_factor" in dict(outputs),
    )
    total = math.prod(norm.kept)
    n = math.prod(axis.size for axis in reduced)
    per_item = items(elements_per_item(problem.device, total * n), n)
    mean, remainder, factor = (f"{node.name}:{what}" for what in ("mean", "remainder", "factor"))
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("mean", Write(mean)),
        ("remainder", Write(remainder)),
        ("factor", Write(factor)),
        *outputs,
        ("total", Scalar(total, "long")),
        ("per_item", Scalar(per_item, "long")),
        ("n", Scalar(n, "long")),
        *axis_arguments(kept, reduced),
    ]
    statistics = problem.call(kernel, arguments, (items(total, per_item),))
    apply = strides_call(
        problem,
        PointWork({0: norm.view, **_affine_inputs(norm)}, lambda place: _terms(norm, place)),
        node.outputs[0],
        view=norm.view,
        more={
            "mean": (Read(mean), norm.kept),
            "remainder": (Read(remainder), norm.kept),
            "factor": (Read(factor), norm.kept),
        },
    )
    nbytes = total * computed(dtype).itemsize
    return Lowered((statistics, apply), dict.fromkeys((mean, remainder, factor), nbytes))


def statistics_rounds(problem: Problem) -> int:
    norm = norm_specification(problem)
    _, reduced = kept_and_reduced(norm.view, norm.axes)
    if not reduced:
        return 1
    *others, last = (axis.size for axis in reduced)
    return 1 + 3 * nested(*others, items(last, RUN), min(last, RUN))


def _affine_inputs(norm: NormSpecification) -> dict[int, Shape]:
    given = {1: norm.scale, 2: norm.bias}
    return {i: shape for i, shape in given.items() if shape is not None}


def _terms(norm: NormSpecification, place: Place) -> tuple[Term, ...]:
    running = TermOperand("running")
    terms = [
        Term(
            "a - b - c",
            (place(0), TermOperand("variable", "v_mean"), TermOperand("variable", "v_remainder")),
        ),
        Term("a * b", (running, TermOperand("variable", "v_factor"))),
    ]
    if norm.scale is not None:
        terms.append(Term("a * b", (running, place(1))))
    if norm.bias is not None:
        terms.append(Term("a + b", (running, place(2))))
    return tuple(terms)
