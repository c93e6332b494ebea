"""When each value of a lowered graph must have memory of its own. A pure function."""

from __future__ import annotations

from clconv.errors import GraphError
from clconv.graph.ir import Graph
from clconv.lowering.lower import LoweredGraph
from clconv.planning.memory import Lifetime


def value_lifetimes(graph: Graph, lowered: LoweredGraph) -> list[Lifetime]:
    """First and last step of every value that owns memory of the plan, as state does not; inputs live from before the
    first call, outputs until after the last. Raises GraphError if a call reads what nothing wrote."""

    def root(value: str) -> str:
        return lowered.place(value)[0]

    end = len(lowered.calls)
    sizes = {**{n: s.nbytes for n, s in lowered.specs.items()}, **lowered.scratch}
    first = dict.fromkeys(graph.inputs, -1)
    last = dict.fromkeys(graph.inputs, -1)

    def read(name: str, step: int, reader: str) -> None:
        if name not in first:
            if sizes[name]:
                raise GraphError(f"{reader} reads '{name}' before anything writes it")
            first[name] = step
        last[name] = step

    for step, call in enumerate(lowered.calls):
        # Reads first: what a call reads must be there before it runs.
        for name in map(root, call.reads):
            read(name, step, f"node '{call.node}'")
        for name in map(root, call.writes):
            first.setdefault(name, step)
            last[name] = step
    for name in lowered.stored.values():
        if name not in graph.constants:
            read(root(name), end, "the graph's output")
    return [
        Lifetime(name, sizes[name], first[name], last[name])
        for name in first
        if name not in graph.state
    ]
