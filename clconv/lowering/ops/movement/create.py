"""Variants of ConstantOfShape, Range and EyeLike, where they are too large to be folded or need a shape only."""

from __future__ import annotations

from clconv.graph.ops.movement.create import range_length
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant, always, register
from clconv.lowering.model.obstacles import has_double
from clconv.lowering.shared.fill import element_chunk, fill_call


def _constant_lower(problem: Problem) -> Lowered:
    y = problem.y
    if not y.size:
        return Lowered()
    write = Write(problem.node.outputs[0])
    return Lowered((fill_call(problem, write, problem.node.attrs.value, y.size, y.dtype),))


def _eye_lower(problem: Problem) -> Lowered:
    y, k = problem.y, problem.node.attrs.k
    if not y.size:
        return Lowered()
    write = Write(problem.node.outputs[0])
    calls = [fill_call(problem, write, 0, y.size, y.dtype)]
    height, width = y.shape
    row, column = max(0, -k), max(0, k)
    length = min(height - row, width - column)
    if length > 0:
        first = row * width + column
        calls.append(fill_call(problem, write, 1, length, y.dtype, first, width + 1))
    return Lowered(tuple(calls))


def _range_lower(problem: Problem) -> Lowered:
    bounds = []
    for i in range(3):
        known = problem.constant(i)
        assert known is not None  # the shape rule needed it
        bounds.append(known.reshape(-1)[0].item())
    start, _, delta = bounds
    dtype, count = problem.y.dtype, range_length(*bounds)
    if not count:
        return Lowered()
    # Sums in the widest type of the kind, as the reference has it, where the device has one.
    wide = "long"
    if dtype.is_float:
        wide = "double" if has_double(problem.device) else "float"
    kernel = Kernel.of(
        "movement/create/range.cl.mako", "range", type=C_TYPES[dtype.value], wide=wide
    )
    chunk = element_chunk(problem, count)
    arguments: list[tuple[str, Argument]] = [
        ("y", Write(problem.node.outputs[0])),
        ("start", Scalar(start, wide)),
        ("delta", Scalar(delta, wide)),
        ("total", Scalar(count, "long")),
        ("chunk", Scalar(chunk, "long")),
    ]
    return Lowered((problem.call(kernel, arguments, (-(-count // chunk),)),))


register(Variant("ConstantOfShape", "fill", always, _constant_lower))
register(Variant("EyeLike", "fill", always, _eye_lower))
register(Variant("Range", "range", always, _range_lower))
