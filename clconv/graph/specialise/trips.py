"""Several trips of a Loop as one graph, for loops that the host drives."""

from __future__ import annotations

import itertools

import numpy as np

from clconv.graph.ir import Graph, Node
from clconv.graph.ops import make_node
from clconv.graph.ops.control import always_goes_on
from clconv.graph.specialise.inline import Inliner, weight

# Trips of a Loop that the host drives which run as one graph, and the most nodes of that: what a run costs besides
# its kernels is many times what a small body does.
_AT_ONCE = (64, 8)
_BLOCK_NODES = 512


def blocks_of(body: Graph, carried: int) -> tuple[tuple[int, Graph], ...]:
    """How many trips of a Loop's body at once, and them as a graph; the most first."""
    found = [(count, trips_at_once(body, carried, count)) for count in _AT_ONCE]
    return tuple((count, graph) for count, graph in found if graph is not None)


def trips_at_once(body: Graph, carried: int, count: int) -> Graph | None:
    """`count` trips of a Loop's body as one graph: the body's inputs -> condition, carried values, then the
    slices of scan outputs, trip by trip. None if the body is large, or may end the loop by its condition."""
    producers = body.producers()
    if not always_goes_on(body) or weight(body) * count > _BLOCK_NODES:
        return None
    constants = dict(body.constants)
    taken = {*body.inputs, *constants, *producers, *(node.name for node in body.nodes)}
    numbers = itertools.count()

    def fresh(hint: str) -> str:
        name = next(n for i in numbers if (n := f"{hint}'{i}") not in taken)
        taken.add(name)
        return name

    inliner = Inliner(constants, fresh)
    loop = Node("Loop", body.name or "body", (), ())
    first, going, *values = body.inputs[: 2 + carried]
    outside = body.inputs[2 + carried :]
    own = {name: name for name in body.constants}
    nodes: list[Node] = []
    slices: list[str] = []
    for trip in range(count):
        index = first
        if trip:
            index = fresh("index")
            step = inliner.constant(loop, np.array(trip, np.int64))
            nodes.append(make_node("Add", (first, step), (index,), fresh("index")))
        inside, results = inliner.copy(body, (index, going, *values, *outside), loop, own)
        nodes += inside
        values = results[1 : 1 + carried]
        slices += results[1 + carried :]
    results = [results[0], *values, *slices]
    outputs = [fresh("result") for _ in results]
    nodes += [
        make_node("Identity", (name,), (output,), fresh("result"))
        for name, output in zip(results, outputs, strict=True)
    ]
    return Graph(
        f"{body.name}:{count} trips",
        tuple(nodes),
        body.inputs,
        tuple(outputs),
        {},
        constants,
    )
