"""Pools on channel blocks of CPUs, which take plain images row by row where that is less work."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Signature, plain_signature
from clconv.lowering.ops.pool.rows import rows_lower, takes_rows
from clconv.lowering.shared.blocked import blocked_signatures, pair, rows_per_item


def blocks_or_rows(problem: Problem) -> list[Signature]:
    """Channel blocks, and plain images where they may be pooled as they lie."""
    found = blocked_signatures(problem)
    return [*found, *plain_signature(problem)] if takes_rows(problem) else found


def lower_blocks_or_rows(blocks: Callable[[Problem], Lowered]) -> Callable[[Problem], Lowered]:
    """What lowers either. blocks: lowers channel blocks that are not empty."""

    def lower(problem: Problem) -> Lowered:
        if problem.y.size == 0:
            return Lowered()
        return rows_lower(problem) if problem.x.layout.is_plain else blocks(problem)

    return lower


def blocks_call(
    problem: Problem,
    kernel: Kernel,
    window: Sequence[tuple[str, Argument]],
    epilogue: Sequence[tuple[str, Argument]] = (),
) -> Lowered:
    """The launch of a kernel on channel blocks, each item of which makes some rows. window: what follows x and y; epilogue:
    what follows the number of rows."""
    x, y = problem.x, problem.y
    height, blocks = pair(y.shape[2:], 1)[0], -(-x.shape[1] // problem.device.vector_width)
    rows = rows_per_item(problem, height, blocks * x.shape[0])
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("y", Write(problem.node.outputs[0])),
        *window,
        ("rows", Scalar(rows)),
        *epilogue,
    ]
    return Lowered((problem.call(kernel, arguments, (-(-height // rows), blocks, x.shape[0])),))
