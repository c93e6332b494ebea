"""Names that nothing in a graph has yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from clconv.graph.ir import Graph


def all_names(graph: Graph) -> set[str]:
    """Of values and of nodes."""
    taken = {*graph.inputs, *graph.constants}
    for node in graph.nodes:
        taken.update((node.name, *node.outputs))
    return taken


def fresh_names(taken: Callable[[], Iterable[str]]) -> Callable[[str], str]:
    """A function that makes a name from a hint, which is taken from then on. taken: asked when the first is wanted, for
    most graphs want none."""
    known: set[str] | None = None

    def fresh(hint: str) -> str:
        nonlocal known
        if known is None:
            known = set(taken())
        name, number = hint, 1
        while name in known:
            number += 1
            name = f"{hint}'{number}"
        known.add(name)
        return name

    return fresh
