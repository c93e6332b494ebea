"""Variants of the normalisations by an input's own statistics: Instance, Group, Layer, RMS, Lp and
mean-variance. All are y = (x - mean) * factor * scale + bias over some axes of a view of x.
"""

from __future__ import annotations

import math
from collections.abc import Hashable

from clconv.graph.ir import PLAIN, DType, Layout
from clconv.lowering.model.arguments import (
    Argument,
    Packed,
    Read,
    Scalar,
    Write,
)
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant, register
from clconv.lowering.model.obstacles import computed, double_obstacle
from clconv.lowering.ops.norm.specification import (
    NormSpecification,
    kept_outputs,
    norm_specification,
)
from clconv.lowering.ops.norm.statistics import statistics_lower, statistics_rounds
from clconv.lowering.shared.epilogue import channel_packing
from clconv.lowering.shared.groups import WorkSplit, group_obstacle
from clconv.lowering.shared.point_work import Shape
from clconv.lowering.shared.split_lines import Split, line_variants
from clconv.lowering.shared.work_split import elements_per_item, items

# --- rows: statistics over the last axes, in one go -----------------------------------------------------


def _affine(norm: NormSpecification) -> str | None:
    """How norm/rows reads scale and bias: "none", "element" or "segment"; None if it cannot."""
    if norm.scale is None:
        return "none"
    whole = tuple(norm.view[i] for i in norm.axes)

    def covers(shape: Shape) -> bool:
        return shape[-len(whole) :] == whole and math.prod(shape) == math.prod(whole)

    if covers(norm.scale) and (norm.bias is None or covers(norm.bias)):
        return "element"
    by_segment = (*norm.view[1:3], 1)
    if norm.axes != (2, 3) or norm.scale != by_segment:
        return None
    return "segment" if norm.bias in (None, by_segment) else None


def _float_obstacle(problem: Problem) -> str | None:
    if any(s is not None and computed(s.dtype) is not DType.FLOAT32 for s in problem.inputs):
        return "needs float32 or float16"
    if not problem.device.is_cpu or problem.device.vector_width == 1:
        return "needs a CPU device with vectors"
    return None


def _rows_obstacle(problem: Problem) -> str | None:
    """Why no kernel can take the statistics row by row."""
    norm = norm_specification(problem)
    if norm.rows is None:
        return "needs statistics over the last axes"
    if max(norm.rows) >= 1 << 31:
        return "needs sizes below 2^31"
    if _affine(norm) is None:
        return f"scale {norm.scale} or bias {norm.bias} repeats inside the normalised axes"
    return None


def _rows_applies(problem: Problem) -> str | None:
    return _rows_obstacle(problem) or _float_obstacle(problem)


def _group_applies(problem: Problem) -> str | None:
    return _rows_obstacle(problem) or group_obstacle(problem)


def _rows_parameters(problem: Problem, norm: NormSpecification) -> dict[str, Hashable]:
    kept = dict(kept_outputs(problem))
    return {
        "mean": norm.mean,
        "measure": norm.measure,
        "rest": norm.rest,
        "affine": _affine(norm),
        "bias": norm.bias is not None,
        "keep_mean": "kept_mean" in kept,
        "keep_factor": "kept_factor" in kept,
    }


def _tensors(problem: Problem, norm: NormSpecification) -> list[tuple[str, Argument]]:
    return [
        ("x", problem.argument(0)),
        *([("scale", problem.argument(1))] if norm.scale is not None else []),
        *([("bias", problem.argument(2))] if norm.bias is not None else []),
        ("y", Write(problem.node.outputs[0])),
        *kept_outputs(problem),
    ]


def _segments(norm: NormSpecification, n: int) -> list[tuple[str, Argument]]:
    """segments, length, period: how scale and bias repeat along a row and from row to row."""
    by_segment = _affine(norm) == "segment"
    segments = norm.view[2] if by_segment else 1
    return [
        ("segments", Scalar(segments)),
        ("length", Scalar(n // segments)),
        ("period", Scalar(norm.view[1] if by_segment else 1)),
    ]


def _rows_lower(problem: Problem) -> Lowered:
    norm = norm_specification(problem)
    if problem.x.size == 0:
        return Lowered()
    assert norm.rows is not None
    outer, n = norm.rows
    kernel = Kernel.of(
        "norm/rows.cl.mako",
        "norm_rows",
        width=problem.device.vector_width,
        **_rows_parameters(problem, norm),
    )
    rows = items(elements_per_item(problem.device, outer * n), n)
    arguments: list[tuple[str, Argument]] = [
        *_tensors(problem, norm),
        ("outer", Scalar(outer)),
        *_segments(norm, n),
        ("rows", Scalar(rows)),
    ]
    return Lowered((problem.call(kernel, arguments, (items(outer, rows),)),))


def _group_lower(problem: Problem) -> Lowered:
    norm = norm_specification(problem)
    assert norm.rows is not None
    outer, n = norm.rows
    work_split = WorkSplit.of(problem.device, outer, n, 1)
    kernel = Kernel.of(
        "norm/group.cl.mako", "norm_group", work_split=work_split, **_rows_parameters(problem, norm)
    )
    arguments: list[tuple[str, Argument]] = [
        *_tensors(problem, norm),
        ("outer", Scalar(outer)),
        ("n", Scalar(n)),
        ("inner", Scalar(1)),
        *_segments(norm, n),
    ]
    return Lowered((problem.call(kernel, arguments, *work_split.sizes(outer, 1)),))


# --- split: few long rows, on GPUs ----------------------------------------------------------------------


def _lines(problem: Problem) -> tuple[int, int, int] | None:
    rows = norm_specification(problem).rows
    return None if rows is None else (*rows, 1)


def _split_lower(problem: Problem) -> Lowered:
    norm, lines = norm_specification(problem), _lines(problem)
    assert lines is not None
    split, y = Split.of(problem, lines), problem.node.outputs[0]
    tops, rests, factors = (f"{y}/{what}" for what in ("tops", "rests", "factors"))
    kernel = Kernel.of(
        "norm/group.cl.mako",
        "norm_group",
        work_split=split.work_split,
        **_rows_parameters(problem, norm),
    )
    x, *others = _tensors(problem, norm)
    arguments: list[tuple[str, Argument]] = [
        x,
        *(
            [("top_parts", Read(tops)), ("rest_parts", Read(rests))]
            if norm.mean is not None
            else []
        ),
        ("factor_parts", Read(factors)),
        *others,
        *split.arguments(),
        *_segments(norm, lines[1]),
    ]
    apply = split.call(problem, kernel, arguments)
    if norm.rest is None or norm.mean is None:
        measure = split.part_call(problem, norm.measure, factors)
        return Lowered((measure, apply), {factors: split.nbytes})
    mean = split.part_call(problem, norm.mean, tops)
    measure = split.part_call(
        problem, norm.measure, factors, norm.mean, tops, norm.rest.mean, rests
    )
    return Lowered((mean, measure, apply), dict.fromkeys((tops, rests, factors), split.nbytes))


def _split_launches(problem: Problem) -> int:
    return 2 if norm_specification(problem).mean is None else 3


# --- pixels: each channel of an image, on channel blocks ------------------------------------------------


def _pixels_applies(problem: Problem) -> str | None:
    if not (problem.is_constant(1) and problem.is_constant(2)):
        return "needs constant scale and bias"
    return _float_obstacle(problem)


def _pixels_signatures(problem: Problem) -> list[Signature]:
    blocked = Layout(problem.device.vector_width)
    return [Signature((x, PLAIN, PLAIN), (x,)) for x in (blocked, PLAIN)]


def _pixels_lower(problem: Problem) -> Lowered:
    layout = problem.x.layout
    if layout.is_plain:
        return _rows_lower(problem)
    batch, blocks, *spatial, block = layout.physical(problem.x.shape)
    if problem.x.size == 0:
        return Lowered()
    norm = norm_specification(problem)
    kernel = Kernel.of(
        "norm/pixels.cl.mako",
        "norm_pixels",
        block=block,
        mean=norm.mean,
        measure=norm.measure,
        rest=norm.rest,
    )
    packing = channel_packing(block)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("scale", Packed(problem.node.inputs[1], packing)),
        ("bias", Packed(problem.node.inputs[2], packing)),
        ("y", Write(problem.node.outputs[0])),
        ("blocks", Scalar(blocks)),
        ("n", Scalar(math.prod(spatial))),
    ]
    return Lowered((problem.call(kernel, arguments, (batch * blocks,)),))


for _name in (
    "InstanceNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "RMSNormalization",
    "LpNormalization",
    "MeanVarianceNormalization",
):
    register(
        *line_variants(_name, _lines, _group_applies, _group_lower, _split_lower, _split_launches)
    )
    if _name == "InstanceNormalization":
        register(Variant(_name, "pixels", _pixels_applies, _pixels_lower, _pixels_signatures))
    register(
        Variant(_name, "rows", _rows_applies, _rows_lower),
        Variant(_name, "simple", double_obstacle, statistics_lower, rounds=statistics_rounds),
    )
