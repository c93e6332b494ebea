"""The variant of ArgMax and ArgMin."""

from __future__ import annotations

import math

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import c_type
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.model.obstacles import computed, double_obstacle
from clconv.lowering.shared.work_split import elements_per_item, items, nested


def _arg_lower(problem: Problem) -> Lowered:
    x, y, at = problem.x, problem.y, problem.node.attrs
    if y.size == 0:
        return Lowered()
    axis = at.axis % x.rank
    n, inner = x.shape[axis], math.prod(x.shape[axis + 1 :])
    on_vectors = computed(x.dtype) is DType.FLOAT32 and problem.device.is_cpu
    kernel = Kernel.of(
        "reduce/arg.cl.mako",
        "reduce_arg",
        type=c_type(x.dtype),
        width=problem.device.vector_width if on_vectors else 1,
        better=">" if problem.node.op == "ArgMax" else "<",
        last=bool(at.select_last_index),
        is_float=x.dtype.is_float,
    )
    per_item = items(elements_per_item(problem.device, x.size), n)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("y", Write(problem.node.outputs[0])),
        ("n", Scalar(n)),
        ("inner", Scalar(inner, "long")),
        ("total", Scalar(y.size, "long")),
        ("per_item", Scalar(per_item, "long")),
    ]
    return Lowered((problem.call(kernel, arguments, (items(y.size, per_item),)),))


def _arg_rounds(problem: Problem) -> int:
    return nested(1, problem.x.shape[problem.node.attrs.axis % problem.x.rank])


for _name in ("ArgMax", "ArgMin"):
    register(Variant(_name, "vectors", double_obstacle, _arg_lower, rounds=_arg_rounds))
