"""Cases of RoiAlign: fixed and adaptive sampling, regions that leave the image, degenerate ones."""

from __future__ import annotations

from typing import Any

from clconv.cases.base import Case, Operand, data

REGIONS = [[0, 0, 9, 9], [2.3, 1.7, 7.9, 8.2], [-3, -2, 4, 5], [6, 6, 14, 15], [4, 4, 4.2, 4.1]]


# Boxes far larger than the image: of some 1e18 samples a few lie on it; where the number of samples overflowed an int.
FAR = [
    [0, 0, 1e9, 1e9],
    [-1e9, -3e8, 1.2e9, 7],
    [0, 0, 1e5, 1e5],
    [-2e5, -1e5, -1e3, 5],
    [3e8, 1, 1e9, 6],
]
ODD = [[0, 0, "inf", 9], ["-inf", 0, 4, 9], ["nan", 1, 5, 6], [1, 2, 3, "nan"], [0, 0, 1e30, 1e30]]


def roi(label: str, regions: list[Any] = REGIONS, /, **attrs: Any) -> Case:
    rois = Operand((5, 4), values=[[float(v) for v in region] for region in regions])
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
    roi("far boxes", FAR, **SIZE),
    roi("far boxes max", FAR, **SIZE, mode="max"),
    roi("far boxes old pixels", FAR, coordinate_transformation_mode="output_half_pixel"),
    roi("far boxes sampled", FAR, **SIZE, sampling_ratio=5),
    roi("boxes without an end", ODD, **SIZE),
    roi("boxes without an end old pixels", ODD, coordinate_transformation_mode="output_half_pixel"),
)
