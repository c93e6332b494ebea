"""Variants of the reductions: pixels of channel blocks, rows, columns, and any axes of any dtype."""

from __future__ import annotations

import math

from clconv.graph.ir import PLAIN, DType, Layout
from clconv.graph.ops.elementwise.row import c_number
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import c_type
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.ctext import saturated
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant, register
from clconv.lowering.model.obstacles import computed, double_obstacle, has_double
from clconv.lowering.ops.reduce.each_channel import EACH_CHANNEL
from clconv.lowering.shared.axes import (
    axis_arguments,
    both_sides,
    kept_and_reduced,
    line_arguments,
    neighbours,
    reduced_axes,
)
from clconv.lowering.shared.groups import group_call, group_obstacle
from clconv.lowering.shared.reduction import (
    FLOAT_REDUCTIONS,
    LARGEST,
    Reduction,
    integer_reduction,
)
from clconv.lowering.shared.split_lines import (
    SHIFT,
    SPLIT_SPACE,
    line_variants,
    lines_estimate,
    split_reduction,
)
from clconv.lowering.shared.work_split import elements_per_item, items, nested


def _float_obstacle(problem: Problem) -> str | None:
    if computed(problem.x.dtype) is not DType.FLOAT32:
        return f"needs float32 or float16, got {problem.x.dtype.value}"
    if max(problem.x.shape, default=0) >= 1 << 31 or problem.x.size == 0:
        return "needs elements, and sizes below 2^31"
    return None


def _width(problem: Problem) -> int:
    return max(2, problem.device.vector_width) if problem.device.is_cpu else 2


def _top(op: Reduction) -> Reduction | None:
    return LARGEST if op.shift else None


# --- columns and rows: neighbouring axes of float32 -----------------------------------------------------


def _columns(problem: Problem, outer: int, n: int, inner: int) -> Lowered:
    """x (outer, n, inner) -> y (outer, inner)."""
    if not problem.device.is_cpu:
        width = columns = rows = 1
    else:
        width = min(_width(problem), 1 << max(0, inner.bit_length() - 1))
        per_item = items(elements_per_item(problem.device, outer * n * inner), n)
        columns = min(items(inner, width), max(1, per_item // width)) * width
        rows = max(1, per_item // columns)
    op = FLOAT_REDUCTIONS[problem.node.op]
    kernel = Kernel.of("reduce/columns.cl.mako", "reduce_columns", width=width, op=op, top=_top(op))
    arguments = line_arguments(problem, outer=outer, n=n, inner=inner, rows=rows, columns=columns)
    return Lowered((problem.call(kernel, arguments, (items(inner, columns), items(outer, rows))),))


def _columns_applies(problem: Problem) -> str | None:
    three = neighbours(problem)
    if three is None or three[2] == 1:
        return "needs neighbouring axes that are not the last ones"
    return _float_obstacle(problem)


def _columns_lower(problem: Problem) -> Lowered:
    three = neighbours(problem)
    assert three is not None
    return _columns(problem, *three)


def _rows_applies(problem: Problem) -> str | None:
    three = neighbours(problem)
    if three is None or three[2] != 1:
        return "needs the last axes"
    return _float_obstacle(problem)


def _rows_lower(problem: Problem) -> Lowered:
    three = neighbours(problem)
    assert three is not None
    outer, n, _ = three
    rows = items(elements_per_item(problem.device, outer * n), n)
    op = FLOAT_REDUCTIONS[problem.node.op]
    kernel = Kernel.of(
        "reduce/rows.cl.mako", "reduce_rows", width=_width(problem), op=op, top=_top(op)
    )
    arguments = line_arguments(problem, outer=outer, n=n, rows=rows)
    return Lowered((problem.call(kernel, arguments, (items(outer, rows),)),))


# --- group and split: neighbouring axes, on GPUs --------------------------------------------------------


def _group_applies(problem: Problem) -> str | None:
    if neighbours(problem) is None:
        return "needs neighbouring axes"
    return group_obstacle(problem)


def _group_lower(problem: Problem) -> Lowered:
    three = neighbours(problem)
    assert three is not None
    op = FLOAT_REDUCTIONS[problem.node.op]
    return Lowered((group_call(problem, three, op, _top(op)),))


def _split_lower(problem: Problem) -> Lowered:
    three = neighbours(problem)
    assert three is not None
    op = FLOAT_REDUCTIONS[problem.node.op]
    return split_reduction(problem, three, op, SHIFT if op.shift else None)


def _split_launches(problem: Problem) -> int:
    return 3 if FLOAT_REDUCTIONS[problem.node.op].shift else 2


# --- two_sides: axes around those that are kept, on GPUs ------------------------------------------------


def _two_sides_applies(problem: Problem) -> str | None:
    if both_sides(problem) is None:
        return "needs axes on both sides of those that are kept"
    if FLOAT_REDUCTIONS[problem.node.op].shift:
        return "needs a reduction in one pass"
    return group_obstacle(problem)


def _two_sides_lines(problem: Problem) -> tuple[int, int, int]:
    sides = both_sides(problem)
    assert sides is not None
    across, kept, n = sides
    return across * kept, n, 1


def _two_sides_lower(problem: Problem) -> Lowered:
    """The last axes to parts, which are joined along the first ones."""
    lines, sides = _two_sides_lines(problem), both_sides(problem)
    assert sides is not None
    return split_reduction(problem, lines, FLOAT_REDUCTIONS[problem.node.op], across=sides[0])


# --- pixels: all spatial axes, on channel blocks --------------------------------------------------------


def _pixels_applies(problem: Problem) -> str | None:
    x, block = problem.x, problem.device.vector_width
    if not problem.device.is_cpu or block == 1:
        return "channel blocks are for CPU devices with vectors"
    if x.rank < 3 or reduced_axes(problem) != tuple(range(2, x.rank)):
        return "needs all spatial axes and no others"
    if not problem.node.attrs.keepdims and x.shape[1] % block:
        return f"without keepdims needs channels divisible by {block}, got {x.shape[1]}"
    return _float_obstacle(problem)


def _pixels_signatures(problem: Problem) -> list[Signature]:
    blocked = Layout(problem.device.vector_width)
    # (N, C) as whole blocks of channels is the same plain and blocked.
    y = blocked if problem.node.attrs.keepdims else PLAIN
    axes = (PLAIN,) * (len(problem.inputs) - 1)
    return [Signature((blocked, *axes), (y,)), Signature((PLAIN, *axes), (PLAIN,))]


def _pixels_lower(problem: Problem) -> Lowered:
    if problem.x.layout.is_plain:
        in_rows = _rows_applies(problem) is None
        return _rows_lower(problem) if in_rows else _strided_lower(problem)
    batch, blocks, *spatial, block = problem.x.layout.physical(problem.x.shape)
    return _columns(problem, batch * blocks, math.prod(spatial), block)


# --- strided: any axes, any dtype -----------------------------------------------------------------------


def _strided_lower(problem: Problem) -> Lowered:
    x, y = problem.x, problem.y
    if y.size == 0:
        return Lowered()
    kept, reduced = kept_and_reduced(x.shape, reduced_axes(problem))
    op = _reduction(problem)
    double = has_double(problem.device)
    real = "double" if double and (problem.device.is_cpu or x.dtype is DType.FLOAT64) else "float"
    if x.dtype.is_float or problem.node.op == "ReduceLogSumExp":
        accumulate = wide = real
    else:
        accumulate = "ulong" if x.dtype is DType.UINT64 else "long"
        wide = real if op.finish != "a" else accumulate
    kernel = Kernel.of(
        "reduce/strided.cl.mako",
        "reduce_strided",
        kept=len(kept),
        reduced=len(reduced),
        source=c_type(x.dtype),
        target=c_type(y.dtype),
        sum=accumulate,
        wide=wide,
        conversion=saturated(
            "result", DType.FLOAT64 if wide == "double" else DType.FLOAT32, y.dtype
        )
        if wide == real and not y.dtype.is_float
        else f"({c_type(y.dtype)})result",
        op=op,
        top=_top(op),
    )
    n = math.prod(axis.size for axis in reduced)
    per_item = items(elements_per_item(problem.device, y.size * max(n, 1)), max(n, 1))
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("y", Write(problem.node.outputs[0])),
        ("total", Scalar(y.size, "long")),
        ("per_item", Scalar(per_item, "long")),
        ("n", Scalar(n, "long")),
        *axis_arguments(kept, reduced),
    ]
    return Lowered((problem.call(kernel, arguments, (items(y.size, per_item),)),))


def _strided_rounds(problem: Problem) -> int:
    _, reduced = kept_and_reduced(problem.x.shape, reduced_axes(problem))
    passes = 2 if _top(_reduction(problem)) is not None else 1
    return 1 + passes * nested(*(axis.size for axis in reduced))


def _reduction(problem: Problem) -> Reduction:
    dtype = problem.x.dtype
    if dtype.is_float:
        return FLOAT_REDUCTIONS[problem.node.op]
    ends = (c_number(-math.inf, dtype), c_number(math.inf, dtype))
    return integer_reduction(problem.node.op, *(("0", "1") if dtype is DType.BOOL else ends))


for _name in FLOAT_REDUCTIONS:
    register(
        *line_variants(
            _name, neighbours, _group_applies, _group_lower, _split_lower, _split_launches
        ),
        Variant(
            _name,
            "two_sides",
            _two_sides_applies,
            _two_sides_lower,
            estimate=lambda problem: lines_estimate(problem, _two_sides_lines(problem), 2),
            space=SPLIT_SPACE,
        ),
        *([EACH_CHANNEL] if _name == EACH_CHANNEL.op else []),
        Variant(_name, "pixels", _pixels_applies, _pixels_lower, _pixels_signatures),
        Variant(_name, "rows", _rows_applies, _rows_lower),
        Variant(_name, "columns", _columns_applies, _columns_lower),
        Variant(_name, "strided", double_obstacle, _strided_lower, rounds=_strided_rounds),
    )
