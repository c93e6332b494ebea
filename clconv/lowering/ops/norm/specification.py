"""Which normalisation a node is: what its statistics are taken over, and what is done with them."""

from __future__ import annotations

import dataclasses
import math

from clconv.graph.ops.elementwise.row import c_float
from clconv.lowering.model.arguments import Argument, Write
from clconv.lowering.model.kernel import Problem
from clconv.lowering.shared.point_work import Shape
from clconv.lowering.shared.reduction import FLOAT_REDUCTIONS, Reduction
from clconv.records import record

RUN = 64  # elements that norm/statistics reduces before it joins the result with those before
_MEAN = FLOAT_REDUCTIONS["ReduceMean"]
_DEVIATION = Reduction("(T)(0)", "a + b", "(v - top) * (v - top)")
# Where the mean is larger beside the deviation, its rounding to float is told from the result.
_LARGE_MEAN = 16
_SQUARES = FLOAT_REDUCTIONS["ReduceSumSquare"]


@record(frozen=True)
class Rest:
    """What rounding takes from a mean, `top`: the mean of what is left of the elements without it.

    mean: the reduction to `rest`. measure: that to the factor, which reads `rest`. squares: the one for squares of v - top,
    whose finish takes `rest` off.
    """

    mean: Reduction
    measure: Reduction
    squares: Reduction

    def needed(self, top: str, squares: str) -> str:
        """C text: whether the mean is large beside the deviation, given the sum of the squares of v - top."""
        return f"{top} * {top} * (float)n > {_LARGE_MEAN**2} * {squares}"


@record(frozen=True)
class NormSpecification:
    """What one normalisation does.

    view: x with channels cut into groups. axes: of the view, over which statistics are taken. mean: the
    reduction to what is subtracted, or None. measure: the reduction to the factor. scale, bias: shapes in
    which inputs 1 and 2 broadcast to the view, None without them.
    """

    view: Shape
    axes: tuple[int, ...]
    mean: Reduction | None
    measure: Reduction
    scale: Shape | None = None
    bias: Shape | None = None

    @property
    def rest(self) -> Rest | None:
        """What corrects the mean; None without one."""
        if self.mean is None:
            return None
        mean = dataclasses.replace(_DEVIATION, map="v - top", finish="a / (T)(n)")
        measure = dataclasses.replace(self.measure, map="(v - top - rest) * (v - top - rest)")
        variance = "(a / (T)(n) < rest * rest ? (T)(0) : a / (T)(n) - rest * rest)"
        finish = self.measure.finish.replace("a / (T)(n)", variance)
        return Rest(mean, measure, dataclasses.replace(self.measure, finish=finish))

    @property
    def kept(self) -> Shape:
        """Shape in which the statistics broadcast to the view."""
        return tuple(1 if i in self.axes else d for i, d in enumerate(self.view))

    @property
    def rows(self) -> tuple[int, int] | None:
        """(outer, n) of a view whose statistics are taken over the last axes, else None."""
        first = len(self.view) - len(self.axes)
        if self.axes != tuple(range(first, len(self.view))):
            return None
        return math.prod(self.view[:first]), math.prod(self.view[first:])


def _inverse_root(measure: Reduction, epsilon: float) -> Reduction:
    finish = f"(T)(1) / sqrt(a / (T)(n) + {c_float(epsilon)})"
    return dataclasses.replace(measure, finish=finish)


def norm_specification(problem: Problem) -> NormSpecification:
    """The normalisation that a node is."""
    at, shape = problem.node.attrs, problem.x.shape
    rank = len(shape)
    match problem.node.op:
        case "InstanceNormalization" | "GroupNormalization":
            groups = at.get("num_groups", shape[1])
            pixels = math.prod(shape[2:])
            affine = (groups, shape[1] // groups, 1)
            return NormSpecification(
                (shape[0], groups, shape[1] // groups, pixels), (2, 3), _MEAN,
                _inverse_root(_DEVIATION, at.epsilon), affine, affine,
            )  # fmt: skip
        case "LayerNormalization":
            return NormSpecification(
                shape, tuple(range(at.axis % rank, rank)), _MEAN,
                _inverse_root(_DEVIATION, at.epsilon), problem.input(1).shape,
                problem.input(2).shape if problem.has(2) else None,
            )  # fmt: skip
        case "RMSNormalization":
            return NormSpecification(
                shape, tuple(range(at.axis % rank, rank)), None,
                _inverse_root(_SQUARES, at.epsilon), problem.input(1).shape,
            )  # fmt: skip
        case "LpNormalization":
            root = "a" if at.p == 1 else "sqrt(a)"
            finish = f"a == 0 ? (T)(0) : (T)(1) / {root}"  # zeros stay zeros
            size = FLOAT_REDUCTIONS["ReduceL1"] if at.p == 1 else _SQUARES
            return NormSpecification(
                shape, (at.axis % rank,), None, dataclasses.replace(size, finish=finish)
            )
        case _:
            finish = "(T)(1) / (sqrt(a / (T)(n)) + 1e-9f)"
            axes = tuple(sorted(a % rank for a in at.axes))
            return NormSpecification(
                shape, axes, _MEAN, dataclasses.replace(_DEVIATION, finish=finish)
            )


def kept_outputs(problem: Problem) -> list[tuple[str, Argument]]:
    """The statistics that LayerNormalization returns besides."""
    names = ("kept_mean", "kept_factor")
    return [(n, Write(o)) for n, o in zip(names, problem.node.outputs[1:], strict=False) if o]
