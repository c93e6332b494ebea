"""MaxPool on channel blocks for CPUs, the largest of each column of the windows once for all windows that it is in."""

from __future__ import annotations

import math

from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.pool.blocks import blocks_call, blocks_or_rows, lower_blocks_or_rows
from clconv.lowering.ops.pool.window import (
    begin_arguments,
    far_obstacle,
    pad_mode,
    wanted_indices,
    window_parameters,
)
from clconv.lowering.shared.blocked import blocked_obstacle
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
    block = problem.device.vector_width
    epilogue = plan_epilogue(problem, block)
    kernel = Kernel.of(
        "pool/columns.cl.mako",
        "pool_columns",
        block=block,
        pixels=_PIXELS,
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
        **window_parameters(problem),
    )
    return blocks_call(problem, kernel, begin_arguments(problem), epilogue.arguments)


COLUMNS = Variant("MaxPool", "columns", _applies, lower_blocks_or_rows(_lower), blocks_or_rows)
