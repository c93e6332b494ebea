"""Cases of RoiAlign: fixed and adaptive sampling, regions that leave the image, degenerate ones."""

from __future__ import annotations

from typing import Any

from clconv.cases.base import Case, Operand, data

REGIONS = [[0, 0, 9, 9], [2.3, 1.7, 7.9, 8.2], [-3, -2, 4, 5], [6, 6, 14, 15], [4, 4, 4.2, 4.1]]


def roi(label: str, **attrs: Any) -> Case:
    rois = Operand((5, 4), values=REGIONS)
    batch = Operand((5,), "int64", values=[0, 1, 1, 0, 1])
    return Case("RoiAlign", label, (data(2, 5, 10, 11, low=0.0), rois, batch), attrs)


SIZE = {"output_height": 3, "output_width": 4}
CASES = (
    roi("average", **SIZE, sampling_ratio=2),
    roi("adaptive", **SIZE),
    roi("max", **SIZE, mode="max", sampling_ratio=2),
    roi("old pixels", **SIZE, coordinate_transformation_mode="output_half_pixel"),
    roi("scaled", **SIZE, spatial_scale=0.5, sampling_ratio=3),
    roi("one pixel"),
)
