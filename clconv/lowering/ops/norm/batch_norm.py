"""Variants of BatchNormalization: a few terms point by point, (x - mean) / deviation * scale + bias."""

from __future__ import annotations

from clconv.graph.ops.elementwise.row import c_float
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant, register
from clconv.lowering.model.obstacles import double_obstacle
from clconv.lowering.shared.epilogue import Operand, Term, make_term
from clconv.lowering.shared.pointwise import (
    Place,
    Work,
    by_strides,
    channel,
    channel_obstacle,
    channel_signatures,
    operands_of,
)


def _work(problem: Problem) -> Work:
    x, node = problem.x, problem.node
    by_channel = (x.shape[1], *(1,) * (x.rank - 2))
    read = {0: x.shape, **dict.fromkeys(range(1, 5), by_channel)}
    read |= {i: problem.input(i).shape for i in operands_of(problem, node.epilogue)}

    def terms(place: Place) -> tuple[Term, ...]:
        scale, bias, mean, variance = (place(i) for i in range(1, 5))
        running = Operand("running")
        # The root does not depend on the pixel: compilers take it out of the loop.
        inverse = f"(T)(1) / sqrt(c + {c_float(node.attrs.epsilon)})"
        return (
            Term(f"(a - b) * ({inverse})", (place(0), mean, variance)),
            Term("a * b + c", (running, scale, bias)),
            *(make_term(problem, step, place) for step in node.epilogue),
        )

    return Work(read, terms)


def _channel_applies(problem: Problem) -> str | None:
    return channel_obstacle(problem, _work(problem))


def _channel_signatures(problem: Problem) -> list[Signature]:
    return channel_signatures(problem, _work(problem))


def _channel_lower(problem: Problem) -> Lowered:
    return channel(problem, _work(problem))


def _broadcast_lower(problem: Problem) -> Lowered:
    return by_strides(problem, _work(problem))


register(
    Variant("BatchNormalization", "channel", _channel_applies, _channel_lower, _channel_signatures),
    Variant("BatchNormalization", "broadcast", double_obstacle, _broadcast_lower),
)
