"""What the variants of ConvWeightGradient share: partial sums, which are added up in a fixed order, and padding."""

from __future__ import annotations

from collections.abc import Sequence

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import Read, Scalar, Write
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.kernel import Lowered, Problem
from clconv.lowering.shared.blocked import kernel_pad_mode
from clconv.lowering.shared.work_split import elements_per_item, items


def weight_gradient_padding(problem: Problem) -> str:
    """The padding mode as templates have it: "none" where no window leaves the image."""
    at, x = problem.node.attrs, problem.x
    if not any(at.pads):
        return "none"
    return kernel_pad_mode(at.pad_mode, x.shape[2:], at.pads)


def partial_sums(problem: Problem, splits: int) -> str:
    """Where the kernels that sum write: the result if they sum all of it, else a buffer (splits, result)."""
    output = problem.node.outputs[0]
    return output if splits == 1 else f"{output}/partial sums"


def sum_parts(problem: Problem, calls: Sequence[KernelCall], splits: int) -> Lowered:
    """The calls that wrote the partial sums, and the one that adds them up."""
    if splits == 1:
        return Lowered(tuple(calls))
    parts, total = partial_sums(problem, splits), problem.y.size
    is_half = problem.y.dtype is DType.FLOAT16
    # Halves are written by a function, and AVX2 passes no vector of 16 floats to one.
    lanes = 4 if not problem.device.is_cpu else 8 if is_half else 16
    per_item = elements_per_item(problem.device, total, 16 if problem.device.is_cpu else lanes)
    kernel = Kernel.of(
        "conv/weight_gradient/sum_parts.cl.mako", "conv_weight_gradient_sum", lanes=lanes
    )
    call = problem.call(
        kernel,
        [
            ("parts", Read(parts)),
            ("dw", Write(problem.node.outputs[0])),
            ("splits", Scalar(splits)),
            ("total", Scalar(total)),
            ("per_item", Scalar(per_item)),
        ],
        (items(total, per_item),),
    )
    return Lowered((*calls, call), scratch={parts: splits * 4 * total})
