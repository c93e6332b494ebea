"""The variants of RoiAlign, on plain tensors: with tables of where samples lie, on CPUs, and its definition."""

from __future__ import annotations

from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.model.obstacles import arithmetic_obstacle, has_double
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


def _tables_lower(problem: Problem) -> Lowered:
    y = problem.y
    if not y.size:
        return Lowered()
    regions, channels = y.shape[:2]
    parts = min(channels, -(-_SHARES * problem.device.compute_units // regions))
    share = -(-channels // parts)
    arguments = [*_arguments(problem), ("share", Scalar(share))]
    kernel = _kernel(problem, "tables")
    return Lowered((problem.call(kernel, arguments, (regions, items(channels, share))),))


register(
    Variant("RoiAlign", "tables", _tables_apply, _tables_lower),
    Variant("RoiAlign", "simple", arithmetic_obstacle, _lower),
)
