"""Variants of the element-wise operators.

A node is a list of steps: its own operator, a variadic one as a chain of pairs, then its epilogue. All of
them become one kernel.
"""

from __future__ import annotations

from collections.abc import Sequence

from clconv.graph.ir import RUNNING, EpilogueStep, Node
from clconv.graph.ops.elementwise.elementwise import ROWS
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.model.obstacles import computed, double_obstacle
from clconv.lowering.shared.epilogue import Term, make_term
from clconv.lowering.shared.point_work import Place, PointWork
from clconv.lowering.shared.pointwise import (
    MOST_OPERANDS,
    channel_variant,
    flat,
    flat_obstacle,
    flat_signatures,
    operands_of,
)
from clconv.lowering.shared.strided_points import strides_call


def steps_of(node: Node) -> tuple[EpilogueStep, ...]:
    """The node's own operator as steps, and its epilogue behind them."""
    row, arity = ROWS[node.op], len(node.op_inputs)
    if not row.variadic:
        own = [EpilogueStep(node.op, node.attrs, tuple(range(arity)))]
    else:
        own = [EpilogueStep(node.op, node.attrs, (0, 1))] if arity > 1 else []
        own += [EpilogueStep(node.op, node.attrs, (RUNNING, i)) for i in range(2, arity)]
    return (*own, *node.epilogue)


def _point_work(problem: Problem, steps: Sequence[EpilogueStep] | None = None) -> PointWork:
    """The kernel work of some steps, by default all of the node's."""
    if steps is None:
        steps = steps_of(problem.node)
    read = operands_of(problem, steps) if steps else [0]

    def terms(place: Place) -> tuple[Term, ...]:
        if not steps:  # a sum of one
            return (Term("a", (place(0),)),)
        return tuple(make_term(problem, step, place) for step in steps)

    return PointWork({i: problem.input(i).shape for i in read}, terms)


def _flat_applies(problem: Problem) -> str | None:
    return flat_obstacle(problem, _point_work(problem))


def _flat_lower(problem: Problem) -> Lowered:
    return flat(problem, _point_work(problem))


def _broadcast_lower(problem: Problem) -> Lowered:
    if problem.y.size == 0:
        return Lowered()
    node, steps = problem.node, list(steps_of(problem.node))
    calls: list[KernelCall] = []
    scratch: dict[str, int] = {}
    before: str | None = None
    while True:
        part = _first_steps(problem, steps)
        steps = steps[len(part) :]
        target = f"{node.name}:part{len(calls)}" if steps else node.outputs[0]
        if steps:
            scratch[target] = problem.y.size * computed(problem.y.dtype).itemsize
        calls.append(strides_call(problem, _point_work(problem, part), target, before=before))
        if not steps:
            return Lowered(tuple(calls), scratch)
        before = target


def _first_steps(problem: Problem, steps: list[EpilogueStep]) -> list[EpilogueStep]:
    """As many of the steps as one kernel has room for operands, one at least."""
    read: set[int] = set()
    for count, step in enumerate(steps):
        read.update(operands_of(problem, [step]))
        if count and len(read) > MOST_OPERANDS:
            return steps[:count]
    return steps


for _name in ROWS:
    register(
        Variant(_name, "flat", _flat_applies, _flat_lower, flat_signatures),
        channel_variant(_name, _point_work),
        Variant(_name, "broadcast", double_obstacle, _broadcast_lower),
    )
