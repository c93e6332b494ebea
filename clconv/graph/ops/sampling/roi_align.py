"""RoiAlign: pools fractional regions of an image to a fixed size (Mask R-CNN, He et al. 2017)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from clconv.errors import InputError
from clconv.graph.ir import Node, TensorSpec
from clconv.graph.ops.base import Call, Cost, Op, register, same_dtype
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import check_constant_indices, expect_index, expect_kind, moved_bytes
from clconv.graph.rules.gradient.sampling import roi_align as gradient
from clconv.records import record

# Samples of a bin along each axis, if the model says how many: no image has more pixels that they could tell apart.
_MOST_SAMPLES = 4096

ROI_ATTRIBUTES = {
    "mode": "avg",
    "output_height": 1,
    "output_width": 1,
    "sampling_ratio": 0,  # samples a bin along each axis; 0: as many as the bin has pixels
    "spatial_scale": 1.0,
    "coordinate_transformation_mode": "half_pixel",
}


def _infer(call: Call) -> Sequence[TensorSpec]:
    x, rois, batch, at = call.spec(0), call.spec(1), call.spec(2), call.attrs
    same_dtype(call, 0, 1)
    expect_kind(call, 0, "float")
    expect_index(call, 2)
    call.expect(x.rank == 4, "the input must be (batch, channels, height, width)")
    call.expect(rois.rank == 2 and rois.shape[1] == 4, "rois must be (regions, 4)")
    call.expect(batch.shape == rois.shape[:1], f"batch_indices must have shape {rois.shape[:1]}")
    check_constant_indices(call, 2, x.shape[0])
    call.expect(at.mode in ("avg", "max"), f"mode {at.mode!r} is neither avg nor max")
    call.expect(
        at.coordinate_transformation_mode in ("half_pixel", "output_half_pixel"),
        "coordinate_transformation_mode must be half_pixel or output_half_pixel",
    )
    call.expect(min(x.shape[2:]) > 0, "an empty image cannot be sampled")
    call.expect(
        min(at.output_height, at.output_width) >= 1 and at.sampling_ratio >= 0,
        "output_height and output_width must be at least 1, sampling_ratio at least 0",
    )
    call.expect(
        at.sampling_ratio <= _MOST_SAMPLES,
        f"sampling_ratio {at.sampling_ratio} is more than the {_MOST_SAMPLES} samples along a bin that would end",
    )
    shape = (rois.shape[0], x.shape[1], at.output_height, at.output_width)
    return [TensorSpec(shape, x.dtype)]


def corners(place: float, size: int) -> list[tuple[int, float]]:
    """The two pixels around a place along one axis of the image, with their weights."""
    place = max(place, 0.0)
    low = int(place)
    if low >= size - 1:
        return [(size - 1, 1.0), (size - 1, 0.0)]
    return [(low, 1 - (place - low)), (low + 1, place - low)]


def _samples(start: float, step: float, i: int, count: int, size: int) -> list[float]:
    """Places of the samples of bin i that lie on the image, of `count` along an axis: there may be 1e9 others."""
    places = range(count)
    if count > 2 * size + 8:
        first = math.floor(((-1 - start) / step - i) * count - 0.5) - 1
        last = math.ceil(((size - start) / step - i) * count + 0.5) + 1
        places = range(min(max(first, 0), count), min(max(last, 0), count))
    found = (start + (i + (k + 0.5) / count) * step for k in places)
    return [place for place in found if -1 <= place <= size]


def _bin(at: Any, image: np.ndarray, ys: Sequence[float], xs: Sequence[float], count: int) -> Any:
    """One output pixel of every channel, of `count` samples. ONNX's max takes the largest weighted corner."""
    height, width = image.shape[1:]
    weighted = [
        [
            wy * wx * image[:, py, px]
            for py, wy in corners(y, height)
            for px, wx in corners(x, width)
        ]
        for y in ys
        for x in xs
    ]
    if not weighted:
        return np.zeros(image.shape[0])
    if at.mode == "max":
        return np.maximum(np.max(weighted, (0, 1)), 0.0 if len(weighted) < count else -np.inf)
    return np.sum(weighted, (0, 1)) / count


@record(frozen=True)
class Bin:
    """Bin (row, column) of a region of an image: places of its samples that lie on the image, of `count` in all."""

    region: int
    image: int
    row: int
    column: int
    ys: Sequence[float]
    xs: Sequence[float]
    count: int


def bins(
    at: Any, rois: np.ndarray, batch: np.ndarray, images: Sequence[int], out: Sequence[int]
) -> Iterator[Bin]:
    """All bins of all regions. images: (how many, height, width); out: (rows, columns) of bins of a region."""
    half_pixel = at.coordinate_transformation_mode == "half_pixel"
    for n, (roi, image) in enumerate(zip(rois.astype(np.float64), batch, strict=True)):
        if not 0 <= image < images[0]:
            raise InputError(f"RoiAlign: batch index {image} is outside 0..{images[0] - 1}")
        x0, y0, x1, y1 = roi * at.spatial_scale - (0.5 if half_pixel else 0.0)
        width, height = x1 - x0, y1 - y0
        if not half_pixel:  # degenerate regions become one pixel
            width, height = max(width, 1.0), max(height, 1.0)
        step_y, step_x = height / out[0], width / out[1]
        if not np.isfinite([x0, y0, step_y, step_x]).all():
            continue
        count_y = at.sampling_ratio or max(math.ceil(step_y), 0)
        count_x = at.sampling_ratio or max(math.ceil(step_x), 0)
        for i in range(out[0]):
            for j in range(out[1]):
                ys = _samples(y0, step_y, i, count_y, images[1])
                xs = _samples(x0, step_x, j, count_x, images[2])
                yield Bin(n, int(image), i, j, ys, xs, count_y * count_x)


def _reference(at: Any, x: np.ndarray, rois: np.ndarray, batch: np.ndarray) -> np.ndarray:
    out = np.zeros((len(rois), x.shape[1], at.output_height, at.output_width))
    images = (x.shape[0], *x.shape[2:])
    for one in bins(at, rois, batch, images, out.shape[2:]):
        image = x[one.image].astype(np.float64)
        out[one.region, :, one.row, one.column] = _bin(at, image, one.ys, one.xs, one.count)
    return out.astype(x.dtype)


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    samples = max(1, node.attrs.sampling_ratio) ** 2
    return Cost(8 * samples * outputs[0].size, moved_bytes(inputs, outputs))


register(
    Op(
        "RoiAlign",
        _infer,
        _reference,
        _cost,
        ROI_ATTRIBUTES,
        inputs=(3, 3),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.roi_align,
        ),
    )
)
