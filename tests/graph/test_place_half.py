"""Which nodes run on halves, and conversions around those that do not."""

from __future__ import annotations

import numpy as np

from clconv.graph.ir import Constant, DType, Graph, Node, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.passes.half import Converted, TakesHalf, fits_half, float32_nodes, place_half
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise
from clconv.graph.verify import verify

RNG = np.random.default_rng(3)
X = RNG.standard_normal((1, 3, 5, 6)).astype(np.float16)
WEIGHT = Constant(RNG.standard_normal((4, 3, 3, 3)).astype(np.float16))


def specialised(
    outputs: tuple[str, ...], *nodes: Node, x: np.ndarray = X, **constants: Constant
) -> Graph:
    known = {"w": WEIGHT, **constants}
    graph = Graph("g", nodes, ("x",), outputs, {"x": TensorSpec.of(x)}, known)
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


# --- on halves ----------------------------------------------------------------------------------------


def some(*operators: str) -> TakesHalf:
    """A device whose kernels read and write halves for these operators."""
    return lambda node, specs, constants: node.op in operators


def float_graph(*nodes: Node, outputs: tuple[str, ...] = ("y",), **constants: np.ndarray) -> Graph:
    known = {"w": WEIGHT_32, **{name: Constant(array) for name, array in constants.items()}}
    specs = {"x": TensorSpec(X.shape)}
    return specialise(Graph("g", nodes, ("x",), outputs, specs, known), specs).graph


WEIGHT_32 = Constant(WEIGHT.array.astype(np.float32))
CONV = {"pads": (1, 1, 1, 1), "strides": (1, 1), "dilations": (1, 1)}


def test_what_a_kernel_takes_stays_half() -> None:
    graph = specialised(
        ("y",),
        make_node("Conv", ("x", "w"), ("a",), **CONV),
        make_node("TopK", ("a", "k"), ("v", "i"), axis=-1),
        make_node("Relu", ("v",), ("b",)),
        make_node("Conv", ("b", "w2"), ("y",), **CONV),
        k=Constant(np.array([2])),
        w2=Constant(WEIGHT.array[:, :1].repeat(4, 1)),
    )
    placed = verify(place_half(graph, None, some("Conv", "Relu")))
    # What is element-wise stays in the type that it finds.
    assert operators(placed) == ["Conv", "Cast", "TopK", "Relu", "Cast", "Conv"]
    assert float32_nodes(placed) == ("v", "b")
    found, expected = run_reference(placed, {"x": X})["y"], run_reference(graph, {"x": X})["y"]
    np.testing.assert_array_equal(found, expected)


def test_a_float32_network_is_narrowed_where_kernels_take_it() -> None:
    graph = float_graph(
        make_node("Conv", ("x", "w"), ("a",), **CONV),
        make_node("Relu", ("a",), ("b",)),
        make_node("CumSum", ("b", "axis"), ("y",)),
        axis=np.array(2),
    )
    placed = verify(place_half(graph, None, some("Conv", "Relu", "CumSum"), narrow=True))
    assert operators(placed) == ["Cast", "Conv", "Relu", "Cast", "CumSum"]
    assert placed.spec("y").dtype is DType.FLOAT32 and placed.spec("x").dtype is DType.FLOAT32
    assert {c.spec.dtype for n, c in placed.constants.items() if n.startswith("w:")} == {
        DType.FLOAT16
    }
    x = X.astype(np.float32)
    found, expected = run_reference(placed, {"x": x})["y"], run_reference(graph, {"x": x})["y"]
    assert found.dtype == np.float32 and not np.array_equal(found, expected)
    np.testing.assert_allclose(found, expected, rtol=2**-8, atol=2**-6)


def test_without_kernels_a_float32_network_stays_as_it_is() -> None:
    graph = float_graph(make_node("Conv", ("x", "w"), ("y",), **CONV))
    assert operators(place_half(graph, narrow=True)) == ["Conv"]


def test_constants_that_half_cannot_hold_keep_their_node_wide() -> None:
    graph = float_graph(
        make_node("Conv", ("x", "w"), ("a",), **CONV),
        make_node("Add", ("a", "tiny"), ("b",)),
        make_node("Mul", ("b", "huge"), ("y",)),
        tiny=np.array(1e-12, np.float32),
        huge=np.full((1, 4, 1, 1), 1e6, np.float32),
    )
    placed = verify(place_half(graph, None, some("Conv", "Add", "Mul"), narrow=True))
    assert float32_nodes(placed) == ("b", "y")
    x = X.astype(np.float32)
    assert np.isfinite(run_reference(placed, {"x": x})["y"]).all()


def test_which_numbers_half_holds() -> None:
    held = ([65504.0], [0.0], [np.inf, np.nan], [1e-12, 1.0], [], [-65504.0, 1e-30])
    lost = ([65520.0], [1e-12], [-7e4, 1.0])
    assert all(fits_half(np.array(values, np.float32)) for values in held)
    assert not any(fits_half(np.array(values, np.float32)) for values in lost)
