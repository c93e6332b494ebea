"""Gradient of Resize, which is linear: the transposed weights. Regions, scales and sizes get none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clconv.graph.ops.sampling.interpolation import resize_axes

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward

INTERPOLATION = (
    "mode",
    "coordinate_transformation_mode",
    "nearest_mode",
    "cubic_coeff_a",
    "exclude_outside",
    "antialias",
)


def resize(back: Backward) -> Sequence[str]:
    roi, scales, sizes = (back.value(i) for i in (1, 2, 3))
    axes = resize_axes(back.attrs, back.spec().shape, roi, scales, sizes)
    dx = back.one(
        "ResizeGradient",
        back.gradient(),
        size=tuple(-1 if axis.is_copy else axis.size for axis in axes),
        scales=tuple(axis.scale for axis in axes),
        regions=tuple(end for axis in axes for end in axis.roi),
        **{k: back.attrs[k] for k in INTERPOLATION},
    )
    return [dx, *[""] * (len(back.node.inputs) - 1)]
