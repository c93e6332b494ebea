"""Variants of GridSampleGradient and GridSampleGridGradient, on plain tensors.

Where a pixel's gradient comes from follows from the grid alone, so no pixel can look for it: a work-item owns a part of the
image and goes through the whole grid. Nothing is added by two at once, and always in one order.
"""

from __future__ import annotations

import math

from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.model.obstacles import arithmetic_obstacle
from clconv.lowering.shared.work_split import elements_per_item, items, nested

_ITEMS = (
    1024  # of a compute unit of a GPU: more bands of an image than that read the grid for nothing
)


def _kernel(problem: Problem, template: str, entry: str, grid: int) -> Kernel:
    at = problem.node.attrs
    return Kernel.of(
        f"sampling/grid_sample/{template}.cl.mako",
        entry,
        type=C_TYPES[problem.x.dtype.value],
        grid_type=C_TYPES[problem.input(grid).dtype.value],
        axes=problem.x.rank - 2,
        mode=at.mode,
        padding=at.padding_mode,
        align_corners=bool(at.align_corners),
    )


def _image_lower(problem: Problem) -> Lowered:
    dy, dx, device = problem.x, problem.y, problem.device
    if not dx.size:
        return Lowered()
    batch, channels, lines = dx.shape[:3]
    if device.is_cpu:
        # Weights are computed once for all channels of an item.
        wanted = -(-8 * device.compute_units // batch)
        per_item, band = max(1, channels // wanted), lines
    else:
        per_item, bands = 1, -(-_ITEMS * device.compute_units // (batch * channels))
        band = max(1, lines // bands)
    arguments: list[tuple[str, Argument]] = [
        ("dy", problem.argument(0)),
        ("grid", problem.argument(1)),
        ("dx", Write(problem.node.outputs[0])),
        ("channels", Scalar(channels)),
        *((f"size{i}", Scalar(size)) for i, size in enumerate(dx.shape[2:])),
        ("pixels", Scalar(math.prod(dy.shape[2:]), "long")),
        ("band", Scalar(band)),
        ("per_item", Scalar(per_item)),
    ]
    kernel = _kernel(problem, "gradient", "grid_sample_gradient", 1)
    return Lowered(
        (problem.call(kernel, arguments, (items(lines, band), items(channels, per_item), batch)),)
    )


def _image_rounds(problem: Problem) -> int:
    taps = {"nearest": 1, "linear": 2, "cubic": 4}[problem.node.attrs.mode] ** (problem.x.rank - 2)
    return nested(math.prod(problem.x.shape[2:]), 3 * taps)


def _grid_lower(problem: Problem) -> Lowered:
    x, dgrid = problem.input(1), problem.y
    if not dgrid.size:
        return Lowered()
    pixels = math.prod(dgrid.shape[1:-1])
    per_item = elements_per_item(problem.device, pixels, least=max(16, 512 // max(1, x.shape[1])))
    arguments: list[tuple[str, Argument]] = [
        ("dy", problem.argument(0)),
        ("x", problem.argument(1)),
        ("grid", problem.argument(2)),
        ("dgrid", Write(problem.node.outputs[0])),
        ("channels", Scalar(x.shape[1])),
        *((f"size{i}", Scalar(size)) for i, size in enumerate(x.shape[2:])),
        ("pixels", Scalar(pixels, "long")),
        ("per_item", Scalar(per_item, "long")),
    ]
    kernel = _kernel(problem, "grid_gradient", "grid_sample_grid_gradient", 2)
    return Lowered((problem.call(kernel, arguments, (items(pixels, per_item), dgrid.shape[0])),))


register(
    Variant("GridSampleGradient", "simple", arithmetic_obstacle, _image_lower, rounds=_image_rounds)
)
register(Variant("GridSampleGridGradient", "simple", arithmetic_obstacle, _grid_lower))
