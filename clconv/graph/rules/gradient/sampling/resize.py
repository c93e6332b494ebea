"""Gradient of Resize, which is linear: the transposed weights. Regions, scales and sizes get none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clconv.errors import UnsupportedError
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


def resize_gradient(back: Backward) -> Sequence[str]:
    """It is linear, too: what comes back goes the way of the Resize, beyond whose image there are zeros."""
    at, outs = back.attrs, back.spec().shape
    sizes, ratios = back.result.shape, np.array(at.scales, np.float32)
    pairs = list(zip(sizes, outs, ratios, strict=True))
    roi = back.constant(np.array([*at.regions[::2], *at.regions[1::2]], np.float32), "roi")
    if all(int(np.float32(size) * ratio) == out for size, out, ratio in pairs):
        how = [back.constant(ratios, "scales")]
    elif all(np.float32(out / (size or 1)) == ratio for size, out, ratio in pairs):
        how = ["", back.ints(*outs)]
    else:
        raise UnsupportedError(
            f"node '{back.node.name}': no second derivative is known of a Resize that keeps the aspect ratio"
        )
    kept = {k: at[k] for k in INTERPOLATION}
    return [back.one("Resize", back.gradient(), roi, *how, **kept)]
