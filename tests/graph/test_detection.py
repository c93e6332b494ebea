"""NonMaxSuppression among many boxes keeps what onnxruntime keeps."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from clconv.graph.evaluate import evaluate_node
from clconv.graph.ops import make_node
from clconv.graph.ops.sampling import detection

NAMES = ("boxes", "scores", "most", "overlap", "least")


@pytest.mark.parametrize("box_time", (0.0, 1.0), ids=("best first", "by pairs"))
@pytest.mark.parametrize("centre", (0, 1))
@pytest.mark.parametrize("spread", (3.0, 40.0, 4000.0))
@pytest.mark.parametrize(
    ("most", "overlap", "least"), [(7, 0.5, 0.0), (1000, 0.3, 0.4), (50, 0.0, 0.9)]
)
def test_keeps_what_onnxruntime_keeps(
    monkeypatch: pytest.MonkeyPatch,
    box_time: float,
    centre: int,
    spread: float,
    most: int,
    overlap: float,
    least: float,
) -> None:
    monkeypatch.setattr(detection, "_BOX_TIME", box_time)
    rng = np.random.default_rng(int(spread) + most)
    boxes = rng.uniform(0, spread, (2, 400, 4)).astype(np.float32)
    boxes[:, :, 2:] = boxes[:, :, :2] * (1 - centre) + rng.uniform(-1, 6, (2, 400, 2))
    if centre:
        boxes[:, :, 2:] = np.abs(boxes[:, :, 2:])
    scores = rng.uniform(0, 1, (2, 3, 400)).astype(np.float32).round(2)  # many are equal
    feeds = dict(
        zip(
            NAMES,
            (boxes, scores, np.array([most]), np.float32([overlap]), np.float32([least])),
            strict=True,
        )
    )
    kinds = {"most": TensorProto.INT64}
    graph = helper.make_graph(
        [helper.make_node("NonMaxSuppression", NAMES, ["y"], center_point_box=centre)],
        "g",
        [
            helper.make_tensor_value_info(n, kinds.get(n, TensorProto.FLOAT), a.shape)
            for n, a in feeds.items()
        ],
        [helper.make_tensor_value_info("y", TensorProto.INT64, None)],
    )
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    peer = onnxruntime.InferenceSession(
        data.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (wanted,) = peer.run(None, feeds)
    node = make_node("NonMaxSuppression", NAMES, ("y",), center_point_box=centre)
    (found,) = evaluate_node(node, list(feeds.values()))
    assert len(wanted) > 10
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("box_time", (0.0, 1.0), ids=("best first", "by pairs"))
def test_a_box_that_is_no_number_is_in_nobodys_way(
    monkeypatch: pytest.MonkeyPatch, box_time: float
) -> None:
    monkeypatch.setattr(detection, "_BOX_TIME", box_time)
    boxes = np.float32([[[0, 0, 1, 1], [np.nan] * 4, [0, 0, 1, 1.1], [5, 5, 6, 6]]])
    scores = np.float32([[[0.9, 0.8, 0.7, 0.6]]])
    node = make_node("NonMaxSuppression", NAMES[:4], ("y",))
    (found,) = evaluate_node(node, [boxes, scores, np.array(9), np.float32(0.5)])
    assert found[:, 2].tolist() == [0, 1, 3]


@pytest.mark.parametrize("shape", [(0, 2, 3), (2, 0, 3), (2, 2, 0)])
def test_nothing_is_kept_of_nothing(shape: tuple[int, int, int]) -> None:
    batch, _, count = shape
    node = make_node("NonMaxSuppression", NAMES[:3], ("y",))
    boxes, scores = np.zeros((batch, count, 4), np.float32), np.zeros(shape, np.float32)
    (found,) = evaluate_node(node, [boxes, scores, np.array(9)])
    assert found.shape == (0, 3) and found.dtype == np.int64
