"""Nodes that only make new values of state become one node for each; what anything else reads stays apart."""

from __future__ import annotations

from graph_builder import Builder, assert_same_results

from clconv.graph.ir import Graph
from clconv.graph.passes.fuse_updates import fuse_updates
from clconv.graph.specialise.specialise import specialise
from clconv.graph.verify import verify


def momentum(b: Builder, w: str, v: str, g: str) -> None:
    b.input(3, 5, name=w)
    b.input(3, 5, name=v)
    decayed = b.node("Add", g, b.node("Mul", w, b.constant(0.1)))
    b.node("Add", b.node("Mul", v, b.constant(0.9)), decayed, out=f"{v} new")
    b.node("Sub", w, b.node("Mul", f"{v} new", "rate"), out=f"{w} new")


def learning(b: Builder, *names: str, others: tuple[str, ...] = ()) -> Graph:
    state = {name: f"{name} new" for name in names}
    graph = b.graph(*others, *state.values()).replace(state=state)
    return specialise(verify(graph), graph.input_specs()).graph


def begun() -> Builder:
    b = Builder()
    b.input(3, 5)
    b.input(name="rate")
    return b


def test_one_node_for_each_parameter() -> None:
    b = begun()
    momentum(b, "w", "v", b.node("Tanh", "x"))
    momentum(b, "u", "m", b.node("Tan", "x"))
    graph = learning(b, "w", "v", "u", "m")
    fused = verify(fuse_updates(graph))
    assert [node.op for node in fused.nodes] == ["Tanh", "Pointwise", "Tan", "Pointwise"]
    assert set(fused.nodes[1].outputs) == {"v new", "w new"}
    assert_same_results(graph, fused)
    assert fuse_updates(fused) is fused


def test_what_others_read_is_not_taken_in() -> None:
    b = begun()
    b.input(3, 5, name="w")
    gradient = b.node("Mul", "x", "x")
    b.node("ReduceSum", gradient, out="norm", keepdims=0)
    b.node("Sub", "w", b.node("Mul", gradient, "rate"), out="w new")
    graph = learning(b, "w", others=("norm",))
    fused = verify(fuse_updates(graph))
    assert [node.op for node in fused.nodes] == ["Mul", "ReduceSum", "Pointwise"]
    assert_same_results(graph, fused)


def test_operands_that_repeat_along_an_axis_stay_apart() -> None:
    b = begun()
    b.input(3, 5, name="w")
    scaled = b.node("Mul", "x", b.constant([[1.0], [2.0], [3.0]]))
    b.node("Sub", "w", b.node("Mul", scaled, "rate"), out="w new")
    graph = learning(b, "w")
    assert fuse_updates(graph) is graph
