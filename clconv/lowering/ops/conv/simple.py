"""Convolution by its definition: any rank, group and kind of weights; one output element a work-item."""

from __future__ import annotations

import math

from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.shared.blocked import c_type, kernel_pad_mode, stored_obstacle
from clconv.lowering.shared.epilogue import plan_epilogue
from clconv.lowering.shared.work_split import nested


def _simple_lower(problem: Problem) -> Lowered:
    at, x, w, y = problem.node.attrs, problem.x, problem.input(1), problem.y
    epilogue = plan_epilogue(problem)
    spatial = x.rank - 2
    kernel = Kernel.of(
        "conv/simple.cl.mako",
        "conv_simple",
        type=c_type(x.dtype),
        spatial=spatial,
        bias=problem.has(2),
        pad_mode=kernel_pad_mode(at.pad_mode, x.shape[2:], at.pads),
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    axes = range(spatial)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("w", problem.argument(1)),
        *([("bias", problem.argument(2))] if problem.has(2) else []),
        ("y", Write(problem.node.outputs[0])),
        ("channels", Scalar(w.shape[1])),
        ("filters", Scalar(y.shape[1])),
        ("group", Scalar(at.group)),
        *((f"size{i}", Scalar(x.shape[2 + i])) for i in axes),
        *((f"out{i}", Scalar(y.shape[2 + i])) for i in axes),
        *((f"kernel{i}", Scalar(w.shape[2 + i])) for i in axes),
        *((f"stride{i}", Scalar(at.strides[i])) for i in axes),
        *((f"dilation{i}", Scalar(at.dilations[i])) for i in axes),
        *((f"pad{i}", Scalar(at.pads[i])) for i in axes),
        *epilogue.arguments,
    ]
    size = (math.prod(y.shape[2:]), y.shape[1], y.shape[0])
    return Lowered((problem.call(kernel, arguments, size).reading_in_place(epilogue.alike),))


def _simple_rounds(problem: Problem) -> int:
    return nested(*problem.input(1).shape[1:])


SIMPLE = Variant("Conv", "simple", stored_obstacle, _simple_lower, rounds=_simple_rounds)
