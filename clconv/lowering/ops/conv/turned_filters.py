"""TurnedFilters: one launch moves them, where no packing that follows does so by itself."""

from __future__ import annotations

import dataclasses
import math

from clconv.lowering.model.arguments import AS_IS, PackedValue, Scalar, Write
from clconv.lowering.model.c_types import c_type
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.model.obstacles import double_obstacle
from clconv.lowering.shared.work_split import elements_per_item, items


def _lower(problem: Problem) -> Lowered:
    rows, filters, *kernel = problem.y.shape
    if not problem.y.size:
        return Lowered()
    taps = math.prod(kernel)
    template = Kernel.of(
        "conv/turned_filters.cl.mako",
        "conv_turned_filters",
        type=c_type(problem.x.dtype),
        taps=taps,
    )
    per_item = min(filters, max(1, elements_per_item(problem.device, problem.y.size) // taps))
    arguments = [
        ("w", problem.argument(0)),
        ("y", Write(problem.node.outputs[0])),
        ("filters", Scalar(filters)),
        ("channels", Scalar(problem.x.shape[1])),
        ("per_item", Scalar(per_item)),
    ]
    call = problem.call(template, arguments, (items(filters, per_item), rows))
    if problem.is_constant(0):
        return Lowered((call,))
    turning = dataclasses.replace(AS_IS, turned=problem.node.attrs.group)
    return Lowered((call,), turned=PackedValue(problem.node.inputs[0], problem.x, turning))


register(Variant("TurnedFilters", "taps", double_obstacle, _lower))
