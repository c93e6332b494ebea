"""float16 graphs become float32 graphs with conversions at their edges."""

from __future__ import annotations

import numpy as np

from clconv.graph.ir import Constant, DType, Graph, Node, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.passes.half import Converted, place_half
from clconv.graph.reference import run_reference
from clconv.graph.specialise import specialise
from clconv.graph.verify import verify

RNG = np.random.default_rng(3)
X = RNG.standard_normal((1, 3, 5, 6)).astype(np.float16)
WEIGHT = Constant(RNG.standard_normal((4, 3, 3, 3)).astype(np.float16))


def specialised(outputs: tuple[str, ...], *nodes: Node, x: np.ndarray = X) -> Graph:
    graph = Graph("g", nodes, ("x",), outputs, {"x": TensorSpec.of(x)}, {"w": WEIGHT})
    return specialise(graph, graph.specs).graph


def operators(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes]


def test_a_float32_graph_is_left_as_it_is() -> None:
    graph = Graph(
        "g", (make_node("Relu", ("x",), ("y",)),), ("x",), ("y",), {"x": TensorSpec((2,))}
    )
    graph = specialise(graph, graph.specs).graph
    assert place_half(graph) is graph


def test_conversions_stand_only_where_the_graph_begins_and_ends() -> None:
    graph = specialised(
        ("y",),
        make_node("Conv", ("x", "w"), ("a",), pads=(1, 1, 1, 1), strides=(1, 1), dilations=(1, 1)),
        make_node("Relu", ("a",), ("b",)),
        make_node("Flatten", ("b",), ("y",)),
    )  # fmt: skip
    wide = verify(place_half(graph))
    assert operators(wide) == ["Cast", "Conv", "Relu", "Flatten", "Cast"]
    assert wide.spec("y").dtype is DType.FLOAT16 and wide.inputs == ("x",)
    found, expected = run_reference(wide, {"x": X})["y"], run_reference(graph, {"x": X})["y"]
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, expected, rtol=2**-9, atol=2**-9)


def test_a_value_that_is_read_and_returned_is_converted_once() -> None:
    graph = specialised(
        ("a", "b"), make_node("Relu", ("x",), ("a",)), make_node("Neg", ("a",), ("b",))
    )
    wide = verify(place_half(graph))
    assert operators(wide).count("Cast") == 3
    for name, reference in run_reference(graph, {"x": X}).items():
        np.testing.assert_array_equal(run_reference(wide, {"x": X})[name], reference)


def test_moving_data_needs_no_conversion() -> None:
    graph = specialised(("y",), make_node("Transpose", ("x",), ("y",), perm=(0, 2, 3, 1)))
    assert operators(place_half(graph)) == ["Transpose"]


def test_a_cast_of_the_network_itself_still_rounds() -> None:
    x = np.array([1.0001, 65520.0, -3.3], np.float32)
    graph = specialised(
        ("y",),
        make_node("Cast", ("x",), ("h",), to="float16"),
        make_node("Cast", ("h",), ("y",), to="float32"),
        x=x,
    )
    found = run_reference(verify(place_half(graph)), {"x": x})["y"]
    np.testing.assert_array_equal(found, x.astype(np.float16).astype(np.float32))


def test_other_outputs_keep_their_dtypes() -> None:
    graph = Graph(
        "g",
        (make_node("TopK", ("x", "k"), ("v", "i"), axis=-1),),
        ("x",),
        ("v", "i"),
        {"x": TensorSpec.of(X)},
        {"k": Constant(np.array([2]))},
    )
    graph = specialise(graph, graph.specs).graph
    wide = verify(place_half(graph))
    found, expected = run_reference(wide, {"x": X}), run_reference(graph, {"x": X})
    for name in ("v", "i"):
        assert found[name].dtype == expected[name].dtype
        np.testing.assert_array_equal(found[name], expected[name])


def test_plans_share_the_float32_copies_of_constants() -> None:
    kept: Converted = {}
    conv = make_node("Conv", ("x", "w"), ("y",), pads=(0, 0, 0, 0), strides=(1, 1),
                     dilations=(1, 1))  # fmt: skip
    keys = set()
    for x in (X, X[:, :, 1:]):
        wide = place_half(specialised(("y",), conv, x=x), kept)
        keys |= {c.key for c in wide.constants.values() if c.spec.dtype is DType.FLOAT32}
    assert len(keys) == 1 and len(kept) == 1
