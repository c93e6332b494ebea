"""NonMaxSuppression among many boxes keeps what onnxruntime keeps; NonZero finds what NumPy does."""

from __future__ import annotations

import itertools

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from clconv.graph.evaluate import evaluate_node
from clconv.graph.ops import make_node
from clconv.graph.ops.sampling import candidates, suppression


def take(monkeypatch: pytest.MonkeyPatch, box_time: float) -> None:
    """Best first if that takes no time, else by pairs, which go on best first where the first boxes are not enough."""
    monkeypatch.setattr(suppression, "_BOX_TIME", box_time)
    monkeypatch.setattr(suppression, "_HELD_TIME", box_time)


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
    take(monkeypatch, box_time)
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
    take(monkeypatch, box_time)
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


@pytest.mark.parametrize("box_time", (0.0, 1.0), ids=("best first", "by pairs"))
def test_equal_scores_keep_the_first_and_zeros_of_both_signs_are_equal(
    monkeypatch: pytest.MonkeyPatch, box_time: float
) -> None:
    take(monkeypatch, box_time)
    boxes = (
        np.repeat(np.float32([[[0, 0, 1, 1]]]), 6, 1) + np.arange(6, dtype=np.float32)[:, None] * 9
    )
    scores = np.float32([[[-0.0, 0.0, -np.inf, 3.0, -2.0, 0.0]]])
    node = make_node("NonMaxSuppression", NAMES[:3], ("y",))
    (found,) = evaluate_node(node, [boxes, scores, np.array(9)])
    assert found[:, 2].tolist() == [3, 0, 1, 5, 4]  # minus infinity is not above the threshold


@pytest.mark.parametrize("dtype", ("float16", "float32", "float64"))
def test_order_of_scores(dtype: str) -> None:
    scores = np.random.default_rng(0).standard_normal(3000).astype(dtype)
    scores[::7] = scores[3]
    scores[5], scores[9], scores[11] = np.inf, -np.inf, -0.0
    for groups in (np.zeros(3000, np.int64), np.arange(3000) // 700, np.arange(3000) // 3 * 10**9):
        wanted = np.lexsort((-scores, groups))
        found = candidates._best_first_order(groups, scores)
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("box_time", (0.0, 1.0), ids=("best first", "by pairs"))
def test_keeps_one_of_many_equal_boxes_and_no_more_than_asked(
    monkeypatch: pytest.MonkeyPatch, box_time: float
) -> None:
    take(monkeypatch, box_time)
    boxes = np.float32(np.repeat([[[0, 0, 1, 1], [5, 5, 6, 6], [0, 0, 0, 0]]], 700, 1))
    scores = np.random.default_rng(0).uniform(0, 1, (1, 2, 2100)).astype(np.float32)
    node = make_node("NonMaxSuppression", NAMES[:4], ("y",))
    (found,) = evaluate_node(node, [boxes, scores, np.array(400), np.float32(0.5)])
    for group in (0, 1):
        kept = found[found[:, 1] == group, 2]
        assert len(kept) == 400
        assert np.sum(kept < 700) <= 1 and np.sum((kept >= 700) & (kept < 1400)) <= 1
        assert (np.diff(scores[0, group, kept]) <= 0).all()


def test_threads_keep_what_one_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    corners = rng.uniform(0, 200, (2, 500)).astype(np.float32)
    boxes = suppression.Boxes(np.concatenate([corners, corners + 30]))
    scores = rng.uniform(0, 1, (7, 500)).astype(np.float32)
    threads: list[int] = []
    pool = suppression.ThreadPoolExecutor
    monkeypatch.setattr(
        suppression, "ThreadPoolExecutor", lambda n: (threads.append(n), pool(n))[1]
    )
    monkeypatch.setattr(suppression.os, "cpu_count", lambda: 3)
    wanted = suppression.suppress(boxes, scores, 40, np.float32(0.4), 0.1)
    assert not threads
    monkeypatch.setattr(suppression, "_OF_THREAD", 1 << 7)
    found = suppression.suppress(boxes, scores, 40, np.float32(0.4), 0.1)
    assert threads == [3]
    np.testing.assert_array_equal(found, wanted)
    assert found.dtype == np.int64 and len(set(found[:, 0])) == 7


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0, 2), (9,), (3, 5, 7), (64, 65)])
def test_nonzero_finds_what_numpy_does(shape: tuple[int, ...]) -> None:
    """Whether none, few, many or all are not 0, whose order in memory is another, and NaN is not 0."""
    rng = np.random.default_rng(0)
    for share, dtype in itertools.product(
        (0, 0.02, 0.5, 1), (bool, np.uint8, np.int64, np.float32)
    ):
        x = np.asarray(rng.random(shape) < share).astype(dtype)
        if dtype is np.float32:
            x = np.where(x, np.float32(np.nan), -x)
        for given in (x, x.T):
            expected = np.array(np.nonzero(np.atleast_1d(given)), np.int64)[: given.ndim]
            (found,) = evaluate_node(make_node("NonZero", ("x",), ("y",), "nonzero"), [given])
            assert found.dtype == np.int64
            np.testing.assert_array_equal(found, expected)
