"""NonMaxSuppression: the best boxes of each class that do not overlap too much. Runs on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import Call, Op, register
from clconv.graph.ops.numeric import data_dependent, expect_kind


def _infer(call: Call) -> Sequence[TensorSpec]:
    boxes, scores = call.spec(0), call.spec(1)
    for i in (0, 1):
        expect_kind(call, i, "float")
    call.expect(boxes.rank == 3 and boxes.shape[2] == 4, "boxes must be (batch, boxes, 4)")
    call.expect(
        scores.rank == 3 and (scores.shape[0], scores.shape[2]) == boxes.shape[:2],
        f"scores must be ({boxes.shape[0]}, classes, {boxes.shape[1]})",
    )
    return data_dependent(call, _reference)


def _edges(at: Any, boxes: np.ndarray) -> np.ndarray:
    """(n, 4) as y0, x0, y1, x1 with the smaller corner first."""
    if at.center_point_box:
        x, y, width, height = boxes.T
        return np.stack([y - height / 2, x - width / 2, y + height / 2, x + width / 2], 1)
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    return np.concatenate([low, high], 1)


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = np.prod(np.maximum(sides, 0))
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared
    return float(shared / union) if union > 0 else 0.0


def _reference(
    at: Any,
    boxes: np.ndarray,
    scores: np.ndarray,
    most: np.ndarray | None = None,
    overlap: np.ndarray | None = None,
    least: np.ndarray | None = None,
) -> np.ndarray:
    """(selected, 3) int64: batch, class and box index, the best box of each class first."""
    limit = 0 if most is None else int(most.reshape(-1)[0])
    allowed = 0.0 if overlap is None else float(overlap.reshape(-1)[0])
    threshold = -np.inf if least is None else float(least.reshape(-1)[0])
    selected: list[tuple[int, int, int]] = []
    for n in range(scores.shape[0]):
        edges = _edges(at, boxes[n].astype(np.float64))
        for c in range(scores.shape[1]):
            kept: list[int] = []
            for i in np.argsort(-scores[n, c], kind="stable"):
                if len(kept) >= limit or not scores[n, c, i] > threshold:
                    break
                if all(_overlap(edges[i], edges[k]) <= allowed for k in kept):
                    kept.append(int(i))
            selected += [(n, c, i) for i in kept]
    return np.array(selected, np.int64).reshape(-1, 3)


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
