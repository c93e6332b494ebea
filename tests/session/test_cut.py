"""Networks whose shapes depend on data: run in parts, each planned once its inputs are known."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import DType, Graph, TensorSpec
from clconv.planning.planner import Planner
from tests.graph.graph_builder import Builder
from tests.runtime.support import SAME, assert_runs_right, counted, picture, session_for


def found_rows() -> Graph:
    """The rows of a convolution's result where a score is positive: NonZero, then Gather."""
    b = Builder()
    x, scores = b.input("n", 8), b.input("n", name="scores")
    rows = b.node("Gemm", x, b.random(8, 16), b.random(16), alpha=1.0, beta=1.0, transA=0, transB=0)
    b.specs[scores] = TensorSpec(("n",))
    where = b.node("NonZero", b.node("Greater", scores, b.constant(0.0)))
    index = b.node("Squeeze", where, b.constant([0], "int64"))
    chosen = b.node("Gather", b.node("Relu", rows), index, axis=0, out="chosen")
    return b.graph(b.node("Sigmoid", chosen, out="end"), index, scores)


def test_what_is_found_decides_the_shape(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = found_rows()
    session = session_for(graph, device)
    rng = np.random.default_rng(3)
    for count in (4, 7, 4, 1):
        feeds = {
            "x": picture(count, 8, seed=count),
            "scores": rng.uniform(-1, 1, count).astype(np.float32),
        }
        assert_runs_right(session, graph, feeds)
    for scores in (np.zeros(4), np.ones(4)):  # nothing found, all found
        feeds = {"x": picture(4, 8), "scores": scores.astype(np.float32)}
        assert_runs_right(session, graph, feeds)


def test_plans_behind_a_cut_are_kept(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = found_rows()
    session = session_for(graph, device)
    session.run({"x": picture(4, 8), "scores": np.array([1, -1, 1, -1], np.float32)})
    with counted(monkeypatch, (Planner, "plan")) as calls:
        # Two found again, though others: same shapes.
        feeds = {"x": picture(4, 8, seed=5), "scores": np.array([-1, -1, 2, 3], np.float32)}
        assert_runs_right(session, graph, feeds)
        assert calls == []
        feeds["scores"] = np.array([1, 1, 2, -3], np.float32)
        assert_runs_right(session, graph, feeds)
    assert calls == ["plan"]


def reshaped() -> Graph:
    """A shape that is fed, and one that a network computes."""
    b = Builder()
    x = b.input(1, 8, "h", "w")
    b.specs["shape"] = TensorSpec((3,), DType.INT64)
    y = b.node("Relu", b.conv(x, 16, 8, 3, **SAME), out="y")
    z = b.node("Reshape", y, "shape", out="z")
    w = b.node("Softmax", z, axis=-1, out="w")
    return b.graph(w, y, b.constant([1.0, 2.0]), "shape", x)


def test_a_shape_that_is_fed(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = reshaped()
    session = session_for(graph, device)
    shapes = ([1, 16, -1], [4, 4, -1], [-1, 6, 8])
    with counted(monkeypatch, (Planner, "plan")) as calls:
        for shape in (*shapes, *shapes):
            feeds = {"x": picture(1, 8, 4, 6, seed=shape[1]), "shape": np.array(shape, np.int64)}
            assert_runs_right(session, graph, feeds)
    assert calls == ["plan"] * 4, "the first part, and the rest once for each shape"


def test_several_cuts_one_behind_the_other(device: DeviceInfo) -> None:
    b = Builder()
    x = b.input("n")
    first = b.node("Compress", x, b.node("Greater", x, b.constant(0.0)), axis=0, out="first")
    doubled = b.node("Add", first, first)
    keep = b.node("Less", doubled, b.constant(1.0))
    second = b.node("Compress", doubled, keep, axis=0, out="second")
    graph = b.graph(b.node("Sqrt", second, out="end"), first, second)
    session = session_for(graph, device)
    for seed, count in enumerate((6, 9, 6, 30)):
        assert_runs_right(session, graph, {"x": picture(count, seed=seed)})


def test_constants_made_on_the_host_reach_the_rest(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values that fold as soon as the shape is known, in the part before the cut and behind it."""
    b = Builder()
    x = b.input("n", 4)
    count = b.node("Gather", b.node("Shape", x), b.constant(0, "int64"), axis=0)
    steps = b.node("Range", b.constant(0, "int64"), count, b.constant(1, "int64"), out="steps")
    where = b.node("NonZero", x)
    size = b.node("Shape", where, out="size")
    filled = b.node("ConstantOfShape", size, value=np.array([2.0], np.float32))
    moved = b.node("Mul", filled, b.constant(1.5), out="moved")
    graph = b.graph(moved, steps, size, where)
    for check in ("0", "1"):
        monkeypatch.setenv("CLCONV_CHECK", check)
        session = session_for(graph, device)
        for n in (3, 5, 3):
            x_value = picture(n, 4, seed=n)
            x_value[x_value < 0] = 0
            assert_runs_right(session, graph, {"x": x_value})
