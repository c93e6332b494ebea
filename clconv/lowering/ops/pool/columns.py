"""MaxPool on channel blocks for CPUs, the largest of each column of the windows once for all windows that it is in."""

from __future__ import annotations

import math

from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.pool.rows import blocks_or_rows, rows_lower
from clconv.lowering.ops.pool.window import (
    far_obstacle,
    pad_mode,
    wanted_indices,
    window_arguments,
    window_parameters,
)
from clconv.lowering.shared.blocked import (
    blocked_obstacle,
    pair,
    rows_per_item,
)
from clconv.lowering.shared.epilogue import plan_epilogue

_MOST_TAPS = 25  # of a window, for they are written out
_PIXELS = 4  # results that are computed together: windows in images of a few pixels, too


def _applies(problem: Problem) -> str | None:
    if wanted_indices(problem):
        return "the indices of the maxima are wanted"
    if math.prod(problem.node.attrs.kernel_shape) > _MOST_TAPS:
        return f"unrolls windows of up to {_MOST_TAPS} pixels"
    if problem.x.rank <= 4 and (mode := pad_mode(problem)) not in ("none", "constant"):
        return f"leaves pixels of padding out, which are image values in mode '{mode}'"
    return blocked_obstacle(problem) or far_obstacle(problem)


def _lower(problem: Problem) -> Lowered:
    x, y = problem.x, problem.y
    if y.size == 0:
        return Lowered()
    if x.layout.is_plain:
        return rows_lower(problem)
    block, out = problem.device.vector_width, pair(y.shape[2:], 1)
    blocks = -(-x.shape[1] // block)
    epilogue = plan_epilogue(problem, block)
    window = window_parameters(problem)
    del window["pad_mode"]
    kernel = Kernel.of(
        "pool/columns.cl.mako", "pool_columns", block=block, pixels=_PIXELS, epilogue=epilogue.terms,
        epilogue_names=epilogue.names, **window,
    )  # fmt: skip
    rows = rows_per_item(problem, out[0], blocks * x.shape[0])
    left_out = ("pad_bottom", "pad_right")
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("y", Write(problem.node.outputs[0])),
        *((name, size) for name, size in window_arguments(problem) if name not in left_out),
        ("rows", Scalar(rows)),
        *epilogue.arguments,
    ]
    items = (-(-out[0] // rows), blocks, x.shape[0])
    return Lowered((problem.call(kernel, arguments, items),))


COLUMNS = Variant("MaxPool", "columns", _applies, _lower, blocks_or_rows)
