"""Variants of BatchNormalization at inference: a few terms point by point, (x - mean) / deviation * scale + bias."""

from __future__ import annotations

import dataclasses

from clconv.graph.ops.elementwise.row import c_float
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.model.obstacles import double_obstacle
from clconv.lowering.shared.epilogue import Term, TermOperand, make_term
from clconv.lowering.shared.point_work import Place, PointWork
from clconv.lowering.shared.pointwise import channel_variant, operands_of
from clconv.lowering.shared.strided_points import by_strides


def _point_work(problem: Problem) -> PointWork:
    x, node = problem.x, problem.node
    by_channel = (x.shape[1], *(1,) * (x.rank - 2))
    read = {0: x.shape, **dict.fromkeys(range(1, 5), by_channel)}
    read |= {i: problem.input(i).shape for i in operands_of(problem, node.epilogue)}

    def terms(place: Place) -> tuple[Term, ...]:
        scale, bias, mean, variance = (place(i) for i in range(1, 5))
        running = TermOperand("running")
        # The root does not depend on the pixel: compilers take it out of the loop.
        inverse = f"(T)(1) / sqrt(c + {c_float(node.attrs.epsilon)})"
        return (
            Term(f"(a - b) * ({inverse})", (place(0), mean, variance)),
            Term("a * b + c", (running, scale, bias)),
            *(make_term(problem, step, place) for step in node.epilogue),
        )

    return PointWork(read, terms)


def _broadcast_lower(problem: Problem) -> Lowered:
    return by_strides(problem, _point_work(problem))


def _inference_obstacle(problem: Problem) -> str | None:
    return "is for training_mode 0" if problem.node.attrs.training_mode else None


_CHANNEL = channel_variant("BatchNormalization", _point_work)
register(
    dataclasses.replace(
        _CHANNEL, applies=lambda problem: _inference_obstacle(problem) or _CHANNEL.applies(problem)
    ),
    Variant(
        "BatchNormalization",
        "broadcast",
        lambda problem: _inference_obstacle(problem) or double_obstacle(problem),
        _broadcast_lower,
    ),
)
