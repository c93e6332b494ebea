"""What loops, sequences and functions inside a graph may be written out to."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from onnx import TensorProto, helper

from clconv.errors import UnsupportedError
from clconv.frontend.onnx import import_onnx
from clconv.graph.ir import Constant, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.passes import run_passes
from clconv.graph.reference import run_reference
from clconv.graph.specialise.fold import Budget, fold
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


def folded(nodes, constants):
    """What a load keeps of it, in elements, after all passes."""
    proto = model([*nodes, node("Add", ["x", "s"], ["y0"])], [value("x", 1)], ["y0"], constants)
    graph = import_onnx(proto.SerializeToString())
    done = specialise(run_passes(graph), graph.specs)
    return sum(constant.spec.size for constant in done.graph.constants.values())


SUM = node("ReduceSum", ["k24"], ["s"], keepdims=0)
K0 = {"k0": np.ones(1 << 10, np.float32)}


def test_nodes_that_double_their_input_are_not_folded_for_ever():
    nodes = [node("Concat", [f"k{i}"] * 2, [f"k{i + 1}"], axis=0) for i in range(24)]
    assert folded([*nodes, SUM], K0) <= 1 << 26


def test_nodes_whose_inputs_are_as_large_as_their_output_have_a_budget_as_well():
    nodes = [
        node("Concat", [f"k{i}", f"k{max(i - 1, 0)}"], [f"k{i + 1}"], axis=0) for i in range(24)
    ]
    assert folded([*nodes, SUM], {"k0": np.ones(1 << 13, np.float32)}) <= 1 << 26


def test_many_tensors_that_are_made_of_nothing_share_one_budget():
    large = {"n": np.array([1 << 22])}
    nodes = [node("ConstantOfShape", ["n"], [f"c{i}"]) for i in range(60)]
    nodes += [node("Mul", [f"c{i}", "x"], [f"m{i}"]) for i in range(60)]
    nodes += [
        node("Sum", [f"m{i}" for i in range(60)], ["t"]),
        node("ReduceSum", ["t"], ["s"], keepdims=0),
    ]
    assert folded(nodes, large) <= (1 << 26) + 1


def test_what_is_not_folded_is_not_read():
    """A file may say of a weight that it has a terabyte."""
    huge = Constant.reread(TensorSpec((1 << 38,)), lambda: pytest.fail("it was read"))
    constants = {"w": huge}
    for op in ("Neg", "ReduceSum"):
        assert not fold(make_node(op, ("w",), ("y",), op), {}, constants, Budget([huge]))
    assert list(constants) == ["w"]


def test_the_shape_of_what_no_host_has_memory_for_is_folded():
    constants: dict[str, Constant] = {}
    node = make_node("Shape", ("x",), ("y",), "shape")
    assert fold(node, {"x": TensorSpec((1 << 40, 3))}, constants, Budget([]))
    assert constants["y"].array.tolist() == [1 << 40, 3]


def test_weights_are_folded_through_several_nodes_however_large():
    """The budget grows with what the model holds."""
    names = ["k0", *(f"k{i}" for i in range(1, 6))]
    nodes = [node("Neg", [a], [b]) for a, b in itertools.pairwise(names)]
    nodes.append(node("ReduceMax", ["k5"], ["s"], keepdims=0))
    assert folded(nodes, {"k0": np.ones((1 << 24) + 1, np.float32)}) < 1 << 12
