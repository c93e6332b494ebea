"""Variants of Cast and CastLike: one element after another, in whatever layout."""

from __future__ import annotations

from clconv.graph.ir import PLAIN, Layout
from clconv.lowering.model.arguments import Write
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant, register
from clconv.lowering.model.obstacles import double_obstacle
from clconv.lowering.shared.conversion import cast_call


def _signatures(problem: Problem) -> list[Signature]:
    layouts = [PLAIN]
    if problem.device.is_cpu and problem.device.vector_width > 1 and problem.y.rank >= 3:
        layouts.append(Layout(problem.device.vector_width))
    others = (PLAIN,) * (len(problem.inputs) - 1)
    return [Signature((layout, *others), (layout,)) for layout in layouts]


def _lower(problem: Problem) -> Lowered:
    x, y = problem.x, problem.y
    total = y.nbytes // y.dtype.itemsize
    if total == 0:
        return Lowered()
    source, target = problem.argument(0), Write(problem.node.outputs[0])
    return Lowered((cast_call(problem, source, x.dtype, target, y.dtype, total),))


register(
    Variant("Cast", "flat", double_obstacle, _lower, _signatures),
    Variant("CastLike", "flat", double_obstacle, _lower, _signatures),
)
