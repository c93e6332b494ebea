"""What lowerings share: sizes in pairs, C types of a dtype, obstacles, layouts of channel blocks."""

from __future__ import annotations

from collections.abc import Sequence

from clconv.graph.ir import PLAIN, DType, Layout
from clconv.lowering.epilogue import epilogue_obstacle
from clconv.lowering.kernel import Problem, Signature
from clconv.lowering.obstacles import computed, dtype_obstacle
from clconv.lowering.reorder import c_type as c_type


def pair(values: Sequence[int], fill: int) -> tuple[int, int]:
    """(height, width) of one or two spatial values; one-dimensional data is one row."""
    return (fill, values[0]) if len(values) == 1 else (values[0], values[1])


def type_obstacle(problem: Problem) -> str | None:
    """Why a kernel with the input's element type as a parameter cannot run on the device."""
    return dtype_obstacle({problem.x.dtype}, problem.device) or epilogue_obstacle(problem)


def stored_obstacle(problem: Problem) -> str | None:
    """Why a kernel that computes in the input's element type, or in float if halves are stored, cannot run on
    the device."""
    wide = {computed(problem.x.dtype)}
    return dtype_obstacle(wide, problem.device) or epilogue_obstacle(problem)


def blocked_obstacle(problem: Problem, most_axes: int = 2) -> str | None:
    """Why no kernel on channel blocks can run a node over (N, C, spatial...) of at most so many axes."""
    if computed(problem.x.dtype) is not DType.FLOAT32:
        return f"needs float32 or float16, got {problem.x.dtype.value}"
    if not problem.device.is_cpu:
        return "channel blocks are for CPU devices"
    if not 3 <= problem.x.rank <= 2 + most_axes:
        return f"needs 1 to {most_axes} spatial axes, got a tensor of rank {problem.x.rank}"
    return epilogue_obstacle(problem)


def blocked_signature(problem: Problem, x: Layout, y: Layout) -> Signature:
    """First input and output in these layouts, operands of the epilogue that have the output's shape in
    its layout, everything else plain."""
    inputs = [x] + [PLAIN] * (len(problem.inputs) - 1)
    for i in range(len(problem.node.op_inputs), len(problem.inputs)):
        spec = problem.inputs[i]  # None: an operand that a step does without
        if spec is not None and spec.shape == problem.y.shape:
            inputs[i] = y
    return Signature(tuple(inputs), (y,) + (PLAIN,) * (len(problem.outputs) - 1))


def rows_an_item(problem: Problem, rows: int, others: int) -> int:
    """How many of `rows` one work-item takes, `others` items standing side by side: eight items a compute
    unit where there is that much, so that none works alone at the end."""
    wanted = max(1, -(-8 * problem.device.compute_units // max(1, others)))
    return max(1, rows // wanted)
