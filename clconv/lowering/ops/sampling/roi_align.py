"""The variant of RoiAlign: its definition, on plain tensors."""

from __future__ import annotations

from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.model.obstacles import arithmetic_obstacle, has_double
from clconv.lowering.shared.indexed import index_type
from clconv.lowering.shared.work_split import elements_per_item, items


def _lower(problem: Problem) -> Lowered:
    at, x, y = problem.node.attrs, problem.x, problem.y
    if not y.size:
        return Lowered()
    kernel = Kernel.of(
        "sampling/roi_align/align.cl.mako",
        "roi_align",
        type=C_TYPES[x.dtype.value],
        wide="double" if has_double(problem.device) else "float",
        index=index_type(problem.input(2)),
        largest=at.mode == "max",
        half_pixel=at.coordinate_transformation_mode == "half_pixel",
    )
    per_item = elements_per_item(problem.device, y.size, least=128)
    arguments: list[tuple[str, Argument]] = [
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
        ("total", Scalar(y.size, "long")),
        ("per_item", Scalar(per_item, "long")),
    ]
    return Lowered((problem.call(kernel, arguments, (items(y.size, per_item),)),))


register(Variant("RoiAlign", "simple", arithmetic_obstacle, _lower))
