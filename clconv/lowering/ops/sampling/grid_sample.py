"""Variants of GridSample and AffineGrid: one pass over the pixels of the result, on plain tensors or channel blocks."""

from __future__ import annotations

import math

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.model.obstacles import arithmetic_obstacle
from clconv.lowering.shared.blocked import blocked_obstacle, blocked_signatures
from clconv.lowering.shared.work_split import elements_per_item, items


def _sample_lower(problem: Problem) -> Lowered:
    at, x, y = problem.node.attrs, problem.x, problem.y
    if not y.size:
        return Lowered()
    sizes, pixels, block = x.shape[2:], math.prod(y.shape[2:]), max(1, x.layout.block)
    channels = -(-x.shape[1] // block)
    kernel = Kernel.of(
        "sampling/grid_sample/sample.cl.mako",
        "grid_sample",
        type=C_TYPES[x.dtype.value],
        grid_type=C_TYPES[problem.input(1).dtype.value],
        axes=len(sizes),
        mode=at.mode,
        padding=at.padding_mode,
        align_corners=bool(at.align_corners),
        block=block,
    )
    per_item = elements_per_item(problem.device, pixels, least=max(16, 512 // channels))
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("grid", problem.argument(1)),
        ("y", Write(problem.node.outputs[0])),
        ("channels", Scalar(channels)),
        *((f"size{i}", Scalar(size)) for i, size in enumerate(sizes)),
        ("pixels", Scalar(pixels, "long")),
        ("per_item", Scalar(per_item, "long")),
    ]
    return Lowered((problem.call(kernel, arguments, (items(pixels, per_item), x.shape[0])),))


def _blocked_applies(problem: Problem) -> str | None:
    if problem.x.dtype is not DType.FLOAT32:
        return f"needs float32, got {problem.x.dtype.value}"
    obstacle = arithmetic_obstacle(problem) or blocked_obstacle(problem, problem.x.rank)
    if obstacle:
        return obstacle
    width, axes = problem.device.vector_width, problem.x.rank - 2
    if width == 1 or problem.x.shape[1] <= width // 2:
        return "half of each block, or more, would be empty"
    return "takes rows and columns only" if axes > 2 else None


def _affine_lower(problem: Problem) -> Lowered:
    y = problem.y
    if not y.size:
        return Lowered()
    sizes = y.shape[1:-1]
    kernel = Kernel.of(
        "sampling/grid_sample/affine.cl.mako",
        "affine_grid",
        type=C_TYPES[y.dtype.value],
        axes=len(sizes),
        align_corners=bool(problem.node.attrs.align_corners),
    )
    total = y.shape[0] * math.prod(sizes)
    per_item = elements_per_item(problem.device, total, least=512)
    arguments: list[tuple[str, Argument]] = [
        ("theta", problem.argument(0)),
        ("grid", Write(problem.node.outputs[0])),
        *((f"size{i}", Scalar(size)) for i, size in enumerate(sizes)),
        ("total", Scalar(total, "long")),
        ("per_item", Scalar(per_item, "long")),
    ]
    return Lowered((problem.call(kernel, arguments, (items(total, per_item),)),))


register(
    Variant("GridSample", "blocked", _blocked_applies, _sample_lower, blocked_signatures),
    Variant("GridSample", "simple", arithmetic_obstacle, _sample_lower),
)
register(Variant("AffineGrid", "simple", arithmetic_obstacle, _affine_lower))
