"""Products of bytes that give floats, by their definition: any shape, on any device."""

from __future__ import annotations

import math

from clconv.graph.ops.quantised.bytes_to_float import BIAS, MULTIPLIER, SCALE, ZERO, W, X
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.shared.blocked import image_arguments, pair
from clconv.lowering.shared.epilogue import epilogue_obstacle, plan_epilogue
from clconv.lowering.shared.work_split import nested


def _windows(problem: Problem) -> tuple[list[tuple[str, Argument]], tuple[int, int, int]]:
    """The sizes that the kernel takes, and (pixels, filters, images) of the result. Rows of a matrix are images of one
    pixel."""
    at, x, w, y = problem.node.attrs, problem.x, problem.input(W), problem.y
    if problem.node.op == "ByteMatMulToFloat":
        one = (1, 1)
        size = out = kernel = strides = dilations = one
        begin, space = (0, 0), (1, w.shape[0], math.prod(x.shape[:-1]))
    else:
        size, out = pair(x.shape[2:], 1), pair(y.shape[2:], 1)
        kernel, strides, dilations = (pair(v, 1) for v in (w.shape[2:], at.strides, at.dilations))
        begin, space = pair(at.pads[: x.rank - 2], 0), (math.prod(out), y.shape[1], y.shape[0])
    windows = {"kernel": kernel, "stride": strides, "dilation": dilations}
    arguments: list[tuple[str, Argument]] = image_arguments(size, out, begin)
    for name, (height, width) in windows.items():
        arguments += [(f"{name}_height", Scalar(height)), (f"{name}_width", Scalar(width))]
    return arguments, space


def _lower(problem: Problem) -> Lowered:
    w, y = problem.input(W), problem.y
    if not y.size:
        return Lowered()
    epilogue, added = plan_epilogue(problem), problem.has(BIAS)
    kernel = Kernel.of(
        "quantised/bytes/real_simple.cl.mako",
        "byte_real_simple",
        added=added,
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    windows, space = _windows(problem)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(X)),
        ("w", problem.argument(W)),
        ("zero", problem.argument(ZERO)),
        ("scale", problem.argument(SCALE)),
        ("multiplier", problem.argument(MULTIPLIER)),
        *([("added", problem.argument(BIAS))] if added else []),
        ("y", Write(problem.node.outputs[0])),
        *windows,
        ("inner", Scalar(w.shape[1])),
        ("filters", Scalar(w.shape[0])),
        ("groups", Scalar(problem.node.attrs.get("group", 1))),
        ("step", Scalar(math.prod(y.shape[2:]))),
        ("channels", Scalar(y.shape[1])),
        *epilogue.arguments,
    ]
    return Lowered((problem.call(kernel, arguments, space),))


def _rounds(problem: Problem) -> int:
    return nested(1, *problem.input(W).shape[1:], 1)


def real_simple(op: str) -> Variant:
    return Variant(op, "simple", epilogue_obstacle, _lower, rounds=_rounds)
