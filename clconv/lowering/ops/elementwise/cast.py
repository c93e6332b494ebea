"""Variants of Cast and CastLike: one element after another, in whatever layout."""

from __future__ import annotations

from clconv.graph.ir import PLAIN, DType, Layout
from clconv.lowering.copies.reorder import C_TYPES
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.ctext import saturated
from clconv.lowering.model.kernel import (
    Kernel,
    KernelCall,
    Lowered,
    Problem,
    Signature,
    Variant,
    register,
)
from clconv.lowering.model.obstacles import computed, double_obstacle
from clconv.lowering.shared.work_split import items, share_of


def _signatures(problem: Problem) -> list[Signature]:
    layouts = [PLAIN]
    if problem.device.is_cpu and problem.device.vector_width > 1 and problem.y.rank >= 3:
        layouts.append(Layout(problem.device.vector_width))
    others = (PLAIN,) * (len(problem.inputs) - 1)
    return [Signature((layout, *others), (layout,)) for layout in layouts]


def conversion(source: DType, target: DType) -> str:
    """C text that turns `value` of one dtype into another, as numeric.converted does in NumPy."""
    if target is DType.BOOL:
        return "value != 0"
    if target is DType.FLOAT16:
        return "(float)value"
    if source.is_float and not target.is_float:
        return saturated("value", computed(source), target)
    return f"({C_TYPES[target.value]})value"


def _lower(problem: Problem) -> Lowered:
    x, y = problem.x, problem.y
    total = y.nbytes // y.dtype.itemsize
    if total == 0:
        return Lowered()
    source, target = problem.argument(0), Write(problem.node.outputs[0])
    return Lowered((cast_call(problem, source, x.dtype, target, y.dtype, total),))


def cast_call(
    problem: Problem, x: Argument, source: DType, y: Argument, target: DType, total: int
) -> KernelCall:
    """The launch that turns `total` elements of one dtype into another."""
    halved = {source, target} == {DType.FLOAT16, DType.FLOAT32}
    width = problem.device.vector_width if halved and problem.device.is_cpu else 1
    kernel = Kernel.of(
        "elementwise/cast.cl.mako",
        "cast",
        source=C_TYPES[source.value],
        target=C_TYPES[target.value],
        conversion=conversion(source, target),
        width=width,
    )
    share = share_of(problem.device, total, width)
    arguments: list[tuple[str, Argument]] = [
        ("x", x),
        ("y", y),
        ("total", Scalar(total, "long")),
        ("share", Scalar(share, "long")),
    ]
    return problem.call(kernel, arguments, (items(total, share),))


register(
    Variant("Cast", "flat", double_obstacle, _lower, _signatures),
    Variant("CastLike", "flat", double_obstacle, _lower, _signatures),
)
