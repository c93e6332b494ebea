"""The variant of ArgMax and ArgMin, whose launch TopK takes for one element."""

from __future__ import annotations

import math
from collections.abc import Mapping

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import c_type
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.model.obstacles import computed, double_obstacle
from clconv.lowering.shared.work_split import elements_per_item, items, nested


def arg_call(
    problem: Problem,
    axis: int,
    results: Mapping[str, Argument],
    better: str,
    last: bool = False,
    nan_wins: bool = True,
) -> KernelCall:
    """The launch that finds the best element of each line along the axis. results: the arguments "values" and "y", of which
    one may be missing."""
    x, device = problem.x, problem.device
    n, inner = x.shape[axis], math.prod(x.shape[axis + 1 :])
    lines = x.size // n
    on_vectors = computed(x.dtype) is DType.FLOAT32 and device.is_cpu
    width = device.vector_width if on_vectors else 1
    kernel = Kernel.of(
        "reduce/arg.cl.mako",
        "reduce_arg",
        type=c_type(x.dtype),
        width=width,
        better=better,
        last=last,
        is_float=x.dtype.is_float,
        nan_wins=nan_wins,
        rows=inner == 1 and 1 < width <= n,
        values="values" in results,
        places="y" in results,
    )
    per_item = items(elements_per_item(device, x.size), n)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        *results.items(),
        ("n", Scalar(n)),
        ("inner", Scalar(inner, "long")),
        ("total", Scalar(lines, "long")),
        ("per_item", Scalar(per_item, "long")),
    ]
    return problem.call(kernel, arguments, (items(lines, per_item),))


def _arg_lower(problem: Problem) -> Lowered:
    x, y, at = problem.x, problem.y, problem.node.attrs
    if y.size == 0:
        return Lowered()
    better = ">" if problem.node.op == "ArgMax" else "<"
    results = {"y": Write(problem.node.outputs[0])}
    return Lowered(
        (arg_call(problem, at.axis % x.rank, results, better, bool(at.select_last_index)),)
    )


def _arg_rounds(problem: Problem) -> int:
    return nested(1, problem.x.shape[problem.node.attrs.axis % problem.x.rank])


for _name in ("ArgMax", "ArgMin"):
    register(Variant(_name, "vectors", double_obstacle, _arg_lower, rounds=_arg_rounds))
