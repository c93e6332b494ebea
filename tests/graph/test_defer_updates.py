"""New values of state are made behind the readers of the old ones, and nowhere else does the order change."""

from __future__ import annotations

from graph_builder import Builder, assert_same_results

from clconv.graph.ir import Graph
from clconv.graph.passes.defer_updates import defer_updates
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
    from clconv.graph.passes.defer_updates import defer_updates
    from tests.session.state_graphs import update_first

    once = defer_updates(update_first())
    assert [node.outputs[0] for node in once.nodes][-1] == "w'"
    assert [n.name for n in defer_updates(once).nodes] == [n.name for n in once.nodes]
