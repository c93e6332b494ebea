"""Variants of Softmax, LogSoftmax and Hardmax: along rows or columns with vectors, and by definition."""

from __future__ import annotations

import dataclasses
import math

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import Argument, Read, Write
from clconv.lowering.model.c_types import c_type
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.model.obstacles import computed, double_obstacle
from clconv.lowering.shared.axes import line_arguments
from clconv.lowering.shared.groups import WorkSplit, group_obstacle
from clconv.lowering.shared.reduction import FLOAT_REDUCTIONS, LARGEST
from clconv.lowering.shared.split_lines import Split, line_variants
from clconv.lowering.shared.work_split import elements_per_item, items, nested

_WORK = 4  # an element of a softmax costs about as much as four of a sum


def _line_sizes(problem: Problem) -> tuple[int, int, int]:
    """(outer, along the axis, inner)."""
    shape = problem.x.shape
    axis = problem.node.attrs.axis % len(shape)
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


def _vector_obstacle(problem: Problem) -> str | None:
    if computed(problem.x.dtype) is not DType.FLOAT32:
        return f"needs float32 or float16, got {problem.x.dtype.value}"
    if not problem.device.is_cpu or problem.device.vector_width == 1:
        return "needs a CPU device with vectors"
    if max(_line_sizes(problem)) >= 1 << 31:
        return "needs sizes below 2^31"
    return None


def _rows_applies(problem: Problem) -> str | None:
    if _line_sizes(problem)[2] != 1:
        return "needs the last axis"
    return _vector_obstacle(problem)


def _rows_lower(problem: Problem) -> Lowered:
    outer, n, _ = _line_sizes(problem)
    if problem.x.size == 0:
        return Lowered()
    rows = items(elements_per_item(problem.device, _WORK * outer * n), _WORK * n)
    kernel = Kernel.of(
        "norm/softmax/rows.cl.mako",
        "softmax_rows",
        width=problem.device.vector_width,
        log=problem.node.op == "LogSoftmax",
        largest=LARGEST,
        total=FLOAT_REDUCTIONS["ReduceSum"],
    )
    arguments = line_arguments(problem, outer=outer, n=n, rows=rows)
    return Lowered((problem.call(kernel, arguments, (items(outer, rows),)),))


def _columns_lower(problem: Problem) -> Lowered:
    outer, n, inner = _line_sizes(problem)
    if problem.x.size == 0:
        return Lowered()
    width = problem.device.vector_width
    per_item = items(
        elements_per_item(problem.device, _WORK * outer * n * inner), _WORK * n * width
    )
    columns = min(items(inner, width), per_item) * width
    kernel = Kernel.of(
        "norm/softmax/columns.cl.mako",
        "softmax_columns",
        width=width,
        log=problem.node.op == "LogSoftmax",
        largest=LARGEST,
    )
    arguments = line_arguments(problem, n=n, inner=inner, columns=columns)
    return Lowered((problem.call(kernel, arguments, (items(inner, columns), outer)),))


_POWERS = dataclasses.replace(FLOAT_REDUCTIONS["ReduceSum"], map="clconv_exp(v - top)")


def _group_kernel(problem: Problem, work_split: WorkSplit) -> Kernel:
    return Kernel.of(
        "norm/softmax/group.cl.mako",
        "softmax_group",
        work_split=work_split,
        log=problem.node.op == "LogSoftmax",
        largest=LARGEST,
        sum=_POWERS,
    )


def _group_lower(problem: Problem) -> Lowered:
    outer, n, inner = _line_sizes(problem)
    work_split = WorkSplit.of(problem.device, outer, n, inner)
    kernel = _group_kernel(problem, work_split)
    arguments = line_arguments(problem, outer=outer, n=n, inner=inner)
    return Lowered((problem.call(kernel, arguments, *work_split.sizes(outer, inner)),))


def _split_lower(problem: Problem) -> Lowered:
    split, y = Split.of(problem, _line_sizes(problem)), problem.node.outputs[0]
    tops, totals = f"{y}/tops", f"{y}/totals"
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("top_parts", Read(tops)),
        ("total_parts", Read(totals)),
        ("y", Write(y)),
        *split.arguments(),
    ]
    calls = (
        split.part_call(problem, LARGEST, tops),
        split.part_call(problem, _POWERS, totals, LARGEST, tops),
        split.call(problem, _group_kernel(problem, split.work_split), arguments),
    )
    return Lowered(calls, {tops: split.nbytes, totals: split.nbytes})


def _simple_lower(problem: Problem) -> Lowered:
    outer, n, inner = _line_sizes(problem)
    if problem.x.size == 0:
        return Lowered()
    total = outer * inner
    per_item = items(elements_per_item(problem.device, _WORK * total * n), _WORK * n)
    kernel = Kernel.of(
        "norm/softmax/simple.cl.mako",
        "softmax_simple",
        op=problem.node.op,
        type=c_type(problem.x.dtype),
    )
    arguments = line_arguments(problem, "long", n=n, inner=inner, total=total, per_item=per_item)
    return Lowered((problem.call(kernel, arguments, (items(total, per_item),)),))


def _simple_rounds(problem: Problem) -> int:
    return nested(1, _simple_passes(problem) * _line_sizes(problem)[1])


def _simple_passes(problem: Problem) -> int:
    """How often the kernel goes along a line."""
    return 2 if problem.node.op == "Hardmax" else 3


for _name in ("Softmax", "LogSoftmax"):
    register(
        *line_variants(
            _name, _line_sizes, group_obstacle, _group_lower, _split_lower, lambda problem: 3
        ),
        Variant(_name, "rows", _rows_applies, _rows_lower),
        Variant(_name, "columns", _vector_obstacle, _columns_lower),
    )
for _name in ("Softmax", "LogSoftmax", "Hardmax"):
    register(Variant(_name, "simple", double_obstacle, _simple_lower, rounds=_simple_rounds))
