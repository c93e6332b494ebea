"""Where the kernels of ByteConv, ByteConvToFloat and ByteMatMulToFloat differ: what sums begin with, and what they become."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from clconv.graph.ir import DType, TensorSpec
from clconv.graph.ops.quantised import bytes_to_float as real
from clconv.lowering.model.arguments import Argument, Packing, Scalar, Write
from clconv.lowering.model.kernel import Problem
from clconv.lowering.ops.quantised.bytes.shape import OTHER, dot_for, each_filter
from clconv.lowering.shared.epilogue import epilogue_obstacle, plan_epilogue

_MOST_TAPS = 1 << 15  # 2^31 over 255 and 128, and some: nothing looks at the weights


def is_real(problem: Problem) -> bool:
    """Whether sums become floats, and not bytes."""
    return problem.node.op.endswith("ToFloat")


def weights_index(problem: Problem) -> int:
    return real.W if is_real(problem) else 1


def weights_of(problem: Problem) -> TensorSpec:
    return problem.input(weights_index(problem))


def parameters(problem: Problem) -> dict[str, Hashable]:
    """Those of the templates that say what becomes of sums, and how bytes are multiplied."""
    ends = is_real(problem)
    epilogue = plan_epilogue(problem, problem.device.vector_width)
    return {
        "dot": dot_for(problem, weights_index(problem)),
        "real": ends,
        "twice": not ends and bool(problem.node.attrs.twice),
        "other": not ends and problem.has(OTHER),
        "added": ends and problem.has(real.BIAS),
        "epilogue": epilogue.terms,
        "epilogue_names": epilogue.names,
    }


def operands(problem: Problem, w: Argument, block: int, group: int) -> list[tuple[str, Argument]]:
    """x, w and what stands for each filter, padded to whole blocks; then the result."""
    if not is_real(problem):
        return [
            ("x", problem.argument(0)),
            ("w", w),
            ("multiplier", problem.packed(2, each_filter(DType.FLOAT32, group, block))),
            ("bias", problem.packed(3, each_filter(DType.INT32, group, block))),
            ("numbers", problem.argument(4)),
            *([("other", problem.argument(OTHER))] if problem.has(OTHER) else []),
            ("y", Write(problem.node.outputs[0])),
        ]
    each = each_filter(DType.FLOAT32, group, block)
    return [
        ("x", problem.argument(real.X)),
        ("w", w),
        ("zero", problem.argument(real.ZERO)),
        ("scale", problem.argument(real.SCALE)),
        ("sums", sums_argument(problem, block, group)),
        ("multiplier", problem.packed(real.MULTIPLIER, each)),
        *([("added", problem.packed(real.BIAS, each))] if problem.has(real.BIAS) else []),
        ("y", Write(problem.node.outputs[0])),
    ]


def sums_argument(problem: Problem, block: int, group: int) -> Argument:
    """The sum of each filter's weights."""
    return problem.packed(weights_index(problem), _filter_sums(group, block))


def zero_argument(problem: Problem) -> list[tuple[str, Argument]]:
    """Of kernels that know the zero point of x."""
    if is_real(problem):
        return []
    return [("x_zero", Scalar(int(problem.node.attrs.x_zero)))]


def epilogue_arguments(problem: Problem) -> list[tuple[str, Argument]]:
    """Behind all others."""
    return list(plan_epilogue(problem, problem.device.vector_width).arguments)


def obstacle(problem: Problem) -> str | None:
    """Why a kernel on blocks cannot take the weights, or what follows the sums."""
    needed = [1, 2, 3]
    if is_real(problem):
        needed = [real.W, real.MULTIPLIER, *([real.BIAS] if problem.has(real.BIAS) else [])]
        taps = weights_of(problem).size // max(1, weights_of(problem).shape[0])
        if taps >= _MOST_TAPS:
            return f"sums of {taps} products may not fit 32 bits"
    if not all(problem.is_constant(i) for i in needed):
        return "packs weights that are known before a run"
    return epilogue_obstacle(problem)


def _filter_sums(group: int, block: int) -> Packing:
    """The sum of each filter's weights as int32, padded like each_filter."""
    each = each_filter(DType.INT32, group, block)

    def pack(w: np.ndarray) -> np.ndarray:
        return each.function(w.reshape(len(w), -1).sum(axis=1, dtype=np.int32))

    return Packing("bytes.sums", (group, block), pack)
