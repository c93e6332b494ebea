"""What loops, sequences and functions inside a graph may be written out to."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from clconv.errors import UnsupportedError
from clconv.frontend.onnx import import_onnx
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise
from tests.frontend.support import model, node, untyped, value

INT, BOOL = TensorProto.INT64, TensorProto.BOOL


def loop(depth, trips, source, target, made=True):
    """Loops inside loops around a Neg. trips: name of the count, of a constant or of the iteration around."""
    if not depth:
        return node("Neg", [source], [target])
    here = f"{depth}{source}"
    inner = trips if made else f"i{here}"
    body = helper.make_graph(
        [
            loop(depth - 1, inner, f"a{here}", f"b{here}", made),
            node("Identity", [f"c{here}"], [f"d{here}"]),
        ],
        "g",
        [value(f"i{here}", dtype=INT), value(f"c{here}", dtype=BOOL), untyped_input(f"a{here}")],
        [value(f"d{here}", dtype=BOOL), untyped(f"b{here}")],
    )
    return node("Loop", [trips, "", source], [target], body=body)


def untyped_input(name):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


def special(nodes, n, count=1):
    outputs = [f"y{i}" for i in range(count)]
    proto = model(nodes, [value("x", 1, 4)], outputs, {"n": np.int64(n)})
    graph = import_onnx(proto.SerializeToString())
    return graph, specialise(graph, graph.specs)


@pytest.mark.parametrize("n", [2, 40, 100, 1000])
@pytest.mark.parametrize("made", [True, False], ids=["constant", "iteration"])
def test_nested_loops_are_not_written_out_whole(n, made):
    graph, done = special([loop(2, "n", "x", "y0", made)], n)
    assert len(done.graph.nodes) <= 1 << 14
    assert (done.cut is None) == (n == 2 or (n <= 100 and not made))
    if n <= 40:
        x = np.float32([[1, 2, 3, 4]])
        count = n * n if made else n * (n - 1) // 2
        np.testing.assert_array_equal(run_reference(graph, {"x": x})["y0"], x * (-1) ** count)


def test_many_loops_share_one_budget():
    nodes = [loop(1, "n", "x", f"y{i}") for i in range(40)]
    _, done = special(nodes, 500, 40)
    assert done.cut is not None
    assert len(done.graph.nodes) <= 1 << 14


@pytest.mark.parametrize(
    "inputs", [["x"], ["x", "s"]], ids=["parts of one", "parts of a given size"]
)
def test_sequences_of_too_many_tensors(inputs):
    proto = model(
        [node("SplitToSequence", inputs, ["q"]), node("SequenceLength", ["q"], ["y"])],
        [value("x", 1 << 30)],
        ["y"],
        {"s": np.int64(2)},
    )
    graph = import_onnx(proto.SerializeToString())
    with pytest.raises(UnsupportedError, match="follows at most 32,768"):
        specialise(graph, graph.specs)


def test_a_loop_of_no_trips_whose_scan_output_declares_nothing():
    body = helper.make_graph(
        [
            node("Identity", ["c"], ["d"]),
            node("Add", ["a", "x"], ["b"]),
            node("Concat", ["b", "b"], ["s"], axis=1),
        ],
        "g",
        [value("i", dtype=INT), value("c", dtype=BOOL), untyped_input("a")],
        [value("d", dtype=BOOL), untyped("b"), untyped("s")],
    )
    nodes = [node("Loop", ["n", "", "x"], ["y", "z"], body=body)]
    proto = model(nodes, [value("x", 2, 3)], ["y", "z"], {"n": np.int64(0)})
    graph = import_onnx(proto.SerializeToString())
    x = np.ones((2, 3), np.float32)
    results = run_reference(graph, {"x": x})
    np.testing.assert_array_equal(results["y"], x)
    assert results["z"].shape == (0, 2, 6)
    assert results["z"].dtype == np.float32
