"""The variants of RoiAlign: with tables of where samples lie, on CPUs, on channel blocks and plain; its definition."""

from __future__ import annotations

from clconv.graph.ir import PLAIN, DType, Layout
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant, register
from clconv.lowering.model.obstacles import arithmetic_obstacle, has_double
from clconv.lowering.shared.blocked import blocked_obstacle, blocked_signature
from clconv.lowering.shared.indexed import index_type
from clconv.lowering.shared.work_split import elements_per_item, items

_SHARES = 8  # of the channels, for each compute unit: what is left to balance with


def _kernel(problem: Problem, name: str) -> Kernel:
    at = problem.node.attrs
    return Kernel.of(
        f"sampling/roi_align/{name}.cl.mako",
        "roi_align",
        type=C_TYPES[problem.x.dtype.value],
        wide="double" if has_double(problem.device) else "float",
        index=index_type(problem.input(2)),
        largest=at.mode == "max",
        half_pixel=at.coordinate_transformation_mode == "half_pixel",
    )


def _arguments(problem: Problem) -> list[tuple[str, Argument]]:
    at, x, y = problem.node.attrs, problem.x, problem.y
    return [
        ("x", problem.argument(0)),
        ("rois", problem.argument(1)),
        ("images", problem.argument(2)),
        ("y", Write(problem.node.outputs[0])),
        ("batch", Scalar(x.shape[0])),
        ("channels", Scalar(x.shape[1])),
        ("height", Scalar(x.shape[2])),
        ("width", Scalar(x.shape[3])),
        ("rows", Scalar(y.shape[2])),
        ("columns", Scalar(y.shape[3])),
        ("samples", Scalar(at.sampling_ratio)),
        ("spatial_scale", Scalar(float(at.spatial_scale), "float")),
    ]


def _lower(problem: Problem) -> Lowered:
    y = problem.y
    if not y.size:
        return Lowered()
    per_item = elements_per_item(problem.device, y.size, least=128)
    arguments = [
        *_arguments(problem),
        ("total", Scalar(y.size, "long")),
        ("per_item", Scalar(per_item, "long")),
    ]
    kernel = _kernel(problem, "align")
    return Lowered((problem.call(kernel, arguments, (items(y.size, per_item),)),))


def _tables_apply(problem: Problem) -> str | None:
    if not problem.device.is_cpu:
        return "only for CPUs: elsewhere neighbouring work-items share what they look up"
    return arithmetic_obstacle(problem)


def _shares(problem: Problem, kernel: Kernel, lines: int) -> Lowered:
    """A launch that shares out the lines of each region: its channels, or blocks of them."""
    regions = problem.y.shape[0]
    parts = min(lines, -(-_SHARES * problem.device.compute_units // regions))
    share = -(-lines // parts)
    arguments = [*_arguments(problem), ("share", Scalar(share))]
    return Lowered((problem.call(kernel, arguments, (regions, items(lines, share))),))


def _tables_lower(problem: Problem) -> Lowered:
    if not problem.y.size:
        return Lowered()
    return _shares(problem, _kernel(problem, "tables"), problem.y.shape[1])


def _blocked_applies(problem: Problem) -> str | None:
    if problem.x.dtype is not DType.FLOAT32:
        return f"needs float32, got {problem.x.dtype.value}"
    if problem.node.attrs.mode == "max":
        return "takes means only"
    if problem.device.vector_width == 1:
        return "channel blocks are for devices with vectors"
    return blocked_obstacle(problem)


def _blocked_signatures(problem: Problem) -> list[Signature]:
    blocked = Layout(problem.device.vector_width)
    return [blocked_signature(problem, blocked, y) for y in (PLAIN, blocked)]


def _blocked_lower(problem: Problem) -> Lowered:
    if not problem.y.size:
        return Lowered()
    block, at = problem.x.layout.block, problem.node.attrs
    kernel = Kernel.of(
        "sampling/roi_align/blocked.cl.mako",
        "roi_align_blocked",
        block=block,
        wide="double" if has_double(problem.device) else "float",
        index=index_type(problem.input(2)),
        half_pixel=at.coordinate_transformation_mode == "half_pixel",
        result_blocked=not problem.y.layout.is_plain,
    )
    return _shares(problem, kernel, -(-problem.y.shape[1] // block))


register(
    Variant("RoiAlign", "blocked", _blocked_applies, _blocked_lower, _blocked_signatures),
    Variant("RoiAlign", "tables", _tables_apply, _tables_lower),
    Variant("RoiAlign", "simple", arithmetic_obstacle, _lower),
)
