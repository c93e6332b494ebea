"""NonMaxSuppression: the best boxes of each class that do not overlap too much. Runs on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import Call, Op, register
from clconv.graph.ops.numeric import data_dependent, expect_kind
from clconv.graph.ops.sampling.suppression import Boxes, suppress


def _infer(call: Call) -> Sequence[TensorSpec]:
    boxes, scores = call.spec(0), call.spec(1)
    for i in (0, 1):
        expect_kind(call, i, "float")
    call.expect(boxes.rank == 3 and boxes.shape[2] == 4, "boxes must be (batch, boxes, 4)")
    call.expect(
        scores.rank == 3 and (scores.shape[0], scores.shape[2]) == boxes.shape[:2],
        f"scores must be ({boxes.shape[0]}, classes, {boxes.shape[1]})",
    )
    for i, name in enumerate(("boxes at most", "largest overlap", "least score"), 2):
        if call.has(i):
            call.expect(call.spec(i).size == 1, f"input {i} ({name}) must hold one value")
            expect_kind(call, i, "number")
    return data_dependent(call, _reference)


def _edges(at: Any, boxes: np.ndarray) -> np.ndarray:
    """(4, n): y0, x0, y1, x1 with the smaller corner first, in the boxes' own precision."""
    if at.center_point_box:
        x, y, width, height = boxes.T
        return np.stack([y - height / 2, x - width / 2, y + height / 2, x + width / 2])
    columns = np.ascontiguousarray(boxes.T)
    low, high = np.minimum(columns[:2], columns[2:]), np.maximum(columns[:2], columns[2:])
    return np.concatenate([low, high])


def _reference(
    at: Any,
    boxes: np.ndarray,
    scores: np.ndarray,
    most: np.ndarray | None = None,
    overlap: np.ndarray | None = None,
    least: np.ndarray | None = None,
) -> np.ndarray:
    """(selected, 3) int64: batch, class and box index, the best box of each class first."""
    limit = 0 if most is None else max(int(most.reshape(-1)[0]), 0)
    allowed = boxes.dtype.type(0.0 if overlap is None else float(overlap.reshape(-1)[0]))
    threshold = -np.inf if least is None else float(least.reshape(-1)[0])
    with np.errstate(all="ignore"):  # boxes without an area, or without edges
        images = [Boxes(_edges(at, some)) for some in boxes] if limit else []
        found = [np.empty((0, 3), np.int64)]
        for i, image in enumerate(images):
            places = suppress(image, scores[i], limit, allowed, threshold)
            found.append(np.column_stack([np.full(len(places), i, np.int64), places]))
    return np.concatenate(found)


register(
    Op(
        "NonMaxSuppression",
        _infer,
        _reference,
        attributes={"center_point_box": 0},
        inputs=(2, 5),
        host_only=True,
    )
)
