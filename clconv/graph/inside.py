"""Any value inside a graph as one of its outputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clconv.errors import InputError
from clconv.graph.ir import Graph

_NEAR, _LISTED = 5, 8


def with_outputs(graph: Graph, names: Sequence[str]) -> Graph:
    """The graph with these values as its outputs, in this order; state goes on as before.

    names: as value_names takes them. What passes would join stays apart where it is an output. Inputs stay the same,
    also those that no output needs any more.
    """
    if isinstance(names, str):
        raise InputError(f"outputs are a list of names, not the text {names!r}")
    chosen = value_names(graph, names)
    return graph.replace(outputs=tuple(dict.fromkeys((*chosen, *graph.updates.values()))))


def value_names(graph: Graph, names: Sequence[str]) -> tuple[str, ...]:
    """The values that are called by these names: their own, or that of the node whose first output they are.

    A graph as it was imported has all values of its file. Raises InputError for unknown names, with the names that are
    like them.
    """
    wanted = list(names)
    values = {*graph.inputs, *graph.constants, *(o for n in graph.nodes for o in n.outputs if o)}
    of_nodes = {n.name: next(o for o in n.outputs if o) for n in reversed(graph.nodes)}
    unknown = [name for name in wanted if name not in values and name not in of_nodes]
    if unknown:
        raise InputError(
            "; ".join(
                f"no value '{name}' in '{graph.name}'{named_like(str(name), *_names(graph))}"
                for name in unknown
            )
        )
    return tuple(name if name in values else of_nodes[name] for name in wanted)


def _names(graph: Graph) -> tuple[list[str], list[str]]:
    """All that something may be called, and the values that nodes make."""
    made = [o for node in graph.nodes for o in node.outputs if o]
    return list(dict.fromkeys([*made, *(node.name for node in graph.nodes), *graph.inputs])), made


def named_like(text: str, known: Sequence[str], shown: Sequence[str]) -> str:
    """What is known by nearly this name, else the first of what is shown, in words behind an error."""
    import difflib  # only now: nobody has asked for a name that is not there

    near = difflib.get_close_matches(text, known, _NEAR)
    folded = text.casefold()
    near += [k for k in known if folded and (folded in k.casefold() or k.casefold() in folded)]
    if near:
        return f"; did you mean {_quoted(list(dict.fromkeys(near))[:_NEAR])}?"
    listed = _quoted(shown[:_LISTED])
    more = f" and {len(shown) - _LISTED} more" if len(shown) > _LISTED else ""
    return f"; there are {listed}{more}"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
