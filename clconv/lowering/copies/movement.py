"""What operators that only move data share: boxes as launches, layouts to choose from, registration."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from clconv.graph.ir import PLAIN, Layout, TensorSpec
from clconv.graph.ops.base import Call
from clconv.lowering.copies.boxes import Span, box_copies
from clconv.lowering.copies.strided import copy_call
from clconv.lowering.model.arguments import Argument, Write
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.kernel import (
    Lowered,
    Problem,
    Signature,
    Variant,
    always,
    plain_signature,
    register,
)

Lower = Callable[[Problem], Lowered]
Obstacle = Callable[[Problem], str | None]


def whole(spec: TensorSpec) -> list[Span]:
    """Every axis onto the same axis."""
    return [Span(size, i, i) for i, size in enumerate(spec.shape)]


def with_axis(spec: TensorSpec, axis: int, **changes: Any) -> list[Span]:
    """Every axis onto the same axis, one of them with other settings."""
    spans = whole(spec)
    spans[axis] = Span(
        **{"count": spec.shape[axis], "source_axis": axis, "target_axis": axis, **changes}
    )
    return spans


def copy_box(
    problem: Problem,
    source: tuple[Argument, TensorSpec],
    target: tuple[Argument, TensorSpec],
    spans: Sequence[Span],
) -> list[KernelCall]:
    """Launches that fill a box of one tensor from a box of another."""
    (read, before), (write, after) = source, target
    block = max(before.layout.block, after.layout.block)
    return [
        copy_call(problem, copy, read, write, after.dtype.itemsize, block)
        for copy in box_copies(before, after, spans)
    ]


def part_offset(whole: TensorSpec, part: TensorSpec, axis: int, start: int) -> int | None:
    """Bytes from the beginning of a tensor to a part that begins at `start` of an axis, if it lies there as
    one run in the same layout; else None."""
    block = whole.layout.block
    if part.layout != whole.layout or math.prod(whole.shape[:axis]) != 1 or not part.size:
        return None
    if block == 1:
        return start * math.prod(whole.shape[axis + 1 :]) * whole.dtype.itemsize
    if axis != 1:
        return None
    last = start + part.shape[1] == whole.shape[1]
    if start % block or (part.shape[1] % block and not last):
        return None
    return start * math.prod(whole.shape[2:]) * whole.dtype.itemsize


def outputs(problem: Problem) -> list[tuple[int, Argument, TensorSpec]]:
    """(index among the operator's outputs, argument, spec) of the outputs that have a name."""
    named = [(i, name) for i, name in enumerate(problem.node.outputs) if name]
    return [(i, Write(name), spec) for (i, name), spec in zip(named, problem.outputs, strict=True)]


def out(problem: Problem) -> tuple[Argument, TensorSpec]:
    """Argument and spec of the first output."""
    return Write(problem.node.outputs[0]), problem.y


def read(problem: Problem, index: int) -> tuple[Argument, TensorSpec]:
    """Argument and spec of an input."""
    return problem.argument(index), problem.input(index)


def node_call(problem: Problem) -> Call:
    """What the operator's shape rule saw."""
    inputs = problem.node.op_inputs
    return Call(
        problem.node,
        tuple(problem.inputs[: len(inputs)]),
        tuple(problem.constant(i) for i in range(len(inputs))),
    )


def blocked_signature(problem: Problem, data: Sequence[int] = (0,)) -> Signature:
    """The inputs in `data` and every output in channel blocks, the others plain."""
    blocked = Layout(problem.device.vector_width)
    layouts = tuple(blocked if i in data else PLAIN for i in range(len(problem.inputs)))
    return Signature(layouts, (blocked,) * len(problem.outputs))


def blocked_obstacle(problem: Problem) -> str | None:
    """Why tensors cannot be stored in channel blocks, whatever the operator."""
    if not problem.device.is_cpu or problem.device.vector_width == 1:
        return "channel blocks are for CPUs with vectors"
    if any(spec.rank < 3 for spec in (problem.x, *problem.outputs)):
        return "channel blocks need rank 3 or more"
    if any(spec.size == 0 for spec in (*(s for s in problem.inputs if s), *problem.outputs)):
        return "a tensor has no elements"
    return None


def register_mover(
    op: str, lower: Lower, obstacle: Obstacle, signature: Callable[[Problem], Signature]
) -> None:
    """The operator in whichever layout its neighbours have; "blocked" and "plain" force one.

    obstacle: why it cannot work on channel blocks; signature: the layouts if it can.
    """

    def failed(problem: Problem) -> str | None:
        return blocked_obstacle(problem) or obstacle(problem)

    def either(problem: Problem) -> list[Signature]:
        blocked = [] if failed(problem) else [signature(problem)]
        return [*blocked, *plain_signature(problem)]

    register(
        Variant(op, "copy", always, lower, either),
        Variant(op, "blocked", failed, lower, lambda problem: [signature(problem)]),
        Variant(op, "plain", always, lower),
    )
