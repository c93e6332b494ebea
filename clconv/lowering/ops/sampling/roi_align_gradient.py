"""The variant of RoiAlignGradient, on plain tensors: a work-item owns a part of an image and goes through all regions."""

from __future__ import annotations

from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.model.obstacles import arithmetic_obstacle, has_double
from clconv.lowering.shared.indexed import index_type
from clconv.lowering.shared.work_split import items

_ITEMS = 256  # of a compute unit of a GPU: each goes through all regions


def _lower(problem: Problem) -> Lowered:
    at, dy, dx, device = problem.node.attrs, problem.x, problem.y, problem.device
    if not dx.size:
        return Lowered()
    batch, channels, height, width = dx.shape
    largest = at.mode == "max"
    kernel = Kernel.of(
        "sampling/roi_align/gradient.cl.mako",
        "roi_align_gradient",
        type=C_TYPES[dy.dtype.value],
        wide="double" if has_double(device) else "float",
        index=index_type(problem.input(2)),
        largest=largest,
        half_pixel=at.coordinate_transformation_mode == "half_pixel",
    )
    if device.is_cpu:
        share, band = max(1, channels // -(-8 * device.compute_units // batch)), height
    else:
        share, band = 1, max(1, height // -(-_ITEMS * device.compute_units // (batch * channels)))
    arguments: list[tuple[str, Argument]] = [
        ("dy", problem.argument(0)),
        ("rois", problem.argument(1)),
        ("images", problem.argument(2)),
        *([("x", problem.argument(3))] if largest else []),
        ("dx", Write(problem.node.outputs[0])),
        ("channels", Scalar(channels)),
        ("height", Scalar(height)),
        ("width", Scalar(width)),
        ("regions", Scalar(dy.shape[0])),
        ("rows", Scalar(dy.shape[2])),
        ("columns", Scalar(dy.shape[3])),
        ("samples", Scalar(at.sampling_ratio)),
        ("spatial_scale", Scalar(float(at.spatial_scale), "float")),
        ("band", Scalar(band)),
        ("share", Scalar(share)),
    ]
    index_space = (items(height, band), items(channels, share), batch)
    return Lowered((problem.call(kernel, arguments, index_space),))


register(Variant("RoiAlignGradient", "simple", arithmetic_obstacle, _lower))
