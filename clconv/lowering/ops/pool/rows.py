"""Pools of plain images on CPUs, row by row; pool.py says when."""

from __future__ import annotations

from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem
from clconv.lowering.ops.pool.window import (
    UNROLLED,
    pad_mode,
    parameters,
    window_arguments,
    window_parameters,
)
from clconv.lowering.shared.blocked import pair, rows_per_item
from clconv.lowering.shared.epilogue import plan_epilogue

_MOST_REACH = 64  # pixels from the first to the last column of a window
_MOST_RESULTS = 256  # of a row at a time, whose columns lie in the nearest cache


def takes_rows(problem: Problem) -> bool:
    """Whether images may be pooled as they lie, which takes less time than to make channel blocks of them and back."""
    at, x = problem.node.attrs, problem.x
    return (
        problem.node.op != "LpPool"
        and x.rank in (3, 4)
        and pad_mode(problem) in ("none", "constant")
        and at.strides[-1] <= 2
        and max(at.kernel_shape) <= UNROLLED
        and (at.kernel_shape[-1] - 1) * at.dilations[-1] <= _MOST_REACH
        and problem.y.shape[-1] >= problem.device.vector_width
    )


def rows_lower(problem: Problem) -> Lowered:
    x, out = problem.x, pair(problem.y.shape[2:], 1)
    epilogue = plan_epilogue(problem)
    kernel = Kernel.of(
        "pool/rows.cl.mako",
        "pool_rows",
        lanes=problem.device.vector_width,
        most_results=_MOST_RESULTS,
        **window_parameters(problem),
        **parameters(problem, epilogue),
    )
    chunk = -(-out[1] // -(-out[1] // _MOST_RESULTS))
    rows = rows_per_item(problem, out[0], x.shape[1] * x.shape[0])
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("y", Write(problem.node.outputs[0])),
        *window_arguments(problem),
        ("rows", Scalar(rows)),
        ("chunk", Scalar(chunk)),
        *epilogue.arguments,
    ]
    items = (-(-out[0] // rows), x.shape[1], x.shape[0])
    return Lowered((problem.call(kernel, arguments, items),))
