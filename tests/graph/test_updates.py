"""New values of state are made behind the readers of the old ones, and nowhere else does the order change; nodes that only
make them become one node for each parameter, and what anything else reads stays apart."""

from __future__ import annotations

from graph_builder import Builder, assert_same_results

from clconv.graph.ir import Graph
from clconv.graph.passes.defer_updates import defer_updates
from clconv.graph.passes.fuse_updates import fuse_updates
from clconv.graph.specialise.specialise import specialise
from clconv.graph.verify import verify


def order(graph: Graph) -> list[str]:
    return [node.outputs[0] for node in graph.nodes]


def learning(b: Builder, *outputs: str) -> Graph:
    return verify(b.graph(*outputs).replace(state={"w": "new"}))


def begun() -> Builder:
    b = Builder()
    b.input(4)
    b.input(4, name="w")
    b.node("Add", "w", "x", out="new")
    return b


def test_an_update_moves_behind_readers_and_their_views() -> None:
    b = begun()
    b.node("Tanh", "w", out="first")
    b.node("Identity", "w", out="view")
    b.node("Tanh", "view", out="second")
    b.node("Relu", "x", out="other")
    graph = learning(b, "new", "first", "second", "other")
    late = defer_updates(graph)
    assert order(late) == ["first", "view", "second", "new", "other"]
    assert_same_results(graph, verify(late))


def test_what_needs_the_new_value_follows_it() -> None:
    b = begun()
    b.node("Tanh", "w", out="first")
    b.node("Relu", "new", out="after")
    graph = learning(b, "first", "after", "new")
    assert order(defer_updates(graph)) == ["first", "new", "after"]


def test_a_reader_of_both_stays_behind() -> None:
    b = begun()
    b.node("Sub", "new", "w", out="step")
    graph = learning(b, "step", "new")
    assert defer_updates(graph) is graph


def test_two_that_wait_for_each_other() -> None:
    """Each update reads the other's old value: one of them goes first."""
    b = Builder()
    b.input(4, name="a")
    b.input(4, name="b")
    b.node("Add", "a", "b", out="new a")
    b.node("Sub", "a", "b", out="new b")
    graph = verify(b.graph("new a", "new b").replace(state={"a": "new a", "b": "new b"}))
    late = defer_updates(graph)
    assert sorted(order(late)) == ["new a", "new b"]
    assert_same_results(graph, verify(late))


def test_graphs_without_state_are_left_alone() -> None:
    b = begun()
    b.node("Tanh", "w", out="first")
    graph = b.graph("new", "first")
    assert defer_updates(graph) is graph


def test_an_update_comes_as_soon_as_it_can() -> None:
    """So that the gradient's memory is free for what follows; the gradient itself keeps its place."""
    b = Builder()
    b.input(4, 4)
    b.input(4, 4, name="w")
    b.node("MatMul", "x", "w", out="y")
    b.node("MatMul", "x", "y", out="gradient")
    b.node("Tanh", "y", out="after")
    b.node("Mul", "gradient", "x", out="scaled")
    b.node("Add", "w", "scaled", out="new")
    graph = learning(b, "after", "new")
    soon = defer_updates(graph)
    assert order(soon) == ["y", "gradient", "scaled", "new", "after"]
    assert_same_results(graph, verify(soon))


def test_what_is_in_order_stays_so() -> None:
    """The pass runs twice on every graph."""
    from tests.session.state_graphs import update_first

    once = defer_updates(update_first())
    assert [node.outputs[0] for node in once.nodes][-1] == "w'"
    assert [n.name for n in defer_updates(once).nodes] == [n.name for n in once.nodes]


def momentum(b: Builder, w: str, v: str, g: str) -> None:
    b.input(3, 5, name=w)
    b.input(3, 5, name=v)
    decayed = b.node("Add", g, b.node("Mul", w, b.constant(0.1)))
    b.node("Add", b.node("Mul", v, b.constant(0.9)), decayed, out=f"{v} new")
    b.node("Sub", w, b.node("Mul", f"{v} new", "rate"), out=f"{w} new")


def fed(b: Builder, *names: str, others: tuple[str, ...] = ()) -> Graph:
    state = {name: f"{name} new" for name in names}
    graph = b.graph(*others, *state.values()).replace(state=state)
    return specialise(verify(graph), graph.input_specs()).graph


def rated() -> Builder:
    b = Builder()
    b.input(3, 5)
    b.input(name="rate")
    return b


def test_one_node_for_each_parameter() -> None:
    b = rated()
    momentum(b, "w", "v", b.node("Tanh", "x"))
    momentum(b, "u", "m", b.node("Tan", "x"))
    graph = fed(b, "w", "v", "u", "m")
    fused = verify(fuse_updates(graph))
    assert [node.op for node in fused.nodes] == ["Tanh", "Pointwise", "Tan", "Pointwise"]
    assert set(fused.nodes[1].outputs) == {"v new", "w new"}
    assert_same_results(graph, fused)
    assert fuse_updates(fused) is fused


def test_what_others_read_is_not_taken_in() -> None:
    b = rated()
    b.input(3, 5, name="w")
    gradient = b.node("Mul", "x", "x")
    b.node("ReduceSum", gradient, out="norm", keepdims=0)
    b.node("Sub", "w", b.node("Mul", gradient, "rate"), out="w new")
    graph = fed(b, "w", others=("norm",))
    fused = verify(fuse_updates(graph))
    assert [node.op for node in fused.nodes] == ["Mul", "ReduceSum", "Pointwise"]
    assert_same_results(graph, fused)


def test_operands_that_repeat_along_an_axis_stay_apart() -> None:
    b = rated()
    b.input(3, 5, name="w")
    scaled = b.node("Mul", "x", b.constant([[1.0], [2.0], [3.0]]))
    b.node("Sub", "w", b.node("Mul", scaled, "rate"), out="w new")
    graph = fed(b, "w")
    assert fuse_updates(graph) is graph
